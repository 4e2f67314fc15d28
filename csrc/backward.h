// Backward: through time, and in the same call the products that need every gate gradient.
//
// Steps go backwards in chunks of some hundred rows. Within a chunk, step by step: the tile of gate gradients
// of the later step times W_hh, then the cell's pointwise half. After it, while the chunk's gate gradients are
// hot: dx = gradients · W_ih, and dW += (x | h before)ᵀ · gradients.
//
// A gradient that has travelled a few hundred steps falls below the smallest normal number and is flushed to
// zero. From there on nothing is left to compute: a step whose incoming gradients are all exactly zero is dead.
#ifndef MEMORYCELL_BACKWARD_H
#define MEMORYCELL_BACKWARD_H

#include "cells_backward.h"
#include "flush.h"
#include "weight_gradients.h"

namespace mc::MC_LEVEL {

constexpr int64_t kBackwardChunk = 256;

template <class T>
class BackwardPass {
 public:
  BackwardPass(const mc_run& run, const mc_gradients& wanted) : layer_(run), wanted_(wanted) {}

  int operator()(Arena& arena, int64_t threads) {
    if (!layer_.prepare(arena)) return MC_NO_MEMORY;
    share_ = share_of(layer_, threads);
    if (!take_memory(arena)) return MC_NO_MEMORY;
    in_team(share_.threads, [&](const Worker& worker) { work(worker); });
    return MC_OK;
  }

 private:
  struct Scratch {
    T* gradients[2];  // of this chunk and the one before, in turn
    T *dh, *dx;
    Sums<T> sums;
    NormSums<T> norms;
    WeightGradients<T> weights;
  };

  bool take_memory(Arena& arena) {
    const mc_run& run = layer_.run;
    const int64_t batch = layer_.batch, units = layer_.units;
    carried_.c = layer_.lstm ? arena.take<T>(batch * units) : nullptr;
    carried_.h = arena.take<T>(batch * layer_.output_units);
    carried_.c_0 = c_0_ = layer_.lstm ? arena.take<T>(batch * units) : nullptr;
    carried_.h_0 = h_0_ = layer_.gru ? arena.take<T>(batch * units) : nullptr;
    carried_.dout = {static_cast<const T*>(wanted_.dout), wanted_.dout_time, wanted_.dout_row, layer_.out.first,
                     layer_.place};
    const int64_t peepholes = run.coupled ? 2 : 3;
    const T* w_ch = layer_.pad(run.w_ch, peepholes, arena);
    carried_.peephole_i = w_ch;
    carried_.peephole_f = w_ch ? w_ch + units : nullptr;
    carried_.peephole_o = w_ch ? w_ch + (peepholes - 1) * units : nullptr;
    carried_.cell_gain = cell_gain_ = layer_.pad(run.norm_ch_gain, 1, arena);
    carried_.cell_shift = layer_.pad(run.norm_ch_bias, 1, arena);
    gain_x_ = layer_.pad(run.norm_ih_gain, layer_.gates, arena);
    gain_h_ = layer_.pad(run.norm_hh_gain, layer_.gates, arena);

    deep_ = layer_.gates * units;
    recurrent_deep_ = layer_.h_order.count * units;
    pairs_ = (layer_.blocks + 1) / 2;
    output_pairs_ = (layer_.output_blocks + 1) / 2;
    input_panels_ = wanted_.dx ? (layer_.input + kPanel<T> - 1) / kPanel<T> : 0;
    recurrent_ = arena.take<T>(output_pairs_ * recurrent_deep_ * kPanel<T>);
    nested_ = layer_.nested ? arena.take<T>(pairs_ * layer_.outputs * kPanel<T>) : nullptr;
    projection_ = arena.take<T>(input_panels_ * deep_ * kPanel<T>);
    recurrent_lies_ = lies_in_panels(layer_.outputs, layer_.h_order);
    projection_lies_ = lies_in_panels(layer_.input, layer_.x_order);
    recurrent_panels_ = recurrent_lies_ ? Panels<T>{static_cast<const T*>(run.w_hh), layer_.outputs, kPanel<T>}
                                        : Panels<T>{recurrent_, kPanel<T>, recurrent_deep_ * kPanel<T>};
    projection_panels_ = projection_lies_ ? Panels<T>{static_cast<const T*>(run.w_ih), layer_.input, kPanel<T>}
                                          : Panels<T>{projection_, kPanel<T>, deep_ * kPanel<T>};
    gradients_row_ = layer_.gradients_row;
    tile_rows_ = layer_.rowwise && batch ? batch : kTileRows;
    dh_row_ = (layer_.rowwise ? most<int64_t>(pairs_, 4) : 4) * kPanel<T>;
    const int64_t chunk_rows = most_rows(layer_, batch, kBackwardChunk);
    for (int i = 0; i < share_.threads; ++i) {
      Scratch& s = scratch_[i];
      const bool shared = !share_.by_rows && i > 0;
      for (int k = 0; k < 2; ++k)
        s.gradients[k] = shared ? scratch_[0].gradients[k] : arena.take<T>(chunk_rows * gradients_row_);
      s.dh = arena.take<T>(most<int64_t>(tile_rows_, kTileRows) * dh_row_);
      s.dx = arena.take<T>((chunk_rows + kTileRows) * input_panels_ * kPanel<T>);
      s.sums.bias = arena.take<T>(layer_.gradient_slots * units);
      s.sums.peephole = arena.take<T>(3 * units);
      s.norms.take(layer_, arena);
      s.weights.take(layer_, chunk_rows, shared ? &scratch_[0].weights : nullptr, arena);
    }
    return !arena.failed();
  }

