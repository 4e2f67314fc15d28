// The weights of one product of a stream: panels as they are, of bfloat16, or of bytes with a scale a column.
//
// Panels stand in groups whose rows lie side by side: what a step reads is one run through memory.
#ifndef MEMORYCELL_STREAM_WEIGHTS_H
#define MEMORYCELL_STREAM_WEIGHTS_H

#include "memorycell.h"
#include "dots.h"

namespace mc::MC_LEVEL {

constexpr int64_t kLine = 64;  // bytes of a cache line

// One block of memory, given out in pieces aligned to a cache line; without a block it only counts.
class Pieces {
 public:
  explicit Pieces(char* block) : block_(block) {}

  template <class T>
  T* take(int64_t count) {
    T* piece = block_ ? reinterpret_cast<T*>(block_ + used_) : nullptr;
    used_ += (count * static_cast<int64_t>(sizeof(T)) + kLine - 1) / kLine * kLine;
    return piece;
  }
  int64_t used() const { return used_; }

 private:
  char* block_;
  int64_t used_ = 0;
};

template <class T>
class StreamWeights {
 public:
  StreamWeights(int64_t kind, int64_t panels, int64_t deep)
      : kind_(kind), panels_(panels), deep_(deep), dots_(kind == MC_INT8 && can_dot(deep)) {
    rows_ = dots_ ? quads_of(deep) : deep;
    const int64_t bytes = dots_ ? kQuad : kind == MC_INT8 ? 1 : kind == MC_BFLOAT16 ? 2 : sizeof(T);
    panel_row_ = kPanel<T> * bytes;
  }

  void place(Pieces& pieces) {
    weights_ = pieces.take<char>(panels_ * rows_ * panel_row_);
    if (kind_ == MC_INT8) scale_ = pieces.take<float>(panels_ * kPanel<T>);
    if (dots_) {
      start_ = pieces.take<int32_t>(panels_ * kPanel<T>);
      bytes_ = pieces.take<uint8_t>(2 * split_length(deep_));
    }
  }

  // From the panels of a forward pass.
  void pack(const T* panels) {
    for (int64_t p = 0; p < panels_; ++p, panels += deep_ * kPanel<T>) {
      if constexpr (kNarrow) {
        float* scale = scale_ + p * kPanel<T>;
        if (kind_ == MC_INT8) column_scales(panels, deep_, scale);
        if (dots_)
          pack_dots(panels, deep_, scale, row(0, p), row_distance(p), start_ + p * kPanel<T>);
        else if (kind_ != MC_AS_GIVEN)
          for (int64_t k = 0; k < deep_; ++k) {
            const float* from = panels + k * kPanel<T>;
            kind_ == MC_INT8 ? Byte::pack_row(from, scale, row(k, p)) : Bfloat16::pack_row(from, row(k, p));
          }
        if (kind_ != MC_AS_GIVEN) continue;
      }
      for (int64_t k = 0; k < deep_; ++k)
        __builtin_memcpy(row(k, p), panels + k * kPanel<T>, static_cast<size_t>(panel_row_));
    }
  }

  // C = base + A · W for A of `rows` rows; `base`: a row for all, or null. Rows of A and C as in TileArguments.
  void multiply(const T* a, int64_t a_row, int64_t rows, const T* base, T* c, int64_t c_row) const {
    if constexpr (kNarrow) {
      if (dots_) return multiply_dots(a, a_row, rows, base, c, c_row);
      if (kind_ != MC_AS_GIVEN) return multiply_narrow(a, a_row, rows, base, c, c_row);
    }
    for (int64_t p = 0; p < panels_; p += kGroup) {
      TileArguments<T> t{};
      t.a = a, t.a_row = a_row;
      t.w = reinterpret_cast<const T*>(row(0, p)), t.w_row = group_at(p) * kPanel<T>, t.w_panel = kPanel<T>;
      t.k_count = deep_;
      t.base = base ? base + p * kPanel<T> : nullptr;
      t.c = c + p * kPanel<T>, t.c_row = c_row, t.c_panel = kPanel<T>;
      if (rows == 1 && group_at(p) == 2)
        tile<T, 1, 2, false>(t);  // product() would take them one by one
      else
        product<T>(t, rows, group_at(p));
    }
  }

 private:
  static constexpr bool kNarrow = sizeof(T) == sizeof(float);
  static constexpr int64_t kGroup = 4;  // panels

  int64_t group_at(int64_t p) const { return least(kGroup, panels_ - p / kGroup * kGroup); }
  int64_t row_distance(int64_t p) const { return group_at(p) * panel_row_; }
  char* row(int64_t k, int64_t p) const {
    const int64_t group = p / kGroup * kGroup;
    return weights_ + group * rows_ * panel_row_ + k * row_distance(p) + (p - group) * panel_row_;
  }

  void multiply_narrow(const float* a, int64_t a_row, int64_t rows, const float* base, float* c,
                       int64_t c_row) const {
    for (int64_t p = 0; p < panels_; p += kGroup) {
      const int64_t column = p * kPanel<float>;
      NarrowArguments t{};
      t.a = a, t.a_row = a_row;
      t.w = row(0, p), t.w_row = row_distance(p), t.k_count = deep_;
      t.scale = scale_ ? scale_ + column : nullptr, t.base = base ? base + column : nullptr;
      t.c = c + column, t.c_row = c_row;
      kind_ == MC_INT8 ? narrow_product<Byte>(t, rows, group_at(p)) : narrow_product<Bfloat16>(t, rows, group_at(p));
    }
  }

  void multiply_dots(const float* a, int64_t a_row, int64_t rows, const float* base, float* c, int64_t c_row) const {
    for (int64_t r = 0; r < rows; ++r) {
      DotArguments t{};
      t.a = split(a + r * a_row, deep_, bytes_);
      for (int64_t p = 0; p < panels_; p += kGroup) {
        const int64_t column = p * kPanel<float>;
        t.w = row(0, p), t.w_row = row_distance(p), t.quads = rows_;
        t.start = start_ + column, t.scale = scale_ + column, t.base = base ? base + column : nullptr;
        t.c = c + r * c_row + column;
        dot_product(t, group_at(p));
      }
    }
  }

  int64_t kind_, panels_, deep_;
  bool dots_;           // int8: products with bytes, four rows of a panel as one
  int64_t rows_, panel_row_;  // of a panel; bytes of one
  char* weights_ = nullptr;
  float* scale_ = nullptr;    // int8: of each column
  int32_t* start_ = nullptr;  // dots: of each column
  uint8_t* bytes_ = nullptr;  // dots: a row of A
};

}  // namespace mc::MC_LEVEL

#endif
