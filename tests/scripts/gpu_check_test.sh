#!/usr/bin/env bash
# scripts/gpu-check over a small GoogleTest program whose tests pass, fail, skip, crash and hang, with a
# GPU and a compute-sanitizer that only pretend.
# shellcheck disable=SC2016  # backticks of Markdown
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() {
  echo "FAILED: $*" >&2
  cat "$scratch/output" "$scratch/out/report.md" >&2 2>/dev/null
  exit 1
}

# ---- the tree ----------------------------------------------------------------------------------
tree=$scratch/tree
mkdir -p "$tree/scripts" "$tree/build/release/bin" "$scratch/tools" "$scratch/scratch"
cp "$root"/scripts/gpu-check* "$root/scripts/bench-pytorch-gpu.py" "$tree/scripts/"
cat >"$scratch/toy.cpp" <<'END'
#include <gtest/gtest.h>
#include <unistd.h>
#include <csignal>
#include <cstdlib>
#include <string>
TEST(Good, One) {}
TEST(Good, Two) {}
static bool poisoned = false;
TEST(Poison, First) { poisoned = true; EXPECT_EQ(1 + 1, 3) << "sums are wrong"; }
TEST(Poison, Second) { EXPECT_FALSE(poisoned); }
TEST(Crash, Before) {}
TEST(Crash, Dies) { raise(SIGSEGV); }
TEST(Crash, After) {}
TEST(Skips, One) { GTEST_SKIP() << "no such data here"; }
TEST(Hang, Forever) { if (getenv("TOY_HANGS")) sleep(60); }
TEST(Device, IsAsked) {
  const char* device = getenv("WICK_TEST_DEVICE");
  EXPECT_STREQ(getenv("WICK_REQUIRE_CUDA"), "1");
  if (device) { EXPECT_STREQ(device, "cuda"); }
}
template <class T> struct Typed : testing::Test {};
TYPED_TEST_SUITE(Typed, (testing::Types<int, float>));
TYPED_TEST(Typed, Fits) {}
END
sed -i 's/TYPED_TEST_SUITE(Typed, (\(.*\)));/using Toys = \1;\nTYPED_TEST_SUITE(Typed, Toys);/' "$scratch/toy.cpp"
g++ -std=c++17 -O0 "$scratch/toy.cpp" -o "$tree/build/release/bin/core_tests" -lgtest -lgtest_main -lpthread || {
  echo "skipped: GoogleTest is not there"
  exit 77
}
cat >"$tree/build/release/bin/cuda_ops" <<'END'
#!/bin/bash
if [ "$1" = --probe ]; then
  [ -z "${TOY_NO_GPU:-}" ] && exit 0
  echo 'cuda_ops: there is no CUDA device: toys have none' >&2
  exit 1
fi
for option; do
  case "$option" in
    --benchmark_out=*) echo '{"context": {"host_name": "secret"}, "benchmarks": []}' >"${option#*=}" ;;
  esac
