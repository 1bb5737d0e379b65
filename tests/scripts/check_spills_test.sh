#!/usr/bin/env bash
# scripts/check-spills over a kernel that has room, and the same one where registers are few.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
PATH=$PATH:${CUDA_HOME:-/none}/bin:/usr/local/cuda/bin command -v nvcc >/dev/null || {
  echo 'skipped: nvcc is missing'
  exit 77
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() {
  echo "FAILED: $*" >&2
  cat "$scratch/output" >&2
  exit 1
}
cat >"$scratch/roomy.cu" <<'END'
// Sixty-four sums of each thread at a time.
namespace wick::cuda {
__global__ void sums_kernel(const float* x, float* y, int n) {
  float sum[64];
#pragma unroll
  for (int i = 0; i < 64; ++i) sum[i] = x[threadIdx.x * 64 + i];
  for (int k = 0; k < n; ++k) {
    const float factor = x[k];
#pragma unroll
    for (int i = 0; i < 64; ++i) sum[i] = sum[i] * factor + sum[(i + 1) % 64];
  }
#pragma unroll
  for (int i = 0; i < 64; ++i) y[threadIdx.x * 64 + i] = sum[i];
}
}  // namespace wick::cuda
END
{
  echo '// nvcc: -maxrregcount=32'
  cat "$scratch/roomy.cu"
} >"$scratch/narrow.cu"
echo '__global__ void broken_kernel() { nonsense; }' >"$scratch/broken.cu"

check() { "$root/scripts/check-spills" --arch 90 "$@" >"$scratch/output" 2>&1; }
check "$scratch/roomy.cu" || fail 'a kernel that does not spill'
grep -q -E 'roomy.cu +sm_90 +1 +[0-9]+ +0 +0 +sums_kernel$' "$scratch/output" || fail 'its line'
check "$scratch/roomy.cu" "$scratch/narrow.cu" && fail 'a kernel that spills'
grep -q -E 'narrow.cu +sm_90 +1 +32 +[0-9]+ +1 +sums_kernel$' "$scratch/output" || fail 'its line'
grep -q -E '^  SPILLS \([1-9][0-9]* bytes stored, [1-9][0-9]* loaded\) sums_kernel$' "$scratch/output" || fail 'how much'
check "$scratch/broken.cu" && fail 'a file that does not compile'
grep -q 'does not compile for sm_90' "$scratch/output" || fail 'expected: does not compile'
"$root/scripts/check-spills" --help >"$scratch/output" 2>&1 && fail 'a wrong option'
echo passed
