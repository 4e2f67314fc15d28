// Bytes times bytes, for streams with weights of eight bits: sums of four products in one instruction, exact in
// integers (AVX-512 VNNI).
//
// Activations have sixteen bits, as two bytes: a = (256 · high + low - 2^15) · scale, where the scale is that of
// their row. Both bytes meet a weight once it is in a register; that costs next to nothing while a step waits for
// its weights to arrive, and keeps the rounding of the activations, 2^-16 of the largest, far below that of the
// weights.
#ifndef MEMORYCELL_DOTS_H
#define MEMORYCELL_DOTS_H

#include "narrow.h"

namespace mc::MC_LEVEL {

constexpr int kQuad = 4;  // products that an instruction adds up

inline int64_t quads_of(int64_t k_count) { return (k_count + kQuad - 1) / kQuad; }

// One row of A: bytes of all k, the high ones first, each part as long as split_length says.
struct SplitRow {
  const uint8_t *high, *low;
  float scale;
};

inline int64_t split_length(int64_t k_count) { return (k_count + kVectorBytes - 1) / kVectorBytes * kVectorBytes; }

// Operands of one tile of a row and P panels. Start, scale and base have a value for each column.
struct DotArguments {
  SplitRow a;
  const char* w;  // quad q of the first panel at w + q · w_row: four bytes of each column; the other panels behind it
  int64_t w_row;
  int64_t quads;
  const int32_t* start;  // -128 · Σ w: it makes the sums with the high bytes signed
  const float* scale;
  const float* base;  // null: zero
  float* c;
};

// The weights of one panel as quads, w_row bytes apart, and the start of each column.
inline void pack_dots(const float* panel, int64_t k_count, const float* scale, char* w, int64_t w_row, int32_t* start) {
  for (int j = 0; j < kPanel<float>; ++j) start[j] = 0;
  for (int64_t k = 0; k < quads_of(k_count) * kQuad; ++k)
    for (int j = 0; j < kPanel<float>; ++j) {
      const int weight = k < k_count ? Byte::rounded(panel[k * kPanel<float> + j], scale[j]) : 0;
      w[k / kQuad * w_row + j * kQuad + k % kQuad] = static_cast<char>(weight);
      start[j] -= 128 * weight;
    }
}

// `bytes`: room for both parts. Whatever is not finite makes the scale, and so all products, NaN.
inline SplitRow split(const float* a, int64_t k_count, uint8_t* bytes) {
  constexpr int L = kLanes<float>;
  constexpr float kMost = 32767.0f, kTiny = 1e-30f;
  constexpr float kRound = 12582912.0f;  // 1.5 · 2^23: adding it leaves the nearest integer in the low bits
  typedef uint8_t Bytes __attribute__((vector_size(L)));
  const auto each = [&](const auto& body) {
    for (int64_t k = 0; k < k_count; k += L) {
      const int lanes = static_cast<int>(least<int64_t>(L, k_count - k));
      body(k, load_first(a + k, lanes));
    }
  };
  Vec<float> largest{};
  each([&](int64_t, Vec<float> x) {
    const Vec<float> size = x < 0.0f ? -x : x;
    largest = ((size > largest) | (size != size)) ? size : largest;  // NaN stays
  });
  alignas(kVectorBytes) float lanes[L];
  store<float>(lanes, largest);
  for (int half = L / 2; half > 0; half /= 2)
    for (int i = 0; i < half; ++i) {
      const float other = lanes[i + half];
      lanes[i] = other > lanes[i] || other != other ? other : lanes[i];
    }
  const Vec<float> inverse = splat(lanes[0] > kTiny ? kMost / lanes[0] : 0.0f);
  uint8_t *high = bytes, *low = bytes + split_length(k_count);
  each([&](int64_t k, Vec<float> x) {
    const Words value = (Words)fma(x, inverse, splat(kRound)) - (0x4b400000 - 32768);
    const Bytes upper = __builtin_convertvector(value >> 8, Bytes), lower = __builtin_convertvector(value, Bytes);
    __builtin_memcpy(high + k, &upper, L);
    __builtin_memcpy(low + k, &lower, L);
  });
  return {high, low, lanes[0] / kMost};
}

#if defined(__AVX512F__)

// Whether products so deep can be computed here: a sum of 32 bits holds 66,000 products of bytes.
inline bool can_dot(int64_t k_count) { return k_count <= 65536 && __builtin_cpu_supports("avx512vnni"); }

template <int P>
__attribute__((target("avx512vnni"), noinline)) void dot_tile(const DotArguments& t) {
  constexpr int V = 2 * P, L = kLanes<float>;
  __m512i high[V], low[V];
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) {
    high[v] = _mm512_loadu_si512(t.start + v * L);
    low[v] = _mm512_setzero_si512();
  }
  const char* w = t.w;
  const int64_t w_row = t.w_row;
  for (int64_t q = 0; q < t.quads; ++q, w += w_row) {
    int32_t upper, lower;
    __builtin_memcpy(&upper, t.a.high + q * kQuad, kQuad);
    __builtin_memcpy(&lower, t.a.low + q * kQuad, kQuad);
    const __m512i a_high = _mm512_set1_epi32(upper), a_low = _mm512_set1_epi32(lower);
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) {
      const __m512i weight = _mm512_loadu_si512(w + v * kVectorBytes);
      high[v] = _mm512_dpbusd_epi32(high[v], a_high, weight);
      low[v] = _mm512_dpbusd_epi32(low[v], a_low, weight);
    }
  }
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) {
    const Vec<float> upper = __builtin_convertvector((Words)high[v], Vec<float>);
    const Vec<float> lower = __builtin_convertvector((Words)low[v], Vec<float>);
    const Vec<float> base = t.base ? load(t.base + v * L) : Vec<float>{};
    store(t.c + v * L, fma(fma(upper, splat(256.0f), lower), load(t.scale + v * L) * t.a.scale, base));
  }
}

#else

inline bool can_dot(int64_t) { return false; }
template <int P>
void dot_tile(const DotArguments&) {}

#endif

inline void dot_product(DotArguments t, int64_t panels) {
  const auto go_on = [&](int64_t by) {
    t.w += by * kPanel<float> * kQuad, t.c += by * kPanel<float>, panels -= by;
    t.start += by * kPanel<float>, t.scale += by * kPanel<float>;
    if (t.base) t.base += by * kPanel<float>;
  };
  while (panels >= 4) dot_tile<4>(t), go_on(4);
  while (panels >= 2) dot_tile<2>(t), go_on(2);
  while (panels > 0) dot_tile<1>(t), go_on(1);
}

}  // namespace mc::MC_LEVEL

#endif
