// The logistic function and the hyperbolic tangent of several vectors at once.
//
// Both rest on 2^y = 2^n · 2^r with n the nearest integer to y and |r| ≤ ½, and 2^r - 1 = r · P(r), P being the
// polynomial of least maximal error on that interval (Remez exchange; absolute error 7.5e-9 in float32 and
// 2.0e-21 in float64). Working with 2^r - 1 keeps tanh accurate around zero. N vectors go in lockstep, because
// one alone waits for its own results most of the time.
//
// NaN stays NaN: the clamps are written so that an unordered comparison keeps its argument.
#ifndef MEMORYCELL_ACTIVATIONS_H
#define MEMORYCELL_ACTIVATIONS_H

#include "vec.h"

namespace mc::MC_LEVEL {

template <class T>
struct Exponential;

template <>
struct Exponential<float> {
  static constexpr float kLog2e = 1.44269504088896341f;
  static constexpr float kRound = 12582912.0f;  // 1.5 · 2^23: adding it leaves the nearest integer in the low bits
  static constexpr int kMantissa = 23;
  static constexpr int32_t kOne = 0x3f800000;
  static constexpr float kMost = 126.0f;      // 2^±126 are normal numbers
  static constexpr float kSaturated = 30.0f;  // tanh rounds to 1 from 26 on
  static constexpr float kPolynomial[] = {0.693147188029f,  0.240226510842f,   0.0555035710549f,
                                          0.00961803077074f, 0.00133908668598f, 0.000154697351565f};
};

template <>
struct Exponential<double> {
  static constexpr double kLog2e = 1.44269504088896340736;
  static constexpr double kRound = 6755399441055744.0;  // 1.5 · 2^52
  static constexpr int kMantissa = 52;
  static constexpr int64_t kOne = 0x3ff0000000000000;
  static constexpr double kMost = 1022.0;
  static constexpr double kSaturated = 64.0;
  static constexpr double kPolynomial[] = {
      0.69314718055994530942,    0.24022650695910071228,    0.055504108664821579937,   0.0096181291076284830546,
      0.0013333558146428452424,  0.00015403530393362754649, 0.00001525273380404041566, 1.3215486816000543526e-6,
      1.0178086029449330243e-7,  7.0548943861275267914e-9,  4.4455273711109624371e-10, 2.5733568624361379533e-11,
      1.372087942259048472e-12};
};

#define MC_EACH _Pragma("GCC unroll 16") for (int q = 0; q < N; ++q)

// 2^y = power + power · part for y within ±kMost, where part = 2^r - 1.
template <class T, int N>
MC_INLINE void exp2_parts(const Vec<T> (&y)[N], Vec<T> (&power)[N], Vec<T> (&part)[N]) {
  using E = Exponential<T>;
  using Bits = typename VectorOf<T>::bits;
  constexpr int degree = sizeof(E::kPolynomial) / sizeof(T) - 1;
  Vec<T> r[N];
  MC_EACH {
    const Vec<T> rounded = y[q] + E::kRound;
    r[q] = y[q] - (rounded - E::kRound);
    // The low bits of `rounded` are n; shifted into the exponent of 1 they make 2^n.
    power[q] = (Vec<T>)(((Bits)rounded << E::kMantissa) + E::kOne);
  }
  MC_EACH part[q] = fma(r[q], splat(E::kPolynomial[degree]), splat(E::kPolynomial[degree - 1]));
#pragma GCC unroll 16
  for (int k = degree - 2; k >= 0; --k) MC_EACH part[q] = fma(part[q], r[q], splat(E::kPolynomial[k]));
  MC_EACH part[q] = part[q] * r[q];
}

template <class T>
MC_INLINE Vec<T> clamp(Vec<T> y, T most) {
  y = y > most ? splat(most) : y;
  return y < -most ? splat(-most) : y;
}

// x ← 1 / (1 + e^-x)
template <class T, int N>
MC_INLINE void sigmoid(Vec<T> (&x)[N]) {
  using E = Exponential<T>;
  Vec<T> power[N], part[N];
  MC_EACH x[q] = clamp<T>(x[q] * -E::kLog2e, E::kMost);
  exp2_parts<T, N>(x, power, part);
  MC_EACH x[q] = reciprocal(fma(power[q], part[q], power[q]) + T(1));
}

// x ← tanh x = (e^2x - 1) / (e^2x + 1)
template <class T, int N>
MC_INLINE void tanh(Vec<T> (&x)[N]) {
  using E = Exponential<T>;
  Vec<T> power[N], part[N];
  MC_EACH x[q] = clamp<T>(x[q] * (2 * E::kLog2e), E::kSaturated);
  exp2_parts<T, N>(x, power, part);
  MC_EACH {
    const Vec<T> less_one = fma(power[q], part[q], power[q] - T(1));
    x[q] = less_one * reciprocal(less_one + T(2));
  }
}

// The first N - 1 are logistic, the last is a hyperbolic tangent, all in lockstep: the gates of an LSTM.
template <class T, int N>
MC_INLINE void sigmoids_and_tanh(Vec<T> (&x)[N]) {
  using E = Exponential<T>;
  Vec<T> power[N], part[N];
  MC_EACH x[q] = q < N - 1 ? clamp<T>(x[q] * -E::kLog2e, E::kMost) : clamp<T>(x[q] * (2 * E::kLog2e), E::kSaturated);
  exp2_parts<T, N>(x, power, part);
  MC_EACH {
    const Vec<T> above = fma(power[q], part[q], q < N - 1 ? power[q] : power[q] - T(1));
    const Vec<T> inverse = reciprocal(above + T(q < N - 1 ? 1 : 2));
    x[q] = q < N - 1 ? inverse : above * inverse;
  }
}

#undef MC_EACH

}  // namespace mc::MC_LEVEL

#endif
