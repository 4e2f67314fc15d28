// dW: the transposed product of what entered the weights with the gate gradients, chunk by chunk.
#ifndef MEMORYCELL_WEIGHT_GRADIENTS_H
#define MEMORYCELL_WEIGHT_GRADIENTS_H

#include "cells_backward.h"
#include "project.h"

namespace mc::MC_LEVEL {

// Whether `count` values are all zero, of either sign; stops early when they are not.
template <class T>
bool all_zero(const T* values, int64_t count) {
  constexpr int64_t kStretch = 8 * kLanes<T>;
  int64_t i = 0;
  for (; i + kStretch <= count; i += kStretch) {
    typename VectorOf<T>::bits any{};
#pragma GCC unroll 8
    for (int k = 0; k < 8; ++k) any |= (typename VectorOf<T>::bits)(load(values + i + k * kLanes<T>) != Vec<T>{});
    for (int lane = 0; lane < kLanes<T>; ++lane)
      if (any[lane]) return false;
  }
  for (; i < count; ++i)
    if (values[i] != 0) return false;
  return true;
}

// The layer normalisations of a step, back, and their parameters' gradients.
template <class T>
struct NormSums {
  T *gain_x, *gain_h;   // (G, units)
  T *gain_c, *bias_c;   // (units)

  static int64_t size(const Layer<T>& layer) { return layer.normed ? (2 * layer.gates + 2) * layer.units : 0; }

  void take(const Layer<T>& layer, Arena& arena) {
    gain_x = arena.take<T>(size(layer));
    gain_h = gain_x + layer.gates * layer.units;
    gain_c = gain_h + layer.gates * layer.units;
    bias_c = gain_c + layer.units;
  }

  void clear(const Layer<T>& layer) {
    for (int64_t i = 0; i < size(layer); ++i) gain_x[i] = 0;
  }

  void add(const Layer<T>& layer, const NormSums& other) {
    for (int64_t i = 0; i < size(layer); ++i) gain_x[i] += other.gain_x[i];
  }

  // The cell's: the gradient in step.dh, in place.
  void cell(const Layer<T>& layer, const BackwardStep<T>& step, const T* gain) {
    constexpr int kFirst[] = {0};
    for (int64_t b = step.rows.first; b < step.rows.last; ++b) {
      T* row = step.dh + (b - step.rows.first) * step.dh_row;
      normalise_backward<T>({layer, 0, 1, 0}, row, kFirst, row, kFirst, layer.deviations(step.s, b)[2], gain,
                            layer.reserved(step.s, b) + layer.slots.norm_c * kLanes<T>, layer.slots.count * kLanes<T>,
                            gain_c, bias_c);
    }
  }

  // The gates': from the gradients of the pre-activations, those of W_hh h first, which leave them as they are,
  // then those of W_ih x in their place.
  void gates(const Layer<T>& layer, const BackwardStep<T>& step, const T* gains_x, const T* gains_h) {
    const int64_t together = layer.gru ? 2 : layer.gates;
    recurrent(layer, step, 0, together, gains_h);
    if (layer.gru && !layer.reset_before) candidate(layer, step, gains_h);
    for (int64_t b = step.rows.first; b < step.rows.last; ++b) {
      const T* deviations = layer.deviations(step.s, b);
      const auto one = [&](int64_t first, int64_t count, T deviation) {
        T* row = step.gradients + (b - step.rows.first) * step.gradients_row;
        normalise_backward<T>({layer, first, count, 0}, row, layer.x_slot, row, layer.x_slot, deviation, gains_x,
                              layer.reserved(step.s, b) + layer.slots.norm_x * kLanes<T>, layer.slots.count * kLanes<T>,
                              gain_x, nullptr);
      };
      one(0, together, deviations[0]);
      if (layer.gru) one(2, 1, deviations[1]);
    }
  }

  // That of W_hh h in a GRU's candidate.
  void candidate(const Layer<T>& layer, const BackwardStep<T>& step, const T* gains_h) {
    recurrent(layer, step, 2, 1, gains_h);
  }