  // Rows of a weight matrix are rows of its panels, k after k, where no unit and no column is padded and gates keep
  // their order. Read once or twice, it is not worth copying.
  bool lies_in_panels(int64_t width, const GateOrder& order) const {
    bool in_order = layer_.units == layer_.hidden && width % kPanel<T> == 0 && layer_.steps <= 2;
    for (int k = 0; k < order.count; ++k) in_order = in_order && order.gate[k] == k;
    return in_order;
  }

  void work(const Worker& worker) {
    const Flushing flushing;
    const Range rows = rows_of(layer_, worker, share_.by_rows);
    const bool split = !share_.by_rows && worker.count > 1;
    const Range pairs = split ? part_of(pairs_, worker.count, worker.index) : Range{0, pairs_};
    Scratch& scratch = scratch_[worker.index];
    start(rows, pairs, scratch);
    scratch.weights.clear_table(layer_, split ? part_of(layer_.run.vocabulary, worker.count, worker.index)
                                              : Range{0, layer_.run.vocabulary});
    if (!recurrent_lies_)
      layer_.pack_columns(layer_.run.w_hh, layer_.outputs, layer_.h_order,
                          split ? pairs : part_of(output_pairs_, worker.count, worker.index), recurrent_);
    if (layer_.nested) layer_.pack_nested_columns(part_of(pairs_, worker.count, worker.index), nested_);
    if (!projection_lies_)
      layer_.pack_columns(layer_.run.w_ih, layer_.input, layer_.x_order,
                          part_of(input_panels_, worker.count, worker.index), projection_);
    worker.meet();

    T* later = nullptr;  // gate gradients of the step after
    int turn = 0;
    for (int64_t s = layer_.steps; s > 0; turn ^= 1) {
      const Chunk chunk = chunk_from(layer_, rows, s, kBackwardChunk, true);
      T* row = scratch.gradients[turn] + chunk.count * gradients_row_;
      while (s > chunk.steps.first) {
        --s;
        row -= present(layer_, rows, s).size() * gradients_row_;
        step(s, rows, pairs, later, row, scratch);
        later = row;
        if (split) worker.meet();
      }
      finish_chunk(chunk, pairs, worker, split, scratch.gradients[turn], scratch);
    }
    retire(present(layer_, rows, 0), pairs, later, scratch);
    finish(rows, pairs);
    worker.meet();
    finish_weights(worker, split);
  }

  // Of tokens: from the gradients summed up by token to dx and to dw_ih.
  void finish_tokens(const Worker& worker, WeightGradients<T>* const* parts, bool split) {
    const Range tokens = part_of(layer_.run.vocabulary, worker.count, worker.index);
    if (!split) WeightGradients<T>::sum_tables(parts, worker.count, tokens);
    worker.meet();
    const T* table = parts[0]->table();
    const int64_t row = parts[0]->table_row(), width = input_panels_ * kPanel<T>;
    T* dx = scratch_[worker.index].dx;
    for (int64_t token = tokens.first; wanted_.dx && token < tokens.last; token += kTileRows) {
      const int64_t count = least<int64_t>(kTileRows, tokens.last - token);
      multiply_projection(table + token * row, row, count, dx);
      for (int64_t r = 0; r < count; ++r) {
        T* to = static_cast<T*>(wanted_.dx) + (token + r) * wanted_.dx_row;
        const T* from = dx + r * width;
        for (int64_t i = 0; i < layer_.input; ++i) to[i] = wanted_.dx_add ? to[i] + from[i] : from[i];
      }
    }
    parts[0]->add_table(layer_, part_of(pairs_, worker.count, worker.index));
    worker.meet();
  }

