// What depends on x alone: gathering its rows, and W_ih x for all steps of a chunk.
#ifndef MEMORYCELL_PROJECT_H
#define MEMORYCELL_PROJECT_H

#include "norm.h"

namespace mc::MC_LEVEL {

// Steps [first, last) of the rows that a thread works on, rows numbered step after step.
struct Chunk {
  Range steps, rows;
  int64_t count = 0;  // (step, row) pairs
};

// Rows of `rows` that have step s.
template <class T>
Range present(const Layer<T>& layer, Range rows, int64_t s) {
  return {least(rows.first, layer.count_at[s]), least(rows.last, layer.count_at[s])};
}

// Steps from `first` on (or back from it, `backwards`) until they hold about `wanted` rows.
template <class T>
Chunk chunk_from(const Layer<T>& layer, Range rows, int64_t first, int64_t wanted, bool backwards) {
  Chunk chunk{{first, first}, rows, 0};
  while (chunk.count < wanted && (backwards ? chunk.steps.first > 0 : chunk.steps.last < layer.steps)) {
    const int64_t s = backwards ? --chunk.steps.first : chunk.steps.last++;
    chunk.count += present(layer, rows, s).size();
  }
  return chunk;
}

// The most rows that a chunk can hold.
template <class T>
int64_t most_rows(const Layer<T>& layer, int64_t rows, int64_t wanted) {
  return least(wanted + rows, layer.steps * rows);
}

// Calls body(s, b, index) for every row of a chunk.
template <class T, class Body>
MC_INLINE void each_row(const Layer<T>& layer, const Chunk& chunk, const Body& body) {
  int64_t index = 0;
  for (int64_t s = chunk.steps.first; s < chunk.steps.last; ++s) {
    const Range rows = present(layer, chunk.rows, s);
    for (int64_t b = rows.first; b < rows.last; ++b) body(s, b, index++);
  }
}

template <class T>
MC_INLINE void copy(const T* from, int64_t count, T* to) {
  __builtin_memcpy(to, from, static_cast<size_t>(count) * sizeof(T));
}

template <class T>
void multiply(T* values, const T* by, int64_t count) {
  for (int64_t i = 0; i < count; ++i) values[i] *= by[i];
}

// The row of x that enters W_ih at step s, masked, into `to`.
template <class T>
void gather_x(const Layer<T>& layer, int64_t s, int64_t b, T* to) {
  const int64_t t = layer.time_of(s);
  copy(layer.x.at(t, b), layer.input, to);
  if (layer.x_mask) multiply(to, layer.x_mask.at(t, b), layer.input);
}

// W_ih, and all that is added to its product.
template <class T>
struct Projection {
  T* panels;        // (panels, I, 2 L)
  T* bias;          // (columns); normalised: null
  T* table;         // (vocabulary, columns) of tokens, or null
  const T *gain, *shift;  // (G, units), normalised

  // Columns of the panels [of.first, of.last), for `rows` rows of x.
  void operator()(const Layer<T>& layer, const T* x, int64_t x_row, int64_t rows, Range of, T* gx) const {
    TileArguments<T> t{};
    t.a = x, t.a_row = x_row;
    t.w = panels + of.first * layer.input * kPanel<T>;
    t.w_row = kPanel<T>, t.w_panel = layer.input * kPanel<T>;
    t.k_count = layer.input;
    t.base = bias ? bias + of.first * kPanel<T> : nullptr;
    t.c = gx + of.first * kPanel<T>;
    t.c_row = layer.columns, t.c_panel = kPanel<T>;
    product<T>(t, rows, of.size());
  }

  // Replaces W_ih x of a row by its normalisation; kept: the row's reserve, or null. The statistics of a GRU's
  // r and z are apart from those of n.
  void normalise_row(const Layer<T>& layer, T* gx, T* kept, T* deviations) const {
    normalise_gates(layer, gx, gain, shift, kept ? kept + layer.slots.norm_x * kLanes<T> : nullptr, deviations);
  }
};

// Normalises the gates of one row, laid out by block, then gate.
template <class T>
void normalise_gates(const Layer<T>& layer, T* values, const T* gain, const T* bias, T* kept, T* deviations) {
  const int64_t stride = layer.gates * kLanes<T>, kept_stride = layer.slots.count * kLanes<T>;
  const int64_t together = layer.gru ? 2 : layer.gates;
  T found[2];
  found[0] = normalise<T>({layer, 0, together, stride}, values, gain, bias, kept, kept_stride);
  found[1] = layer.gru ? normalise<T>({layer, 2, 1, stride}, values, gain, bias, kept, kept_stride) : T(0);
  if (deviations)
    for (int64_t i = 0; i < 1 + layer.gru; ++i) deviations[i] = found[i];
}

}  // namespace mc::MC_LEVEL

#endif