 private:
  // `count` gates of W_hh h that are normalised together.
  void recurrent(const Layer<T>& layer, const BackwardStep<T>& step, int64_t first, int64_t count, const T* gains) {
    const int64_t statistic = 1 + layer.gru + (first > 0);
    for (int64_t b = step.rows.first; b < step.rows.last; ++b) {
      T* row = step.gradients + (b - step.rows.first) * step.gradients_row;
      normalise_backward<T>({layer, first, count, 0}, row, layer.h_slot, row, layer.normed_slot,
                            layer.deviations(step.s, b)[statistic], gains,
                            layer.reserved(step.s, b) + layer.slots.norm_h * kLanes<T>, layer.slots.count * kLanes<T>,
                            gain_h, nullptr);
    }
  }
};

template <class T>
class WeightGradients {
 public:
  // `shared`: work on the same sums as another thread, which has other units.
  void take(const Layer<T>& layer, int64_t most, const WeightGradients* shared, Arena& arena) {
    width_ = layer.input + layer.outputs;
    pairs_ = (layer.blocks + 1) / 2;
    entered_ = arena.take<T>(most * width_);
    const int64_t gates = panel_at(layer.gates, 0);
    nested_pairs_ = layer.nested ? (layer.output_blocks + 1) / 2 : 0;
    sums_ = shared ? shared->sums_ : arena.take<T>(gates + nested_pairs_ * layer.hidden * kPanel<T>);
    nested_ = gates;
    // Odd in vectors, as the rows of gate gradients are.
    table_row_ = (layer.gates * layer.blocks + 1) * kLanes<T>;
    if (layer.run.tokens) table_ = shared ? shared->table_ : arena.take<T>(layer.run.vocabulary * table_row_);
    any_ = written_ = false;
  }

  T* table() const { return table_; }
  int64_t table_row() const { return table_row_; }

  void clear_table(const Layer<T>& layer, Range tokens) {
    for (int64_t i = tokens.first * table_row_; layer.run.tokens && i < tokens.last * table_row_; ++i) table_[i] = 0;
  }

  // Adds (x | h before)ᵀ · gradients of a chunk, for the units of some pairs of blocks.
  void add(const Layer<T>& layer, const Chunk& chunk, Range pairs, const T* gradients, int64_t gradients_row) {
    gather(layer, chunk);
    if (layer.run.tokens)
      each_row(layer, chunk, [&](int64_t s, int64_t b, int64_t index) {
        add_token(layer, *layer.tokens.at(layer.time_of(s), b), pairs, gradients + index * gradients_row);
      });
    else
      multiply(layer, layer.x_order, {0, layer.input}, entered_, width_, chunk.count, pairs, gradients, gradients_row,
               any_);
    multiply(layer, layer.h_order, {layer.input, width_}, entered_ + layer.input, width_, chunk.count, pairs, gradients,
             gradients_row, any_);
    if (layer.nested) multiply_nested(layer, gradients, gradients_row, chunk.count);
    any_ = true;
  }

  // Whether a backward pass is one chunk of one thread, whose products can go straight to where they belong: no
  // panels to sum up and turn round. A decoder's single steps are such.
  static bool fits_at_once(const Layer<T>& layer, int threads, int64_t chunk) {
    return threads == 1 && layer.rows <= chunk && !layer.run.tokens && !layer.nested &&
           layer.input % kPanel<T> == 0 && layer.outputs % kPanel<T> == 0;
  }

  // dw_ih and dw_hh from the only chunk: gradientsᵀ · (x | h before).
  void write_at_once(const Layer<T>& layer, const mc_gradients& wanted, const Chunk& chunk, const T* gradients,
                     int64_t gradients_row) {
    gather(layer, chunk);
    const auto put = [&](void* to, const GateOrder& order, const T* entered, int64_t columns) {
      for (int64_t k = 0; to && k < order.count; ++k) {
        TileArguments<T> t{};
        t.a = gradients + (order.first_slot + k) * layer.units, t.a_row = gradients_row;
        t.w = entered, t.w_row = width_, t.w_panel = kPanel<T>, t.k_count = chunk.count;
        t.c = static_cast<T*>(to) + order.gate[k] * layer.hidden * columns, t.c_row = columns, t.c_panel = kPanel<T>;
        product<T, true>(t, layer.hidden, columns / kPanel<T>);
      }
    };
    put(wanted.dw_ih, layer.x_order, entered_, layer.input);
    put(wanted.dw_hh, layer.h_order, entered_ + layer.input, layer.outputs);
    written_ = true;
  }