  // Zero sums, and the gradients of the final state.
  void start(Range rows, Range pairs, Scratch& scratch) {
    const auto clear = [](T* values, int64_t count) {
      for (int64_t i = 0; i < count; ++i) values[i] = 0;
    };
    clear(scratch.sums.bias, layer_.gradient_slots * layer_.units);
    clear(scratch.sums.peephole, 3 * layer_.units);
    scratch.norms.clear(layer_);
    const auto put = [&](T* to, const void* values, Range of, int64_t width, int64_t padded) {
      const T* from = static_cast<const T*>(values);
      for (int64_t b = rows.first; to && b < rows.last; ++b)
        for (int64_t unit = of.first; unit < of.last; unit += kLanes<T>) {
          const int lanes = static_cast<int>(least<int64_t>(kLanes<T>, width - unit));
          store(to + b * padded + unit, from ? load_first(from + layer_.place[b] * width + unit, lanes) : Vec<T>{});
        }
    };
    const Range units = units_of(pairs), of_h = output_units_of(pairs);
    put(carried_.h, wanted_.dh_n, of_h, layer_.outputs, layer_.output_units);
    put(h_0_, layer_.run.h_0, of_h, layer_.outputs, layer_.output_units);
    put(carried_.c, wanted_.dc_n, units, layer_.hidden, layer_.units);
    put(c_0_, layer_.run.c_0, units, layer_.hidden, layer_.units);
  }

  // Units, padded, of some pairs of blocks, and those of h that belong to them.
  Range units_of(Range pairs) const { return {pairs.first * kPanel<T>, least(pairs.last * kPanel<T>, layer_.units)}; }
  Range output_units_of(Range pairs) const {
    return layer_.projected ? Range{0, layer_.output_units} : units_of(pairs);
  }

  // Step s of the rows that have it; `row`: where the gate gradients of the first of them go.
  void step(int64_t s, Range rows, Range pairs, const T* later, T* row, Scratch& scratch) {
    const Range here = present(layer_, rows, s), next = present(layer_, rows, s + 1);
    const int64_t ended = most(here.last, next.first);
    if (next.last > ended)  // running backwards, row by row of this thread has had its first step
      retire({ended, next.last}, pairs, later + (ended - next.first) * gradients_row_, scratch);
    const int64_t both = least(here.last, next.last);
    const Range continued{here.first, most(both, here.first)}, fresh{continued.last, here.last};
    for (const bool goes_on : {true, false}) {
      const Range now = goes_on ? continued : fresh;
      if (now.size() <= 0) continue;
      T* to = row + (now.first - here.first) * gradients_row_;
      if (dead(s, now, pairs, goes_on ? later : nullptr)) {
        clear_gradients(now.size(), pairs, to);
      } else {
        alive(s, now, pairs, goes_on, later, to, scratch);
      }
    }
  }

  // Whether all that a step's gradients come from is exactly zero.
  bool dead(int64_t s, Range rows, Range pairs, const T* later) const {
    const Range units = units_of(pairs), of_h = output_units_of(pairs);
    const int64_t real = least(of_h.last, layer_.outputs);
    const T* product = later ? later + layer_.h_order.first_slot * layer_.units : nullptr;
    for (int64_t b = rows.first; b < rows.last; ++b) {
      if (product && !all_zero(product + (b - rows.first) * gradients_row_, recurrent_deep_)) return false;
      if (carried_.c && !all_zero(carried_.c + b * layer_.units + units.first, units.size())) return false;
      const bool carries = !later || layer_.gru || layer_.zone_h;
      if (carries && !all_zero(carried_.h + b * layer_.output_units + of_h.first, of_h.size())) return false;
      if (carried_.dout && !all_zero(carried_.dout.at(layer_.time_of(s), b) + of_h.first, real - of_h.first))
        return false;
    }
    return true;
  }

  void clear_gradients(int64_t rows, Range pairs, T* row) const {
    const Range units = units_of(pairs);
    const int64_t gates = layer_.gradient_slots * layer_.units;
    for (int64_t r = 0; r < rows; ++r, row += gradients_row_) {
      for (int64_t slot = 0; slot < gates; slot += layer_.units)
        for (int64_t u = units.first; u < units.last; ++u) row[slot + u] = 0;
      for (int64_t i = gates; layer_.nested && i < gradients_row_; ++i) row[i] = 0;
    }
  }

