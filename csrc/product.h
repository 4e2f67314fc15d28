// The one product everything rests on: C[rows][32] = base + A[rows][K] · W[K][32], and the panels it reads.
//
// A panel is two vectors wide (32 columns of float32 at the level v4) and K deep, stored row after row. A tile
// keeps rows × 2 accumulators in registers while it walks down the panel, so that a weight is read once per
// tile and every value of A is broadcast to two multiply-adds.
//
// Order of summation: an output is base + block + block + …, where a block sums kBlock products one after the
// other, in the order of k. Blocks keep the rounding error from growing with K; the order depends on k alone,
// so that every tile shape, and hence every batch size and number of threads, gives the same bits.
#ifndef MEMORYCELL_PRODUCT_H
#define MEMORYCELL_PRODUCT_H

#include "vec.h"

namespace mc::MC_LEVEL {

constexpr int64_t kBlock = 256;

template <class T>
constexpr int64_t kPanel = 2 * kLanes<T>;

// Operands of one tile. Distances are in elements.
template <class T>
struct TileArguments {
  const T* a;         // A: value (r, k) at a[r · a_row + k], or transposed at a[k · a_row + r]
  int64_t a_row;
  const T* w;         // panel p at w + p · w_panel, its row k at + k · w_row
  int64_t w_row, w_panel;
  int64_t k_count;
  const T* base;      // what the sum starts from, laid out like C with its own row distance; null: zero
  int64_t base_row;   // 0: the same row for all
  T* c;               // row r of panel p at c + r · c_row + p · c_panel
  int64_t c_row, c_panel;
};

// R rows by P panels.
template <class T, int R, int P, bool kTransposed>
__attribute__((noinline)) void tile(const TileArguments<T>& t) {
  constexpr int V = 2 * P, L = kLanes<T>;
  const T* base = t.base;
  int64_t base_row = t.base_row, base_panel = t.c_panel;
  for (int64_t k0 = 0; k0 == 0 || k0 < t.k_count; k0 += kBlock) {
    Vec<T> sum[R][V];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) sum[r][v] = Vec<T>{};
    const int64_t a_row = t.a_row, w_row = t.w_row, w_panel = t.w_panel;
    // A pointer to every fourth row: base + row · {1, 2, 3} are one address each, so that none is spilled.
    const T* a[(R + 3) / 4];
#pragma GCC unroll 4
    for (int i = 0; i < (R + 3) / 4; ++i) a[i] = t.a + (kTransposed ? k0 * a_row + 4 * i : k0 + 4 * i * a_row);
    const T* w = t.w + k0 * w_row;
    const T* const end = w + least(t.k_count - k0, kBlock) * w_row;
    while (w != end) {
      Vec<T> weight[V];
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) weight[v] = load(w + (v / 2) * w_panel + (v % 2) * L);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const Vec<T> x = splat(a[r / 4][kTransposed ? r % 4 : r % 4 * a_row]);
#pragma GCC unroll 8
        for (int v = 0; v < V; ++v) sum[r][v] = fma(x, weight[v], sum[r][v]);
      }
#pragma GCC unroll 4
      for (int i = 0; i < (R + 3) / 4; ++i) a[i] += kTransposed ? a_row : 1;
      w += w_row;
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) {
        T* c = t.c + r * t.c_row + (v / 2) * t.c_panel + (v % 2) * L;
        if (base) sum[r][v] += load(base + r * base_row + (v / 2) * base_panel + (v % 2) * L);
        store(c, sum[r][v]);
      }
    base = t.c, base_row = t.c_row;
  }
}

// A matrix in panels.
template <class T>
struct Panels {
  const T* at;
  int64_t row, panel;  // distances, as of TileArguments::w

  void from(int64_t first, TileArguments<T>& t) const { t.w = at + first * panel, t.w_row = row, t.w_panel = panel; }
};

template <class T>
using Tile = void (*)(const TileArguments<T>&);