  bool written() const { return written_; }

  // Of tokens: the gradients of W_ih x, summed up by token, of all parts in the first of them.
  static void sum_tables(WeightGradients* const* parts, int count, Range tokens) {
    T* sum = parts[0]->table_;
    for (int i = 1; i < count; ++i)
      for (int64_t k = tokens.first * parts[0]->table_row_; k < tokens.last * parts[0]->table_row_; ++k)
        sum[k] += parts[i]->table_[k];
  }

  // … and their share in dw_ih: xᵀ · table.
  void add_table(const Layer<T>& layer, Range pairs) {
    multiply(layer, {0, layer.gates, {}}, {0, layer.input}, layer.x.data, layer.x.row, layer.run.vocabulary, pairs,
             table_, table_row_, false);
  }

  // Sums the parts and writes the rows of dw_ih and dw_hh that belong to some pairs of blocks.
  static void write(const Layer<T>& layer, const mc_gradients& wanted, WeightGradients* const* parts, int count,
                    Range pairs) {
    const Range x{0, layer.input}, h{layer.input, parts[0]->width_};
    for (int64_t k = 0; k < layer.gates; ++k)
      for (int64_t pair = pairs.first; pair < pairs.last; ++pair) {
        const int64_t at = parts[0]->panel_at(k, pair);
        const auto put = [&](void* to, int gate, const T* from, int64_t columns) {
          if (to) unpack(from, pair, layer.hidden, columns, static_cast<T*>(to) + gate * layer.hidden * columns);
        };
        put(wanted.dw_ih, layer.x_order.gate[k], layer.run.tokens ? parts[0]->sums_ + at : sum_of(parts, count, at, x),
            layer.input);
        if (k < layer.h_order.count)
          put(wanted.dw_hh, layer.h_order.gate[k], sum_of(parts, count, at, h) + h.first * kPanel<T>, layer.outputs);
      }
  }

  // The same of the second product's matrix, for part `index` of `of`.
  static void write_nested(const Layer<T>& layer, const mc_gradients& wanted, WeightGradients* const* parts, int count,
                           int64_t of, int64_t index) {
    const Range pairs = part_of(parts[0]->nested_pairs_, of, index);
    T* to = layer.nested_gradient(wanted);
    for (int64_t pair = pairs.first; to && pair < pairs.last; ++pair) {
      const int64_t at = parts[0]->nested_ + pair * layer.hidden * kPanel<T>;
      unpack(sum_of(parts, count, at, {0, layer.hidden}), pair, layer.outputs, layer.hidden, to);
    }
  }

 private:
  // Where the panel of a gate and pair of blocks stands in the sums.
  int64_t panel_at(int64_t k, int64_t pair) const { return (k * pairs_ + pair) * width_ * kPanel<T>; }

  // The rows of a matrix (height, columns) that belong to a panel.
  static void unpack(const T* panel, int64_t pair, int64_t height, int64_t columns, T* to) {
    for (int half = 0; half < 2; ++half) {
      const int64_t row = (2 * pair + half) * kLanes<T>, count = least<int64_t>(height - row, kLanes<T>);
      if (count > 0) unpack_transposed(panel + half * kLanes<T>, columns, to + row * columns, columns, count);
    }
  }

  // The rows `of` of the panel at `at`, all parts summed up in the first that has seen a gradient; zeros if none has.
  static T* sum_of(WeightGradients* const* parts, int count, int64_t at, Range of) {
    T* sum = nullptr;
    for (int i = 0; i < count; ++i) {
      if (!parts[i]->any_) continue;
      T* part = parts[i]->sums_ + at;
      for (int64_t j = of.first * kPanel<T>; sum && j < of.last * kPanel<T>; j += kLanes<T>)
        store(sum + j, load(sum + j) + load(part + j));
      if (!sum) sum = part;
    }
    if (sum) return sum;
    sum = parts[0]->sums_ + at;
    for (int64_t j = of.first * kPanel<T>; j < of.last * kPanel<T>; ++j) sum[j] = 0;
    return sum;
  }

