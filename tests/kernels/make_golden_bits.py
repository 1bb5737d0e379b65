#!/usr/bin/env python3
"""Writes golden_bits.h: the random numbers of kernels/philox.h, derived anew in exact arithmetic.

Integers are Python's; a floating-point number is a Fraction that is rounded after each operation
(nearest, ties to even; no result here is subnormal). Only the standard library is needed.

    tests/kernels/make_golden_bits.py > tests/kernels/golden_bits.h
"""
import math
import struct
from fractions import Fraction

M32 = 0xFFFFFFFF
M64 = 0xFFFFFFFFFFFFFFFF


# --- Philox4x32-10

def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & M32, (a >> 32) ^ c[3] ^ k[1], a & M32]
        k = [(k[0] + 0x9E3779B9) & M32, (k[1] + 0xBB67AE85) & M32]
    return c


KNOWN_ANSWERS = [  # of the authors' library Random123
    ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ([M32] * 4, [M32] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0],
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]
for counter, key, words in KNOWN_ANSWERS:
    assert philox(counter, key) == [int(w, 16) for w in words.split()]


def word(seed, offset, i):
    block = (offset + i // 4) & M64
    return philox([block & M32, block >> 32, 0, 0], [seed & M32, seed >> 32])[i % 4]


def pair(seed, offset, i):
    return word(seed, offset, 2 * i) | word(seed, offset, 2 * i + 1) << 32


# --- floating point

class Format:
    def __init__(self, precision, codes):
        self.precision = precision
        self.codes = codes  # of struct: an integer and a number of that size

    def round(self, x):
        """The nearest number of `precision` bits."""
        if x == 0:
            return Fraction(0)
        n, d = abs(x).numerator, abs(x).denominator
        e = n.bit_length() - d.bit_length()
        if Fraction(n, d) < Fraction(2) ** e:
            e -= 1
        unit = Fraction(2) ** (e - self.precision + 1)
        r = round(abs(x) / unit) * unit  # ties to even
        return r if x > 0 else -r

    def fma(self, a, b, c):
        return self.round(a * b + c)

    def mul(self, a, b):
        return self.round(a * b)

    def sqrt(self, x):
        # The integer root of x 4^k has enough bits; a remainder is remembered below the last.
        k = 200
        scaled = x * Fraction(4) ** k
        root = math.isqrt(scaled.numerator // scaled.denominator)
        exact = Fraction(root * root) == scaled
        return self.round((Fraction(root) + (0 if exact else Fraction(1, 2))) / Fraction(2) ** k)

    def constant(self, text):
        """A decimal literal; the C++ source goes through double."""
        return self.round(Fraction(float(text)))

    def polynomial(self, x, texts):
        r = self.constant(texts[0])
        for t in texts[1:]:
            r = self.fma(r, x, self.constant(t))
        return r

    def bits(self, x):
        return struct.unpack("<" + self.codes[0], struct.pack("<" + self.codes[1], float(x)))[0]


F32 = Format(24, "If")
F64 = Format(53, "Qd")


def signed(x, bits):
    return x - (1 << bits) if x >> (bits - 1) else x


# --- distributions

def unit(f, w):
    return Fraction(w >> 8, 1 << 24) if f is F32 else Fraction(w >> 11, 1 << 53)


def uniform(f, w, low, high):
    low, high = f.round(Fraction(low)), f.round(Fraction(high))
    x = f.fma(unit(f, w), f.round(high - low), low)
    assert x < high, "choose a range without this case"
    return x


LOG_F32 = """-0.076736415016740257 0.12722672788010961 -0.13127555651287652 0.14204855952571014
    -0.16626645629127463 0.20001234461093455 -0.25000781239812696 0.33333330028354797
    -0.49999997649770979""".split()
SIN_F32 = """-3.5954290725110749e-5 0.0024900068014923567 -0.080745434708101474
    0.78539816097661834""".split()
COS_F32 = """3.5419527281377598e-6 -3.2596138034687451e-4 0.015854338147319281
    -0.30842513734355484""".split()
LOG_F64 = """0.1461644968504340586 0.15331721600556041269 0.1818288912526172208
    0.22222211134795079855 0.28571428625975484921 0.3999999999989950449
    0.66666666666666696862""".split()
SIN_F64 = """6.8773605731663256272e-12 -1.7571500746983934092e-9 3.1336162254334162211e-7
    -0.000036576204158913874935 0.0024903945701888438479 -0.080745512188280539466
    0.78539816339744830714""".split()
COS_F64 = """-3.8631569488326559522e-13 1.1500679700940495865e-10 -2.461136623830974229e-8
    3.5908604474486117919e-6 -0.00032599188692719957064 0.015854344243815488951
    -0.30842513753404245672""".split()


def log_unit(f, x):
    # x = 2^k (1 + g) with 1 + g in [sqrt(1/2), sqrt(2)): the bound is the format's 0x3f3504f3...
    root = Fraction(0x3F3504F3 - (126 << 23) + (1 << 23), 1 << 24) if f is F32 else \
        Fraction(0x3FE6A09E667F3BCD - (1022 << 52) + (1 << 52), 1 << 53)
    k, m = 0, x
    while m < root:
        k, m = k - 1, m * 2
    g = m - 1
    if f is F32:
        q = f.polynomial(g, LOG_F32)
        return f.fma(Fraction(k), f.constant("0.693147181"), f.fma(f.mul(g, g), q, g))
    s = f.round(g / f.round(g + 2))
    z = f.mul(s, s)
    q = f.polynomial(z, LOG_F64)
    return f.fma(Fraction(k), f.constant("0.69314718055994530942"), f.fma(f.mul(s, z), q, 2 * s))


def normal_pair(f, a, b):
    if f is F32:
        u = f.fma(f.round(Fraction(a >> 1)), Fraction(1, 1 << 31), Fraction(1, 1 << 32))
        t = f.round(Fraction(signed((b << 2) & M32, 32))) / (1 << 31)
        quarter = b >> 30
    else:
        u = 1 - Fraction(a >> 12, 1 << 52)
        t = Fraction((b << 2 & M64) >> 12, 1 << 51) - 1
        quarter = b >> 62
    z = f.mul(t, t)
    s = f.mul(t, f.polynomial(z, SIN_F32 if f is F32 else SIN_F64))
    c = f.fma(z, f.polynomial(z, COS_F32 if f is F32 else COS_F64), Fraction(1))
    r = f.sqrt(-2 * log_unit(f, u))
    # cos and sin of (quarter + t / 2) pi / 2
    cosine, sine = [(c, s), (-s, c), (-c, -s), (s, -c)][quarter]
    first, second = f.mul(r, cosine), f.mul(r, sine)
    exact_u = -2 * math.log(float(u))
    angle = (quarter + float(t) / 2) * math.pi / 2
    tolerance = 2e-6 if f is F32 else 1e-14
    assert abs(float(first) - math.sqrt(exact_u) * math.cos(angle)) < tolerance
    assert abs(float(second) - math.sqrt(exact_u) * math.sin(angle)) < tolerance
    return first, second


def normal(f, seed, offset, i, mean, std):
    w = word if f is F32 else pair
    z = normal_pair(f, w(seed, offset, i - i % 2), w(seed, offset, i - i % 2 + 1))[i % 2]
    return f.fma(f.round(Fraction(std)), z, f.round(Fraction(mean)))


def exponential(f, w):
    u = f.fma(f.round(Fraction(w >> 1)), Fraction(1, 1 << 31), Fraction(1, 1 << 32)) if f is F32 else \
        1 - Fraction(w >> 12, 1 << 52)
    x = -log_unit(f, u)
    assert abs(float(x) + math.log(float(u))) < (2e-6 if f is F32 else 1e-14)
    return x


WEIGHTS = [0.5, 0, 3, 1.25, 0, 2, 0.125, 0]


def with_replacement(w):
    target = F64.mul(unit(F64, w), Fraction(sum(WEIGHTS)))
    return next(i for i in range(8) if sum(WEIGHTS[:i + 1]) > target)


def without_replacement(words):
    keys = [(F64.round(exponential(F64, w) / Fraction(p)), i)
            for i, (w, p) in enumerate(zip(words, WEIGHTS)) if p > 0]
    return [i for _, i in sorted(keys)]


def randint(w, low, high):
    return low + (w * (high - low) >> 64)


# --- output

CASES = [(0, 0), (42, 0), (42, 1), (2**63 + 1, 0), (M64, 2**32 - 1), (7, M64)]
N = 16


def array(values, digits):
    texts = ["0x%0*x" % (digits, v) for v in values]
    per_line = 6 if digits <= 8 else 4
    return "{" + ",\n      ".join(
        ", ".join(texts[i:i + per_line]) for i in range(0, len(texts), per_line)) + "}"


def integers(values):
    per_line = 4 if max(abs(v) for v in values) > 99 else 16
    texts = [str(v) for v in values]
    return "{" + ",\n      ".join(
        ", ".join(texts[i:i + per_line]) for i in range(0, len(texts), per_line)) + "}"


def main():
    print("""#pragma once

// Written by make_golden_bits.py; do not edit.
// clang-format off
#include <cstdint>

namespace wick::test {

/// The first numbers of calls that start at block `offset`.
struct GoldenBits {
  uint64_t seed, offset;
  uint32_t words[16];
  uint32_t uniform_f32[16];        // in [0, 1)
  uint64_t uniform_f64[16];
  uint32_t uniform_f32_range[16];  // in [-0.3, 1.7)
  uint32_t normal_f32[16];         // mean 0, standard deviation 1
  uint64_t normal_f64[16];
  uint32_t normal_f32_scaled[16];  // mean 0.7, standard deviation 0.1
  uint32_t exponential_f32[16];    // lambda 0.7
  uint64_t exponential_f64[16];
  int64_t multinomial[16];         // weights 0.5, 0, 3, 1.25, 0, 2, 0.125, 0
  int64_t multinomial_without[5];  // replacement
  int64_t randint_small[16];       // in [-5, 12)
  int64_t randint_large[16];       // in [-2^62, 2^62 + 3)
  int64_t randperm[10];
  uint8_t keep[16];                // of a dropout with p = 0.3
};
""")
    print("inline constexpr GoldenBits kGoldenBits[] = {")
    for seed, offset in CASES:
        w = [word(seed, offset, i) for i in range(N)]
        p = [pair(seed, offset, i) for i in range(N)]
        rows = [
            "%dull, %dull" % (seed, offset),
            array(w, 8),
            array([F32.bits(uniform(F32, x, 0, 1)) for x in w], 8),
            array([F64.bits(uniform(F64, x, 0, 1)) for x in p], 16),
            array([F32.bits(uniform(F32, x, -0.3, 1.7)) for x in w], 8),
            array([F32.bits(normal(F32, seed, offset, i, 0, 1)) for i in range(N)], 8),
            array([F64.bits(normal(F64, seed, offset, i, 0, 1)) for i in range(N)], 16),
            array([F32.bits(normal(F32, seed, offset, i, 0.7, 0.1)) for i in range(N)], 8),
            array([F32.bits(F32.round(exponential(F32, x) / F32.constant("0.7"))) for x in w], 8),
            array([F64.bits(F64.round(exponential(F64, x) / F64.constant("0.7"))) for x in p], 16),
            integers([with_replacement(x) for x in p]),
            integers(without_replacement(p)),
            integers([randint(x, -5, 12) for x in p]),
            integers([randint(x, -2**62, 2**62 + 3) for x in p]),
            integers(sorted(range(10), key=lambda i: (p[i], i))),
            integers([int(Fraction(x >> 8, 1 << 24) >= Fraction(0.3)) for x in w]),
        ]
        print("    {" + ",\n     ".join(rows) + "},")
    print("};\n\n}  // namespace wick::test")


if __name__ == "__main__":
    main()
