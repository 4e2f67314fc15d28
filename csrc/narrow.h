// Weights of fewer bits, for streams: C = base + A · W with A in float32 and W in bfloat16 or in bytes.
//
// A step of a stream reads every weight once, so that its time is the time to bring the weights from the cache:
// half or a quarter of the bytes is what narrow weights are for. Sums are in float32 and in the order of
// product.h, or exact in integers: either way the bits do not depend on the number of rows.
#ifndef MEMORYCELL_NARROW_H
#define MEMORYCELL_NARROW_H

#include "product.h"

namespace mc::MC_LEVEL {

// Operands of one tile. Scale and base have a value for each column.
struct NarrowArguments {
  const float* a;  // A: value (r, k) at a[r · a_row + k]
  int64_t a_row;
  const char* w;   // row k of the first panel at w + k · w_row, those of the other panels right behind it
  int64_t w_row;   // bytes
  int64_t k_count;
  const float* scale;  // of bytes; else null
  const float* base;   // the same for all rows; null: zero
  float* c;            // row r at c + r · c_row
  int64_t c_row;
};

using Words = VectorOf<float>::bits;

// A row of a panel: lane j of its one vector holds column j in the lower and column L + j in the upper half.
struct Bfloat16 {
  static constexpr int kRow = kVectorBytes;

  static MC_INLINE void expand(const char* w, Vec<float> (&to)[2]) {
    const Words both = (Words)load(reinterpret_cast<const float*>(w));
    to[0] = (Vec<float>)(both << 16);
    to[1] = (Vec<float>)(both & static_cast<int32_t>(0xffff0000));
  }

  static void pack_row(const float* panel, char* to) {
    constexpr int L = kLanes<float>;
    uint32_t words[L];
    for (int j = 0; j < L; ++j) words[j] = rounded(panel[j]) | rounded(panel[L + j]) << 16;
    __builtin_memcpy(to, words, sizeof words);
  }

  // The nearest bfloat16, ties to even; NaN stays NaN.
  static uint32_t rounded(float value) {
    if (value != value) return 0x7fc0;
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  }
};

// A row of a panel: a byte for each column, in order. A weight is the byte times the scale of its column.
struct Byte {
  static constexpr int kRow = 2 * kLanes<float>;

  static MC_INLINE void expand(const char* w, Vec<float> (&to)[2]) {
    typedef int8_t Bytes __attribute__((vector_size(kLanes<float>)));
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      Bytes bytes;
      __builtin_memcpy(&bytes, w + half * kLanes<float>, sizeof bytes);
      to[half] = __builtin_convertvector(__builtin_convertvector(bytes, Words), Vec<float>);
    }
  }

  static void pack_row(const float* panel, const float* scale, char* to) {
    for (int j = 0; j < kRow; ++j) to[j] = static_cast<char>(rounded(panel[j], scale[j]));
  }

  static int8_t rounded(float value, float scale) {
    return scale > 0 ? static_cast<int8_t>(__builtin_lrintf(value / scale)) : int8_t(0);
  }
};

// Of each column of a panel a 127th of its largest weight; NaN if one is NaN.
inline void column_scales(const float* panel, int64_t k_count, float* scale) {
  constexpr int kColumns = kPanel<float>;
  for (int j = 0; j < kColumns; ++j) scale[j] = 0;
  for (int64_t k = 0; k < k_count; ++k, panel += kColumns)
    for (int j = 0; j < kColumns; ++j) {
      const float size = __builtin_fabsf(panel[j]);
      if (size > scale[j] || size != size) scale[j] = size;
    }
  for (int j = 0; j < kColumns; ++j) scale[j] /= 127;
}

// R rows by P panels, the weights made float32 in registers.
template <class W, int R, int P>
__attribute__((noinline)) void narrow_tile(const NarrowArguments& t) {
  constexpr int V = 2 * P, L = kLanes<float>;
  Vec<float> total[R][V];
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) total[r][v] = t.base ? load(t.base + v * L) : Vec<float>{};
  const char* w = t.w;
  for (int64_t k0 = 0; k0 < t.k_count; k0 += kBlock) {
    const int64_t last = least(k0 + kBlock, t.k_count), w_row = t.w_row, a_row = t.a_row;
    const float* a = t.a;
    Vec<float> sum[R][V] = {};
    for (int64_t k = k0; k < last; ++k, w += w_row) {
#pragma GCC unroll 4
      for (int p = 0; p < P; ++p) {
        Vec<float> weight[2];
        W::expand(w + p * W::kRow, weight);
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
          for (int half = 0; half < 2; ++half)
            sum[r][2 * p + half] = fma(splat(a[r * a_row + k]), weight[half], sum[r][2 * p + half]);
      }
    }
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v)
        total[r][v] = t.scale ? fma(sum[r][v], load(t.scale + v * L), total[r][v]) : total[r][v] + sum[r][v];
  }
#pragma GCC unroll 4
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) store(t.c + r * t.c_row + v * L, total[r][v]);
}

// P panels for any number of rows, R at a time.
template <class W, int R, int P>
void narrow_rows(NarrowArguments t, int64_t rows) {
  for (; rows >= R; rows -= R, t.a += R * t.a_row, t.c += R * t.c_row) narrow_tile<W, R, P>(t);
  if constexpr (R > 1) narrow_rows<W, 1, P>(t, rows);
}

template <class W>
void narrow_product(NarrowArguments t, int64_t rows, int64_t panels) {
  const auto go_on = [&](int64_t by) {
    t.w += by * W::kRow, t.c += by * kPanel<float>, panels -= by;
    if (t.scale) t.scale += by * kPanel<float>;
    if (t.base) t.base += by * kPanel<float>;
  };
  while (rows == 1 && panels >= 4) narrow_rows<W, 1, 4>(t, rows), go_on(4);
  while (rows < 4 && panels >= 2) narrow_rows<W, 2, 2>(t, rows), go_on(2);
  while (panels > 0) narrow_rows<W, 4, 1>(t, rows), go_on(1);
}

}  // namespace mc::MC_LEVEL

#endif