  void alive(int64_t s, Range rows, Range pairs, bool continued, const T* later, T* to, Scratch& scratch) {
    const int64_t tiles = (rows.size() + tile_rows_ - 1) / tile_rows_;
    const int64_t together =
        layer_.rowwise ? pairs_ : panels_at_once((rows.size() + tiles - 1) / tiles);
    const int64_t groups = (pairs.size() + together - 1) / together;
    for (int64_t i = 0; i < groups; ++i) {
      const int64_t first = pairs.first + (s % 2 ? groups - 1 - i : i) * together;
      const Range group{first, least(first + together, pairs.last)};
      for (int64_t tile = 0; tile < tiles; ++tile) {
        const Range part = part_of(rows.size(), tiles, tile);
        BackwardStep<T> step{};
        step.s = s, step.t = layer_.time_of(s), step.continued = continued;
        step.rows = {rows.first + part.first, rows.first + part.last};
        step.blocks = {2 * group.first, least(2 * group.last, layer_.blocks)};
        step.dh = scratch.dh, step.dh_row = dh_row_;
        step.gradients = to + part.first * gradients_row_, step.gradients_row = gradients_row_;
        layer_.template prefetch<false>(s, step.rows, step.blocks, 0, layer_.slots.count);
        if (layer_.lstm && s > 0)
          layer_.template prefetch<false>(s - 1, step.rows, step.blocks, layer_.slots.cell, 1);
        if (continued)
          multiply_recurrent(later + part.first * gradients_row_, part.size(), output_panels_of(group), scratch.dh);
        cell(step, scratch);
      }
    }
  }

  // The panels of h that belong to pairs of blocks.
  Range output_panels_of(Range pairs) const { return layer_.projected ? Range{0, output_pairs_} : pairs; }

  // dh = gate gradients · W_hh for the units of some panels.
  void multiply_recurrent(const T* gradients, int64_t rows, Range pairs, T* dh) const {
    TileArguments<T> t{};
    t.a = gradients + layer_.h_order.first_slot * layer_.units, t.a_row = gradients_row_;
    recurrent_panels_.from(pairs.first, t);
    t.k_count = recurrent_deep_;
    t.c = dh, t.c_row = dh_row_, t.c_panel = kPanel<T>;
    product<T>(t, rows, pairs.size());
  }

  // The gradient of what entered the second product, to step.dh.
  void multiply_nested(const BackwardStep<T>& step) const {
    TileArguments<T> t{};
    t.a = step.gradients + layer_.nested_slope_at, t.a_row = gradients_row_;
    t.w = nested_, t.w_row = kPanel<T>, t.w_panel = layer_.outputs * kPanel<T>, t.k_count = layer_.outputs;
    t.c = step.dh, t.c_row = dh_row_, t.c_panel = kPanel<T>;
    product<T>(t, step.rows.size(), pairs_);
  }

  void cell(const BackwardStep<T>& step, Scratch& scratch) {
    const Sums<T>& sums = scratch.sums;
    if (layer_.reset_before) {
      gru_candidate_backward(layer_, carried_, sums, step);
      if (layer_.normed) scratch.norms.candidate(layer_, step, gain_h_);
      multiply_nested(step);
      gru_reset_backward(layer_, carried_, sums, step);
    } else if (layer_.gru) {
      gru_backward(layer_, carried_, sums, step);
    } else if (!layer_.lstm) {
      rnn_backward(layer_, carried_, sums, step);
    } else {
      if (layer_.projected) {
        lstm_projected_backward(layer_, carried_, step);
        multiply_nested(step);
      }
      lstm_output_backward(layer_, carried_, step);
      if (layer_.normed) scratch.norms.cell(layer_, step, cell_gain_);
      const bool peephole = carried_.peephole_i;
      if (layer_.run.coupled)
        peephole ? lstm_gates_backward<T, true, true>(layer_, carried_, sums, step)
                 : lstm_gates_backward<T, true, false>(layer_, carried_, sums, step);
      else
        peephole ? lstm_gates_backward<T, false, true>(layer_, carried_, sums, step)
                 : lstm_gates_backward<T, false, false>(layer_, carried_, sums, step);
    }
    if (layer_.normed) scratch.norms.gates(layer_, step, gain_x_, gain_h_);
  }