  // What entered the weights in a chunk: x (but of tokens) and h before.
  void gather(const Layer<T>& layer, const Chunk& chunk) {
    each_row(layer, chunk, [&](int64_t s, int64_t b, int64_t index) {
      T* row = entered_ + index * width_;
      if (!layer.run.tokens) gather_x(layer, s, b, row);
      gather_h(layer, s, b, row + layer.input);
    });
  }

  // h before step s as it enters W_hh.
  void gather_h(const Layer<T>& layer, int64_t s, int64_t b, T* to) const {
    const T* h = layer.has_before(s, b) ? layer.out.at(layer.time_of(s - 1), b) : layer.h_0(b);
    if (!h) {
      for (int64_t i = 0; i < layer.outputs; ++i) to[i] = 0;
      return;
    }
    copy(h, layer.outputs, to);
    if (const T* keep = layer.keep_h(b)) mc::MC_LEVEL::multiply(to, keep, layer.outputs);
  }

  void add_token(const Layer<T>& layer, int64_t token, Range pairs, const T* gradients) {
    const int64_t first = pairs.first * kPanel<T>, last = least(pairs.last * kPanel<T>, layer.units);
    for (int64_t k = 0; k < layer.gates; ++k) {
      const T* from = gradients + (layer.x_order.first_slot + k) * layer.units;
      T* to = table_ + token * table_row_ + k * layer.units;
      for (int64_t u = first; u < last; u += kLanes<T>) store(to + u, load(to + u) + load(from + u));
    }
  }

  // Rows `of` of the sums: what entered, transposed, times the gradients; `add`: to what stands there.
  void multiply(const Layer<T>& layer, const GateOrder& order, Range of, const T* entered, int64_t entered_row,
                int64_t rows, Range pairs, const T* gradients, int64_t gradients_row, bool add) {
    for (int64_t k = 0; k < order.count; ++k) {
      TileArguments<T> t{};
      t.a = entered, t.a_row = entered_row;
      t.w = gradients + (order.first_slot + k) * layer.units + pairs.first * kPanel<T>;
      t.w_row = gradients_row, t.w_panel = kPanel<T>, t.k_count = rows;
      t.c = sums_ + panel_at(k, pairs.first) + of.first * kPanel<T>;
      t.c_row = kPanel<T>, t.c_panel = width_ * kPanel<T>;
      t.base = add ? t.c : nullptr, t.base_row = t.c_row;
      product<T, true>(t, of.size(), pairs.size());
    }
  }

  // What entered the second product, transposed, times its gradients.
  void multiply_nested(const Layer<T>& layer, const T* gradients, int64_t gradients_row, int64_t rows) {
    TileArguments<T> t{};
    t.a = gradients + layer.nested_operand_at, t.a_row = gradients_row;
    t.w = gradients + layer.nested_slope_at;
    t.w_row = gradients_row, t.w_panel = kPanel<T>, t.k_count = rows;
    t.c = sums_ + nested_;
    t.c_row = kPanel<T>, t.c_panel = layer.hidden * kPanel<T>;
    t.base = any_ ? t.c : nullptr, t.base_row = t.c_row;
    product<T, true>(t, layer.hidden, nested_pairs_);
  }

  int64_t width_ = 0, pairs_ = 0, nested_pairs_ = 0;
  T* entered_ = nullptr;  // (rows of a chunk, I + P)
  T* sums_ = nullptr;     // (G, pairs, I + P, 2 L), and from nested_ on (nested_pairs_, H, 2 L)
  int64_t nested_ = 0;
  T* table_ = nullptr;    // (vocabulary, table_row_)
  int64_t table_row_ = 0;
  bool any_ = false, written_ = false;
};

}  // namespace mc::MC_LEVEL

#endif
