#!/usr/bin/env bash
# scripts/check-kernels-executed on kernels and logs of its own.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() {
  echo "FAILED: $*" >&2
  cat "$scratch/output" >&2
  exit 1
}
command -v python3 >/dev/null || {
  echo 'skipped: python3 is missing'
  exit 77
}

mkdir "$scratch/kernels"
cat >"$scratch/kernels/toy.cu" <<'END'
template <class T>
__global__ void __launch_bounds__(kTile* kRows)
    first_kernel(const T* x) {}
__global__ void second_kernel(int n) {}  // not a __global__ void third_kernel(int n)
END
printf 'template <class E>\n__global__ void __launch_bounds__(256)\n    engine_kernel(E e) {}\n' \
  >"$scratch/kernels/engine.h"
check() { "$root/scripts/check-kernels-executed" --folder "$scratch/kernels" "$scratch/log" >"$scratch/output" 2>&1; }

check && fail 'a log that is not there was enough'
grep -q 'no such file' "$scratch/output" || fail 'expected: no such file'

printf 'second_kernel\nof_another_folder_kernel\nengine_kernel\nsecond_kernel\n' >"$scratch/log"
check && fail 'first_kernel never ran, and that was enough'
grep -q -x '2 of 3 kernels were run' "$scratch/output" || fail 'expected 2 of 3'
grep -q -x 'never run: first_kernel (toy.cu)' "$scratch/output" || fail 'expected the name of first_kernel'

echo first_kernel >>"$scratch/log"
check || fail 'all of them ran, and that was not enough'
grep -q -x '3 of 3 kernels were run' "$scratch/output" || fail 'expected 3 of 3'

echo '__global__ void engine_kernel(int n) {}' >"$scratch/kernels/other.cu"
check && fail 'two kernels of one name were accepted'
grep -q 'engine_kernel is a kernel of engine.h and of other.cu' "$scratch/output" || fail 'expected both files'

echo '__global__ auto strange_kernel(int n) -> void {}' >"$scratch/kernels/other.cu"
check && fail 'a kernel that cannot be read was overlooked'
grep -q 'cannot read' "$scratch/output" || fail 'expected: cannot read'
echo passed