namespace detail {
template <class T, bool kTransposed, int... R>
constexpr Tile<T> tile_of_rows(int rows, std::integer_sequence<int, R...>) {
  Tile<T> found = nullptr;
  ((R + 1 == rows ? void(found = tile<T, R + 1, 1, kTransposed>) : void()), ...);
  return found;
}
template <class T, bool kTransposed>
struct Tiles {
  Tile<T> of_rows[kTileRows + 1] = {};
  constexpr Tiles() {
    for (int r = 1; r <= kTileRows; ++r)
      of_rows[r] = tile_of_rows<T, kTransposed>(r, std::make_integer_sequence<int, kTileRows>{});
  }
};
template <class T, bool kTransposed>
constexpr Tiles<T, kTransposed> kTiles{};
}  // namespace detail

// Panels that a tile of few rows takes at once: one or two chains of multiply-adds would wait for each other.
MC_INLINE int panels_at_once(int64_t rows) { return rows == 1 ? 4 : rows == 2 ? 2 : 1; }

// C = base + A · W for any number of rows and panels, tile by tile; `base` and C as in TileArguments, for the
// first row and panel. Rows are split into nearly equal tiles. `t` is used up: a copy of it would be read back in
// wider pieces than it was written in, which stalls the processor.
template <class T, bool kTransposed = false>
void product(TileArguments<T>& t, int64_t rows, int64_t panels) {
  const int64_t blocks = (rows + kTileRows - 1) / kTileRows;
  const int at_once = kTransposed ? 1 : panels_at_once(rows);
  const int64_t a_row = kTransposed ? 1 : t.a_row;
  const T *const a = t.a, *w = t.w, *base = t.base;
  T* c = t.c;
  for (int64_t p = 0; p < panels;) {
    const int n = panels - p >= at_once ? at_once : 1;
    int64_t first = 0;
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t count = (rows - first) / (blocks - b);
      t.a = a + first * a_row;
      t.w = w;
      t.c = c + first * t.c_row;
      t.base = base ? base + first * t.base_row : nullptr;
      if (n == 4)
        tile<T, 1, 4, false>(t);
      else if (n == 2)
        tile<T, 2, 2, false>(t);
      else
        detail::kTiles<T, kTransposed>.of_rows[count](t);
      first += count;
    }
    p += n;
    w += n * t.w_panel;
    c += n * t.c_panel;
    if (base) base += n * t.c_panel;
  }
}

// ---- Packing: weights into panels ----

// Vector `half` of a panel from `count` rows of a matrix, transposed: value (k, lane) = w[lane · w_row + k].
// panel: where the vector's first value goes; its row distance is kPanel.
template <class T>
void pack_transposed(const T* w, int64_t w_row, int64_t count, int64_t k_count, T* panel) {
  constexpr int L = kLanes<T>;
  for (int64_t k = 0; k < k_count; k += L) {
    const int deep = static_cast<int>(least<int64_t>(L, k_count - k));
    Vec<T> square[L];
    for (int i = 0; i < L; ++i) square[i] = i < count ? load_first(w + i * w_row + k, deep) : Vec<T>{};
    transpose<T>(square);
    for (int i = 0; i < deep; ++i) store(panel + (k + i) * kPanel<T>, square[i]);
  }
}

// The way back, adding nothing: w[lane · w_row + k] = value (k, lane), for the first `count` lanes.
template <class T>
void unpack_transposed(const T* panel, int64_t k_count, T* w, int64_t w_row, int64_t count) {
  constexpr int L = kLanes<T>;
  for (int64_t k = 0; k < k_count; k += L) {
    const int deep = static_cast<int>(least<int64_t>(L, k_count - k));
    Vec<T> square[L];
    for (int i = 0; i < L; ++i) square[i] = i < deep ? load(panel + (k + i) * kPanel<T>) : Vec<T>{};
    transpose<T>(square);
    for (int i = 0; i < count; ++i) store_first(w + i * w_row + k, square[i], deep);
  }
}

// One row of a panel from `count` consecutive values, the rest zero.
template <class T>
MC_INLINE void pack_row(const T* from, int64_t count, T* to) {
  constexpr int L = kLanes<T>;
  store(to, load_first(from, static_cast<int>(most<int64_t>(count, 0))));
  store(to + L, count > L ? load_first(from + L, static_cast<int>(count - L)) : Vec<T>{});
}

}  // namespace mc::MC_LEVEL

#endif