done
echo 'add_1   1.0 us'
END
cat >"$scratch/tools/nvidia-smi" <<'END'
#!/bin/bash
echo 'Toy GPU 9000, 1.2.3, 80 GiB'
END
cat >"$scratch/tools/compute-sanitizer" <<'END'
#!/bin/bash
tool=$2
shift 6
"$@" || exit
echo '========= COMPUTE-SANITIZER'
[[ $tool == racecheck && "$*" == *Good* ]] || exit 0
echo '========= Error: Race reported between Write and Read'
exit 99
END
cat >"$scratch/tools/python3" <<'END'
#!/bin/bash
exit 1
END
chmod +x "$tree/build/release/bin/cuda_ops" "$scratch"/tools/*
export PATH=$scratch/tools:$PATH TMPDIR=$scratch/scratch OUT=$scratch/out
unset CUDA_HOME

check() { # STATUS ARGUMENT...
  local wanted=$1 status=0
  shift
  "$tree/scripts/gpu-check" "$@" >"$scratch/output" 2>&1 || status=$?
  [ "$status" -eq "$wanted" ] || fail "gpu-check $*: exit status $status, expected $wanted"
}
says() { grep -q -F -e "$1" "$scratch/output" || fail "expected in the output: $1"; }
reports() { grep -q -F -e "$1" "$scratch/out/report.md" || fail "expected in the report: $1"; }

# ---- wrong use, no device ----------------------------------------------------------------------
check 2
check 2 everything
says "no stage or option 'everything'"
check 2 --budget soon native
check 1 --build-dir "$scratch" native
says 'no test programs in'
TOY_NO_GPU=1 check 1 native
says 'no device that can be used: cuda_ops: there is no CUDA device: toys have none'
[ ! -e "$scratch/out" ] || fail 'a report without a device'
TOY_NO_GPU=1 check 0 list # needs none
says 'cuda:core_tests Poison.Second'
says 'cpu:core_tests Typed/1.Fits'
says '24 tests in 16 suites of 1 programs'

# ---- native ------------------------------------------------------------------------------------
check 1 --jobs 2 native
reports '# wick on Toy GPU 9000, '
reports '## native: FAILED'
reports '14 passed, 8 failed, 2 skipped; 16 programs or suites'
reports '- `Poison.First` (cuda), fails alone too: '
reports 'sums are wrong'
reports '- `Poison.Second` (cpu), passes alone: '
reports '- `Crash.Dies` (cuda), fails alone too: the program died of signal 11'
reports '- `Crash.After` (cuda), passes alone: not reached: the program ended in Crash.Dies'
reports '- `Skips.One` (cuda): no such data here'
grep -q "$tree" "$scratch/out/report.md" && fail 'the report names folders of this machine'
[ "$(wc -l <"$scratch/out/native.jsonl")" -eq 16 ] || fail 'native.jsonl: a line for each suite'
grep -q '"unit": "cuda:core_tests:Good", "status": 0,.*"testsuites"' "$scratch/out/native.jsonl" || fail 'raw results'
grep -q 'sums are wrong' "$scratch/out/log.txt" || fail 'the log'
[ "$(find "$scratch/out" -type f | wc -l)" -le 8 ] || fail 'a report of many files'
[ -z "$(ls "$scratch/scratch")" ] || fail 'files were left behind'

# What has finished does not run again, and its failures stay failures.
check 1 native
grep -q 'core_tests' "$scratch/output" && fail 'something ran twice'
reports '14 passed, 8 failed, 2 skipped'
check 0 --out "$scratch/good" --filter 'Good.*:Device.*' native
grep -q '6 passed, 0 failed, 0 skipped; 4 programs' "$scratch/good/report.md" || fail 'a filter'

# Another build starts anew.
echo >>"$tree/build/release/bin/cuda_ops"
check 0 --filter 'Good.One' native
says 'starts anew'
reports '2 passed, 0 failed, 0 skipped; 2 programs'

# ---- time --------------------------------------------------------------------------------------
# Within 5 s the hanging test is killed and failed; it does not run forever, nor again.
export OUT=$scratch/slow
TOY_HANGS=1 check 1 --budget 6 --jobs 4 --filter 'Hang.*' native
grep -q 'did not finish within 5 s' "$OUT/report.md" || fail 'a test that hangs'
# One that started late is not blamed.
rm -r "$OUT"
TOY_HANGS=1 check 1 --budget 8 --jobs 1 --filter 'Hang.*' native
says 'native: 1 not finished in 8 s'
grep -q 'FAILED, not finished (1 left' "$OUT/report.md" || fail 'what is left'
check 1 --budget 8 --jobs 1 --filter 'Hang.*' native # now the other one runs, and does not hang
grep -q '1 passed, 1 failed, 0 skipped; 2 programs' "$OUT/report.md" || fail 'going on'
check 0 --again --jobs 1 --filter 'Hang.*' native
grep -q '2 passed, 0 failed, 0 skipped; 2 programs' "$OUT/report.md" || fail '--again'

# ---- sanitizer, bench --------------------------------------------------------------------------
export OUT=$scratch/out
check 1 --filter 'Good.*:Skips.*' sanitizer
reports '- `Good` (racecheck): Error: Race reported between Write and Read'
reports '## sanitizer: FAILED'
reports '8 passed, 1 failed, 4 skipped; 8 programs'
reports '## native: passed'
rm "$scratch/tools/compute-sanitizer"
if ! PATH=$PATH:/usr/local/cuda/bin command -v compute-sanitizer >/dev/null; then
  check 1 --again sanitizer
  says 'compute-sanitizer is missing'
  reports '## sanitizer: not run'
fi
check 0 bench
reports 'add_1   1.0 us'
reports 'Not compared with PyTorch'
grep -q secret "$scratch/out/bench.cuda_ops.json" && fail "the machine's name in the raw results"

# ---- both sides of the benchmarks have the same list -------------------------------------------
ours=$(sed -n -E 's/^ +\{"([a-z0-9_]+)", .*/\1/p' "$root/tests/bench/cuda_ops.cpp")
theirs=$(sed -n -E 's/^    "([a-z0-9_]+)": (lambda|[a-z_]+,|small).*/\1/p' "$root/scripts/bench-pytorch-gpu.py")
[ "${ours:-none}" = "$theirs" ] || fail "the lists of benchmarks differ: $ours / $theirs"
echo passed