  void finish_chunk(const Chunk& chunk, Range pairs, const Worker& worker, bool split, T* gradients, Scratch& scratch) {
    bool nothing = true;
    for (int64_t r = 0; nothing && r < chunk.count; ++r)
      nothing = all_zero(gradients + r * gradients_row_, layer_.nested_operand_at);
    if (wanted_.dx && !layer_.run.tokens) {
      const Range part = split ? part_of(chunk.count, worker.count, worker.index) : Range{0, chunk.count};
      multiply_projection(gradients + (part.first * gradients_row_) + layer_.x_order.first_slot * layer_.units,
                          gradients_row_, nothing ? 0 : part.size(), scratch.dx);
      int64_t width = input_panels_ * kPanel<T>;
      each_row(layer_, chunk, [&](int64_t s, int64_t b, int64_t index) {
        if (index < part.first || index >= part.last) return;
        put_dx(s, b, nothing ? nullptr : scratch.dx + (index - part.first) * width);
      });
    }
    if (nothing || !(wanted_.dw_ih || wanted_.dw_hh || layer_.run.tokens)) return;
    if (WeightGradients<T>::fits_at_once(layer_, share_.threads, chunk.count))
      scratch.weights.write_at_once(layer_, wanted_, chunk, gradients, gradients_row_);
    else
      scratch.weights.add(layer_, chunk, pairs, gradients, gradients_row_);
  }

  // dx = gate gradients · W_ih for some rows, each input_panels_ panels wide.
  void multiply_projection(const T* gradients, int64_t row, int64_t rows, T* dx) const {
    if (rows <= 0) return;
    TileArguments<T> t{};
    t.a = gradients, t.a_row = row;
    projection_panels_.from(0, t);
    t.k_count = deep_;
    t.c = dx, t.c_row = input_panels_ * kPanel<T>, t.c_panel = kPanel<T>;
    product<T>(t, rows, input_panels_);
  }

  void put_dx(int64_t s, int64_t b, T* values) const {
    const int64_t t = layer_.time_of(s);
    const Rows<T> dx{static_cast<T*>(wanted_.dx), wanted_.dx_time, wanted_.dx_row, layer_.x.first, layer_.place};
    T* to = dx.at(t, b);
    if (values && layer_.x_mask) multiply(values, layer_.x_mask.at(t, b), layer_.input);
    if (wanted_.dx_add) {
      for (int64_t i = 0; values && i < layer_.input; ++i) to[i] += values[i];
    } else if (values) {
      copy(values, layer_.input, to);
    } else {
      for (int64_t i = 0; i < layer_.input; ++i) to[i] = 0;
    }
  }

  // The gradient of the initial h of rows whose first step is done; later: their gate gradients.
  void retire(Range rows, Range pairs, const T* later, Scratch& scratch) const {
    if (!wanted_.dh_0 || rows.size() <= 0) return;
    const int64_t tiles = (rows.size() + kTileRows - 1) / kTileRows, together = 4;
    const Range all = output_panels_of(pairs);
    for (int64_t first = all.first; first < all.last; first += together) {
      const Range group{first, least(first + together, all.last)};
      for (int64_t tile = 0; tile < tiles; ++tile) {
        const Range part = part_of(rows.size(), tiles, tile);
        multiply_recurrent(later + part.first * gradients_row_, part.size(), group, scratch.dh);
        for (int64_t r = part.first; r < part.last; ++r)
          for (int64_t block = 2 * group.first; block < least(2 * group.last, layer_.output_blocks); ++block)
            put_dh_0(rows.first + r, block,
                     load(scratch.dh + (r - part.first) * dh_row_ + (block - 2 * group.first) * kLanes<T>));
      }
    }
  }

  void put_dh_0(int64_t b, int64_t block, Vec<T> dh) const {
    const int64_t unit = block * kLanes<T>;
    const int lanes = layer_.output_lanes(block);
    if (const T* keep = layer_.keep_h(b)) dh *= load_first(keep + unit, lanes);
    if (layer_.gru || layer_.zone_h) dh += load(carried_.h + b * layer_.output_units + unit);
    store_first(static_cast<T*>(wanted_.dh_0) + layer_.place[b] * layer_.outputs + unit, dh, lanes);
  }

