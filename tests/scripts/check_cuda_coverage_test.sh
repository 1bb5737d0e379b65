#!/usr/bin/env bash
# scripts/check-cuda-coverage on a small tree of its own: known lines run and known lines do not.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() {
  echo "FAILED: $*" >&2
  cat "$scratch/output" >&2
  exit 1
}
for tool in g++ gcov python3; do
  command -v "$tool" >/dev/null || {
    echo "skipped: $tool is missing"
    exit 77
  }
done

mkdir -p "$scratch"/{scripts,kernels/cuda,build/emulation/objects}
cp "$root/scripts/check-cuda-coverage" "$scratch/scripts/"
cat >"$scratch/kernels/cuda/toy.h" <<'END'
template <class T>
T twice(T x) {
  if (x > 100)
    return x;
  return x + x;
}
END
cat >"$scratch/kernels/cuda/toy.cu" <<'END'
#include <kernels/cuda/toy.h>
int softmax(int x) {
  if (x < 0)
    return -x;
  return twice(x) + static_cast<int>(twice(double(x)));
}
int never(int x) {
  return x - 1;
}
END
printf '#include <kernels/cuda/toy.cu>\n' >"$scratch/build/emulation/kernels_cuda_toy_cu.cpp"
printf 'int softmax(int);\nint main() { return softmax(1) - 4; }\n' >"$scratch/main.cpp"

cd "$scratch/build/emulation"
g++ --coverage -O0 -I "$scratch" -c kernels_cuda_toy_cu.cpp -o objects/kernels_cuda_toy_cu.cpp.o
g++ -c "$scratch/main.cpp" -o "$scratch/main.o"
g++ --coverage "$scratch/main.o" objects/kernels_cuda_toy_cu.cpp.o -o "$scratch/toy"
check() { "$scratch/scripts/check-cuda-coverage" "$@" >"$scratch/output" 2>&1; }

# Compiled, never run.
check "$scratch/build" && fail 'nothing ran, and that was enough'
grep -q '  0.0%' "$scratch/output" || fail 'expected 0.0%'

"$scratch/toy"
# toy.cu: lines 2 3 5 run, 4 7 8 do not. toy.h: 2 3 5 run (in both instances), 4 in neither.
check --min 60 "$scratch/build" || fail '60% of lines ran, and that was not enough for --min 60'
grep -q -E '^ +50\.0% +3 of +6 +toy\.cu +4 7-8$' "$scratch/output" || fail 'toy.cu'
grep -q -E '^ +75\.0% +3 of +4 +toy\.h +4$' "$scratch/output" || fail 'toy.h'
grep -q -E '^ +60\.0% +6 of +10 +all of kernels/cuda' "$scratch/output" || fail 'the sum'
check "$scratch/build" && fail '60% was enough for 95%'

# A file that the build does not know is not silently left out.
echo 'int other() { return 1; }' >"$scratch/kernels/cuda/other.cu"
check --min 50 "$scratch/build" && fail 'a file that was not compiled was overlooked'
grep -q 'other.cu.*not compiled' "$scratch/output" || fail 'expected a word about other.cu'

check "$scratch/kernels" && fail 'a folder without a build was accepted'
grep -q 'no .gcno file' "$scratch/output" || fail 'expected: no .gcno file'
echo passed
