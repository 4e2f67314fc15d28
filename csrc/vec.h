// Vectors as wide as one register of the level being compiled, in the vector language of GCC and Clang.
//
// Floating-point contraction is off in this project: a fused multiply-add stands only where fma() is written.
// Every path through the kernels therefore rounds alike, which is what keeps a row's bits the same whatever
// else is in its batch.
#ifndef MEMORYCELL_VEC_H
#define MEMORYCELL_VEC_H

#include <cstdint>
#include <cstring>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// One namespace per level: the linker must never take a function compiled for one level into another.
#ifndef MC_LEVEL
#define MC_LEVEL base
#endif

namespace mc::MC_LEVEL {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

// Rows of a product's tile: rows × 2 accumulators, 2 weights and 1 broadcast have to fit the register file.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kTileRows = 12;
#else
constexpr int kTileRows = 6;
#endif

template <class T>
struct VectorOf;

template <>
struct VectorOf<float> {
  typedef float type __attribute__((vector_size(kVectorBytes), may_alias));
  typedef float loose __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));
  typedef int32_t bits __attribute__((vector_size(kVectorBytes), may_alias));
};

template <>
struct VectorOf<double> {
  typedef double type __attribute__((vector_size(kVectorBytes), may_alias));
  typedef double loose __attribute__((vector_size(kVectorBytes), aligned(8), may_alias));
  typedef int64_t bits __attribute__((vector_size(kVectorBytes), may_alias));
};

template <class T>
using Vec = typename VectorOf<T>::type;
template <class T>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

#define MC_INLINE inline __attribute__((always_inline))

template <class T>
MC_INLINE Vec<T> load(const T* p) {
  return *reinterpret_cast<const typename VectorOf<T>::loose*>(p);
}

template <class T>
MC_INLINE void store(T* p, Vec<T> v) {
  *reinterpret_cast<typename VectorOf<T>::loose*>(p) = v;
}

// The first `lanes` values of a vector, the others zero; and the way back, which leaves the others alone.
template <class T>
MC_INLINE Vec<T> load_first(const T* p, int lanes) {
  if (lanes >= kLanes<T>) return load(p);
  alignas(kVectorBytes) T whole[kLanes<T>] = {};
  for (int i = 0; i < lanes; ++i) whole[i] = p[i];
  return load<T>(whole);
}

template <class T>
MC_INLINE void store_first(T* p, Vec<T> v, int lanes) {
  if (lanes >= kLanes<T>) return store(p, v);
  alignas(kVectorBytes) T whole[kLanes<T>];
  store<T>(whole, v);
  for (int i = 0; i < lanes; ++i) p[i] = whole[i];
}

template <class T>
MC_INLINE Vec<T> splat(T x) {
  return x - Vec<T>{};
}

// a · b + c, rounded once where the level has the instruction.
#if defined(__AVX512F__)
MC_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return (Vec<float>)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
MC_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return (Vec<double>)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
#elif defined(__FMA__)
MC_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return (Vec<float>)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
MC_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return (Vec<double>)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}
#elif defined(__aarch64__)
MC_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
  return (Vec<float>)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
MC_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
  return (Vec<double>)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
#else
MC_INLINE Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) { return a * b + c; }
MC_INLINE Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) { return a * b + c; }
#endif

// 1 / x. Dividing a 512-bit vector takes 10 to 16 cycles; the estimate and one Newton step take four.
MC_INLINE Vec<double> reciprocal(Vec<double> x) { return 1.0 / x; }
MC_INLINE Vec<float> reciprocal(Vec<float> x) {
#if defined(__AVX512F__)
  const Vec<float> y = (Vec<float>)_mm512_maskz_rcp14_ps(0xffff, (__m512)x);
  return fma(y, fma(-x, y, splat(1.0f)), y);
#else
  return 1.0f / x;
#endif
}

namespace detail {
// Lane i of the lower (upper) halves of a and b, in turn: a0 b0 a1 b1 …
template <class V, int... I>
MC_INLINE V zip_low(V a, V b, std::integer_sequence<int, I...>) {
  return __builtin_shufflevector(a, b, (I / 2 + (I % 2) * static_cast<int>(sizeof...(I)))...);
}
template <class V, int... I>
MC_INLINE V zip_high(V a, V b, std::integer_sequence<int, I...>) {
  constexpr int n = sizeof...(I);
  return __builtin_shufflevector(a, b, (n / 2 + I / 2 + (I % 2) * n)...);
}
}  // namespace detail

// Transposes a square of vectors in registers: interleaving row i with row i + n/2, log2(n) times over.
template <class T>
MC_INLINE void transpose(Vec<T> (&rows)[kLanes<T>]) {
  constexpr int n = kLanes<T>;
  constexpr std::make_integer_sequence<int, n> lanes{};
  for (int stage = 1; stage < n; stage *= 2) {
    Vec<T> next[n];
#pragma GCC unroll 16
    for (int i = 0; i < n / 2; ++i) {
      next[2 * i] = detail::zip_low(rows[i], rows[i + n / 2], lanes);
      next[2 * i + 1] = detail::zip_high(rows[i], rows[i + n / 2], lanes);
    }
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) rows[i] = next[i];
  }
}

template <class T>
MC_INLINE T horizontal_sum(Vec<T> v) {
  T sum = 0;
  for (int i = 0; i < kLanes<T>; ++i) sum += v[i];
  return sum;
}

// Plain C++ of our own: templates of the standard library would be shared between the levels.
template <class A>
MC_INLINE A least(A a, A b) {
  return b < a ? b : a;
}
template <class A>
MC_INLINE A most(A a, A b) {
  return a < b ? b : a;
}

// A run of consecutive indices.
struct Range {
  int64_t first, last;
  int64_t size() const { return last - first; }
};

// Part `index` of `parts` nearly equal parts of [0, count).
MC_INLINE Range part_of(int64_t count, int64_t parts, int64_t index) {
  return {count * index / parts, count * (index + 1) / parts};
}

}  // namespace mc::MC_LEVEL

#endif