  // Rows without steps hand the gradient of their state on; so does every cell.
  void finish(Range rows, Range pairs) const {
    const auto put = [&](void* to, const T* from, Range of, int64_t b, int64_t width, int64_t padded) {
      for (int64_t unit = of.first; to && from && unit < of.last; unit += kLanes<T>)
        store_first(static_cast<T*>(to) + layer_.place[b] * width + unit, load(from + b * padded + unit),
                    static_cast<int>(least<int64_t>(kLanes<T>, width - unit)));
    };
    const Range stepped = present(layer_, rows, most_present());
    for (int64_t b = rows.first; b < rows.last; ++b) {
      if (b >= stepped.last)
        put(wanted_.dh_0, carried_.h, output_units_of(pairs), b, layer_.outputs, layer_.output_units);
      put(wanted_.dc_0, carried_.c, units_of(pairs), b, layer_.hidden, layer_.units);
    }
  }

  // The step that most rows have: time 0.
  int64_t most_present() const { return layer_.run.reverse && layer_.steps ? layer_.steps - 1 : 0; }

  void finish_weights(const Worker& worker, bool split) {
    WeightGradients<T>* parts[kMostThreads];
    for (int i = 0; i < worker.count; ++i) parts[i] = &scratch_[i].weights;
    if (layer_.run.tokens) finish_tokens(worker, parts, split);
    const Range pairs = part_of(pairs_, worker.count, worker.index);
    if ((wanted_.dw_ih || wanted_.dw_hh) && !parts[0]->written())
      WeightGradients<T>::write(layer_, wanted_, parts, split ? 1 : worker.count, pairs);
    WeightGradients<T>::write_nested(layer_, wanted_, parts, worker.count, worker.count, worker.index);
    if (worker.index) return;
    for (int i = 1; i < worker.count; ++i) {
      scratch_[0].norms.add(layer_, scratch_[i].norms);
      for (int64_t k = 0; k < layer_.gradient_slots * layer_.units; ++k)
        scratch_[0].sums.bias[k] += scratch_[i].sums.bias[k];
      for (int64_t k = 0; k < 3 * layer_.units; ++k) scratch_[0].sums.peephole[k] += scratch_[i].sums.peephole[k];
    }
    write_vectors(scratch_[0]);
  }

  void write_vectors(const Scratch& s) const {
    const auto write = [&](void* to, const T* from, const int* slot, int64_t count) {
      for (int64_t g = 0; to && g < count; ++g)
        copy(from + slot[g] * layer_.units, layer_.hidden, static_cast<T*>(to) + g * layer_.hidden);
    };
    constexpr int kSame[] = {0, 1, 2, 3}, kCoupled[] = {0, 2};
    const int *x = layer_.x_slot, *h = layer_.h_slot;
    write(wanted_.db_ih, s.sums.bias, x, layer_.gates);
    write(wanted_.db_hh, s.sums.bias, h, layer_.gates);
    write(wanted_.dw_ch, s.sums.peephole, layer_.run.coupled ? kCoupled : kSame, layer_.run.coupled ? 2 : 3);
    if (!layer_.normed) return;
    write(wanted_.dnorm_ih_bias, s.sums.bias, x, layer_.gates);
    write(wanted_.dnorm_hh_bias, s.sums.bias, h, layer_.gates);
    write(wanted_.dnorm_ih_gain, s.norms.gain_x, kSame, layer_.gates);
    write(wanted_.dnorm_hh_gain, s.norms.gain_h, kSame, layer_.gates);
    write(wanted_.dnorm_ch_gain, s.norms.gain_c, kSame, 1);
    write(wanted_.dnorm_ch_bias, s.norms.bias_c, kSame, 1);
  }

  Layer<T> layer_;
  const mc_gradients& wanted_;
  Share share_;
  Carried<T> carried_{};
  T *c_0_ = nullptr, *h_0_ = nullptr;
  const T *gain_x_ = nullptr, *gain_h_ = nullptr, *cell_gain_ = nullptr;
  // Panels of W_hh, W_ih and the second product, by columns.
  T *recurrent_ = nullptr, *projection_ = nullptr, *nested_ = nullptr;
  bool recurrent_lies_ = false, projection_lies_ = false;  // the caller's own matrices serve as panels
  Panels<T> recurrent_panels_{}, projection_panels_{};
  int64_t deep_ = 0, recurrent_deep_ = 0;  // rows of the panels of W_ih and of W_hh
  int64_t pairs_ = 0, output_pairs_ = 0, input_panels_ = 0;
  int64_t gradients_row_ = 0, tile_rows_ = 0, dh_row_ = 0;
  Scratch scratch_[kMostThreads] = {};
};

}  // namespace mc::MC_LEVEL

#endif
