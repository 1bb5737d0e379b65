#!/usr/bin/env bash
# scripts/bundle-tests over a build as it is, and the bundle as it would be used on a machine without a
# GPU: bundle_tests_test.sh BUILD_FOLDER
set -euo pipefail
build=$(realpath "${1:?usage: bundle_tests_test.sh BUILD_FOLDER}")
root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() {
  echo "FAILED: $*" >&2
  cat "$scratch/output" >&2
  exit 1
}
[ -x "$build/bin/cuda_ops" ] || {
  echo "skipped: the benchmarks were not built"
  exit 77
}
command -v xz >/dev/null || {
  echo 'skipped: xz is missing'
  exit 77
}

"$root/scripts/bundle-tests" --build-dir "$build" "$scratch/bundle.tar.gz" >"$scratch/output" 2>&1 || fail 'bundle-tests'
tar -C "$scratch" -xf "$scratch/bundle.tar.gz"
cd "$scratch/wick-gpu"
bare() { env -i PATH=/usr/bin:/bin CUDA_VISIBLE_DEVICES= HOME="$scratch" "$@" >"$scratch/output" 2>&1; }
bare ./gpu-check list || fail 'list'
grep -q '^cuda:core_tests [a-z]*/OpTable\.' "$scratch/output" || fail 'the op table is not in the list'
grep -q -E '^[1-9][0-9]{2,} tests in ' "$scratch/output" || fail 'too few tests'
for file in gpu-check README.md bundle.txt bin/core_tests bin/image_classifier lib/libstdc++.so.6 source/core/ops.h; do
  [ -e "$file" ] || fail "$file is not in the bundle"
done
for file in lib/libc.so.6 lib/libcuda.so.1 bin/call_cost_probe; do
  [ ! -e "$file" ] || fail "$file is in the bundle"
done
# Nothing comes from beside the loader but libc's family.
LD_LIBRARY_PATH=$PWD/lib ldd bin/core_tests >"$scratch/output"
grep '=> /' "$scratch/output" | grep -v -F "=> $PWD/" | grep -v -E '^\s*lib(c|m|pthread|dl|rt)\.so' >"$scratch/foreign" &&
  fail "libraries of this machine: $(cat "$scratch/foreign")"

for stage in native sanitizer bench; do
  status=0
  bare ./gpu-check "$stage" || status=$?
  [ "$status" -eq 1 ] || fail "$stage without a device: exit status $status, expected 1"
  grep -q '^gpu-check: no device that can be used: .*no CUDA device' "$scratch/output" || fail "$stage: expected the reason"
done
[ ! -e report ] || fail 'a report without a device'

# Tests that read sources or run other programs find both in the bundle.
export LD_LIBRARY_PATH=$PWD/lib WICK_TEST_SOURCE=$PWD/source OMP_WAIT_POLICY=passive
bin/core_tests --gtest_filter='OpTableFiles.EveryOpHasARow' >"$scratch/output" 2>&1 || fail 'a test that reads sources'
mv source hidden
bin/core_tests --gtest_filter='OpTableFiles.EveryOpHasARow' >"$scratch/output" 2>&1 && fail 'sources from elsewhere'
bin/samples_tests --gtest_filter='*.MistakesAreOneLine' >"$scratch/output" 2>&1 || fail 'a test that runs a sample'
grep -q SKIPPED "$scratch/output" && fail 'the sample was not found'

"$root/scripts/bundle-tests" --build-dir "$scratch" "$scratch/x.tar.gz" >"$scratch/output" 2>&1 && fail 'a bundle of nothing'
grep -q 'there is no build in' "$scratch/output" || fail 'expected: there is no build in'
echo passed
