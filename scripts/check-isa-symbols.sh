#!/usr/bin/env bash
# check-isa-symbols.sh <object or static library>...
#
# Fails if an object compiled for one instruction set (it defines something in wick::cpu::avx2 or
# wick::cpu::avx512) also defines a weak function outside that namespace: the linker keeps one copy of
# such a function for the whole program, and a machine without those instructions would die in it.
set -euo pipefail

if [ $# -eq 0 ]; then
  echo "usage: $0 <object or static library>..." >&2
  exit 2
fi

nm --defined-only "$@" | awk '
  function report(   i) {
    if (own) for (i = 0; i < count; i++) { print member ": " weak[i]; bad = 1 }
    seen += own
    own = 0
    count = 0
  }
  NF == 1 && /:$/ { report(); member = substr($0, 1, length($0) - 1); next }
  NF < 3 { next }
  $3 ~ /4wick3cpu(4avx2|6avx512)/ { own = 1; next }
  $2 == "W" { weak[count++] = $3 }
  END {
    report()
    if (bad) print "weak functions outside the namespace of their instruction set (see kernels/cpu/isa.h)"
    if (!seen) print "no object for avx2 or avx512 found"
    exit bad || !seen
  }' | c++filt
