// Forward: a layer over all steps, on a team of threads.
//
// Chunk by chunk of steps, W_ih x of all rows; then step by step, group by group of units, the tile of W_hh h
// and the cell's pointwise half, while the tile is in the first cache. Groups go back and forth like a ploughing
// ox, so that a step starts with the weights that the one before has read last.
#ifndef MEMORYCELL_FORWARD_H
#define MEMORYCELL_FORWARD_H

#include "cells_forward.h"
#include "flush.h"
#include "project.h"

namespace mc::MC_LEVEL {

constexpr int64_t kForwardChunk = 128;

template <class T>
class ForwardPass {
 public:
  explicit ForwardPass(const mc_run& run) : layer_(run) {}

  int operator()(Arena& arena, int64_t threads) {
    if (!layer_.prepare(arena)) return MC_NO_MEMORY;
    share_ = share_of(layer_, threads);
    if (!take_memory(arena)) return MC_NO_MEMORY;
    in_team(share_.threads, [&](const Worker& worker) { work(worker); });
    return MC_OK;
  }

 private:
  struct Scratch {
    T *x, *gx, *gh;
  };

  bool take_memory(Arena& arena) {
    const mc_run& run = layer_.run;
    const int64_t batch = layer_.batch, units = layer_.units, columns = layer_.columns;
    // An odd number of lines apart: the rows of a tile must not meet in one set of the first cache.
    states_.operand_row = layer_.output_units + kLanes<T>;
    states_.nested_row = units + kLanes<T>;
    for (T*& operand : states_.operand) operand = arena.take<T>(batch * states_.operand_row);
    const bool needs_h = run.keep_h && (layer_.gru || layer_.zone_h);
    states_.h = needs_h ? arena.take<T>(batch * layer_.output_units) : nullptr;
    states_.c = layer_.lstm ? arena.take<T>(batch * units) : nullptr;
    const int64_t peepholes = run.coupled ? 2 : 3;
    const T* w_ch = layer_.pad(run.w_ch, peepholes, arena);
    states_.peephole_i = w_ch;
    states_.peephole_f = w_ch ? w_ch + units : nullptr;
    states_.peephole_o = w_ch ? w_ch + (peepholes - 1) * units : nullptr;

    recurrent_panels_ = (layer_.blocks * layer_.first_gates + 1) / 2;
    recurrent_ = arena.take<T>(recurrent_panels_ * kPanel<T> * layer_.outputs);
    nested_panels_ = layer_.nested ? (layer_.output_blocks + 1) / 2 : 0;
    nested_ = arena.take<T>(nested_panels_ * kPanel<T> * layer_.hidden);
    states_.nested = layer_.nested ? arena.take<T>(batch * states_.nested_row) : nullptr;
    projection_.panels = arena.take<T>(columns * layer_.input);
    projection_.table = run.tokens ? arena.take<T>(run.vocabulary * columns) : nullptr;
    take_biases(arena);

    wanted_ = kForwardChunk;
    const int64_t most = most_rows(layer_, batch, wanted_);
    // Rows of all gates, or a tile of one group.
    tile_rows_ = layer_.rowwise && batch ? batch : kTileRows;
    tile_columns_ = layer_.rowwise ? columns : layer_.blocks_together(1) * layer_.gates * kLanes<T>;
    for (int i = 0; i < share_.threads; ++i) {
      Scratch& s = scratch_[i];
      s.x = arena.take<T>(most * layer_.input);
      s.gx = arena.take<T>(most * columns);
      s.gh = arena.take<T>(tile_rows_ * tile_columns_);
    }
    return !arena.failed();
  }

  // b_ih and b_hh, by the column they are added to; normalised ones are added after the normalisation.
  void take_biases(Arena& arena) {
    const mc_run& run = layer_.run;
    const T *b_ih = static_cast<const T*>(run.b_ih), *b_hh = static_cast<const T*>(run.b_hh);
    if (layer_.normed) {
      const auto shifted = [&](const void* shift, const T* bias) {
        T* sum = arena.take<T>(layer_.gates * layer_.units);
        for (int64_t g = 0; sum && g < layer_.gates; ++g)
          for (int64_t u = 0; u < layer_.units; ++u) {
            const int64_t from = g * layer_.hidden + u;
            sum[g * layer_.units + u] =
                u < layer_.hidden ? static_cast<const T*>(shift)[from] + (bias ? bias[from] : T(0)) : T(0);
          }
        return sum;
      };
      projection_.bias = nullptr, recurrent_bias_ = nullptr;
      projection_.gain = layer_.pad(run.norm_ih_gain, layer_.gates, arena);
      projection_.shift = shifted(run.norm_ih_bias, b_ih);
      recurrent_gain_ = layer_.pad(run.norm_hh_gain, layer_.gates, arena);
      recurrent_shift_ = shifted(run.norm_hh_bias, b_hh);
      cell_gain_ = layer_.pad(run.norm_ch_gain, 1, arena);
      cell_shift_ = layer_.pad(run.norm_ch_bias, 1, arena);
      return;
    }
    projection_.bias = arena.take<T>(layer_.columns);
    // The candidate of a GRU gates W_hh h with its bias: b_hh cannot join b_ih there, unless r gates h.
    const bool gated = layer_.gru && !layer_.reset_before;
    recurrent_bias_ = gated && b_hh ? arena.take<T>(layer_.columns) : nullptr;
    if (arena.failed()) return;
    for (int64_t column = 0; column < layer_.columns; ++column) {
      const int64_t vector = column / kLanes<T>, gate = vector % layer_.gates;
      const int64_t u = vector / layer_.gates * kLanes<T> + column % kLanes<T>;
      const bool real = u < layer_.hidden, apart = gated && gate == 2;
      const int64_t from = gate * layer_.hidden + u;
      const T ih = real && b_ih ? b_ih[from] : T(0), hh = real && b_hh ? b_hh[from] : T(0);
      projection_.bias[column] = apart ? ih : ih + hh;
      if (recurrent_bias_) recurrent_bias_[column] = apart ? hh : T(0);
    }
  }

  void work(const Worker& worker) {
    const Flushing flushing;
    const Range rows = rows_of(layer_, worker, share_.by_rows);
    const bool split = !share_.by_rows && worker.count > 1;
    const int64_t pairs = (layer_.blocks + 1) / 2;
    const Range pair = split ? part_of(pairs, worker.count, worker.index) : Range{0, pairs};
    const Range blocks{2 * pair.first, least(2 * pair.last, layer_.blocks)};
    const Range panels = panels_of(blocks);

    const auto packed = [&](int64_t count) {
      return share_.by_rows ? part_of(count, worker.count, worker.index) : panels;
    };
    const int64_t hidden = layer_.hidden, input = layer_.input;
    layer_.pack_gates(layer_.run.w_hh, layer_.first_gates, hidden, layer_.outputs, packed(recurrent_panels_),
                      recurrent_);
    layer_.pack_gates(layer_.run.w_ih, layer_.gates, hidden, input, packed(layer_.panels), projection_.panels);
    if (layer_.nested)
      layer_.pack_gates(layer_.nested_weights(), 1, layer_.outputs, hidden, packed(nested_panels_), nested_);
    if (projection_.table) {
      if (share_.by_rows) worker.meet();
      const Range share = share_.by_rows ? part_of(layer_.run.vocabulary, worker.count, worker.index)
                                         : Range{0, layer_.run.vocabulary};
      projection_(layer_, layer_.x.data + share.first * layer_.x.row, layer_.x.row, share.size(),
                  share_.by_rows ? Range{0, layer_.panels} : panels,
                  projection_.table + share.first * layer_.columns);
    }
    start(rows, blocks);
    worker.meet();

    Scratch& scratch = scratch_[worker.index];
    for (int64_t s = 0; s < layer_.steps;) {
      const Chunk chunk = chunk_from(layer_, rows, s, wanted_, false);
      project(chunk, panels, scratch);
      const T* gx = scratch.gx;
      for (; s < chunk.steps.last; ++s) {
        const Range here = present(layer_, rows, s);
        step(s, here, blocks, gx, scratch.gh);
        gx += here.size() * layer_.columns;
        if (split) worker.meet();
      }
    }
    finish(rows, blocks);
  }

  // Blocks come in pairs (or up to the end), so that their columns fill whole panels.
  Range panels_of(Range blocks) const {
    return {blocks.first * layer_.gates / 2, (blocks.last * layer_.gates + 1) / 2};
  }

  // The initial state of rows and blocks.
  void start(Range rows, Range blocks) {
    const Range of_h = layer_.output_blocks_of(blocks);
    for (int64_t b = rows.first; b < rows.last; ++b) {
      const T *h_0 = layer_.h_0(b), *c_0 = layer_.c_0(b), *keep = layer_.keep_h(b);
      for (int64_t block = of_h.first; block < of_h.last; ++block) {
        const int64_t unit = block * kLanes<T>;
        const int lanes = layer_.output_lanes(block);
        Vec<T> h = h_0 ? load_first(h_0 + unit, lanes) : Vec<T>{};
        if (states_.h) store(states_.h + b * layer_.output_units + unit, h);
        if (keep) h *= load_first(keep + unit, lanes);
        // Into both: a row that joins late, running backwards, meets either.
        for (T* operand : states_.operand) store(operand + b * states_.operand_row + unit, h);
      }
      for (int64_t block = blocks.first; states_.c && block < blocks.last; ++block) {
        const int64_t unit = block * kLanes<T>;
        store(states_.c + b * layer_.units + unit,
              c_0 ? load_first(c_0 + unit, layer_.lanes_of(block)) : Vec<T>{});
      }
    }
  }

  void project(const Chunk& chunk, Range panels, Scratch& scratch) {
    if (projection_.table) {
      const int64_t first = panels.first * kPanel<T>, width = panels.size() * kPanel<T>;
      each_row(layer_, chunk, [&](int64_t s, int64_t b, int64_t index) {
        const int64_t token = *layer_.tokens.at(layer_.time_of(s), b);
        copy(projection_.table + token * layer_.columns + first, width, scratch.gx + index * layer_.columns + first);
      });
    } else {
      each_row(layer_, chunk, [&](int64_t s, int64_t b, int64_t index) {
        gather_x(layer_, s, b, scratch.x + index * layer_.input);
      });
      projection_(layer_, scratch.x, layer_.input, chunk.count, panels, scratch.gx);
    }
    if (layer_.normed)
      each_row(layer_, chunk, [&](int64_t s, int64_t b, int64_t index) {
        const bool keep = layer_.run.reserve;
        projection_.normalise_row(layer_, scratch.gx + index * layer_.columns, keep ? layer_.reserved(s, b) : nullptr,
                                  keep ? layer_.deviations(s, b) : nullptr);
      });
  }

  void step(int64_t s, Range rows, Range blocks, const T* gx, T* gh) {
    const int64_t tiles = (rows.size() + tile_rows_ - 1) / tile_rows_;
    const int64_t tile_rows = (rows.size() + tiles - 1) / most<int64_t>(tiles, 1);
    const int64_t together = layer_.rowwise ? layer_.blocks : layer_.blocks_together(tile_rows);
    const int64_t groups = (blocks.size() + together - 1) / together;
    for (int64_t i = 0; i < groups; ++i) {
      const int64_t group = s % 2 ? groups - 1 - i : i;
      const int64_t first = blocks.first + group * together;
      const Range here{first, least(first + together, blocks.last)};
      for (int64_t tile = 0; tile < tiles; ++tile) {
        const Range part = part_of(rows.size(), tiles, tile);
        ForwardStep<T> step{};
        step.s = s, step.t = layer_.time_of(s);
        step.rows = {rows.first + part.first, rows.first + part.last};
        step.blocks = here;
        step.gx = gx + part.first * layer_.columns, step.gx_row = layer_.columns;
        step.gh = gh, step.gh_row = tile_columns_;
        if (layer_.run.reserve) layer_.template prefetch<true>(s, step.rows, here, 0, layer_.slots.count);
        multiply_recurrent(step);
        advance(step);
      }
    }
  }

  void multiply_recurrent(const ForwardStep<T>& step) {
    const Range panels = layer_.rowwise ? Range{0, recurrent_panels_} : panels_of(step.blocks);
    TileArguments<T> t{};
    t.a = states_.operand[step.s % 2] + step.rows.first * states_.operand_row, t.a_row = states_.operand_row;
    t.w = recurrent_ + panels.first * layer_.outputs * kPanel<T>;
    t.w_row = kPanel<T>, t.w_panel = layer_.outputs * kPanel<T>;
    // A state of zeros needs no product.
    t.k_count = step.s == 0 && !layer_.run.h_0 ? 0 : layer_.outputs;
    t.base = recurrent_bias_ ? recurrent_bias_ + panels.first * kPanel<T> : nullptr;
    t.c = step.gh, t.c_row = step.gh_row, t.c_panel = kPanel<T>;
    product<T>(t, step.rows.size(), panels.size());
  }

  // The second product, into gh from column `to` on.
  void multiply_nested(const ForwardStep<T>& step, int64_t to) {
    TileArguments<T> t{};
    t.a = states_.nested + step.rows.first * states_.nested_row, t.a_row = states_.nested_row;
    t.w = nested_, t.w_row = kPanel<T>, t.w_panel = layer_.hidden * kPanel<T>, t.k_count = layer_.hidden;
    t.c = step.gh + to, t.c_row = step.gh_row, t.c_panel = kPanel<T>;
    product<T>(t, step.rows.size(), nested_panels_);
  }

  void advance(const ForwardStep<T>& step) {
    if (layer_.gru) return advance_gru(step);
    const int64_t gates = layer_.gates, stride = gates * kLanes<T>;
    if (layer_.normed)
      normalise_rows(step, {layer_, 0, gates, stride}, 0, recurrent_gain_, recurrent_shift_, layer_.slots.norm_h, 1);
    if (!layer_.lstm) return rnn_forward(layer_, states_, step);
    const bool peephole = states_.peephole_i;
    if (layer_.run.coupled)
      peephole ? lstm_gates<T, true, true>(layer_, states_, step) : lstm_gates<T, true, false>(layer_, states_, step);
    else
      peephole ? lstm_gates<T, false, true>(layer_, states_, step) : lstm_gates<T, false, false>(layer_, states_, step);
    if (layer_.normed)
      normalise_rows(step, {layer_, 0, 1, stride}, 0, cell_gain_, cell_shift_, layer_.slots.norm_c, 2);
    lstm_output(layer_, states_, step);
    if (!layer_.projected) return;
    multiply_nested(step, 0);
    lstm_projected(layer_, states_, step);
  }

  void advance_gru(const ForwardStep<T>& step) {
    const int64_t stride = layer_.first_gates * kLanes<T>, behind = 2 * layer_.units;
    const auto normalise_part = [&](const Normed<T>& part, int64_t at, int64_t statistic) {
      if (layer_.normed)
        normalise_rows(step, part, at, recurrent_gain_, recurrent_shift_, layer_.slots.norm_h, statistic);
    };
    normalise_part({layer_, 0, 2, stride}, 0, 2);
    if (!layer_.reset_before) {
      normalise_part({layer_, 2, 1, stride}, 0, 3);
      return gru_forward(layer_, states_, step);
    }
    gru_reset(layer_, states_, step);
    multiply_nested(step, behind);
    normalise_part({layer_, 2, 1, kLanes<T>}, behind - 2 * kLanes<T>, 3);
    gru_candidate(layer_, states_, step);
  }

  // Normalises gh from column `at` on; to the reserve go x̂ and the reciprocal deviation.
  void normalise_rows(const ForwardStep<T>& step, const Normed<T>& part, int64_t at, const T* gain, const T* shift,
                      int slot, int64_t statistic) const {
    for (int64_t b = step.rows.first; b < step.rows.last; ++b) {
      T* kept = layer_.run.reserve ? layer_.reserved(step.s, b) + slot * kLanes<T> : nullptr;
      const T deviation = normalise<T>(part, row_of(step, b) + at, gain, shift, kept, layer_.slots.count * kLanes<T>);
      if (kept) layer_.deviations(step.s, b)[statistic] = deviation;
    }
  }

  static T* row_of(const ForwardStep<T>& step, int64_t b) { return step.gh + (b - step.rows.first) * step.gh_row; }

  // The final state: h as its last step has put it out, c as it stands.
  void finish(Range rows, Range blocks) {
    const mc_run& run = layer_.run;
    const Range of_h = layer_.output_blocks_of(blocks);
    for (int64_t b = rows.first; b < rows.last; ++b) {
      const int64_t length = length_of(b), last = run.reverse ? 0 : length - 1;
      const T* h = length ? layer_.out.at(last, b) : layer_.h_0(b);
      for (int64_t block = of_h.first; run.h_n && block < of_h.last; ++block) {
        const int64_t unit = block * kLanes<T>;
        const int lanes = layer_.output_lanes(block);
        store_first(static_cast<T*>(run.h_n) + layer_.place[b] * layer_.outputs + unit,
                    h ? load_first(h + unit, lanes) : Vec<T>{}, lanes);
      }
      for (int64_t block = blocks.first; run.c_n && states_.c && block < blocks.last; ++block) {
        const int64_t unit = block * kLanes<T>;
        store_first(static_cast<T*>(run.c_n) + layer_.place[b] * layer_.hidden + unit,
                    load(states_.c + b * layer_.units + unit), layer_.lanes_of(block));
      }
    }
  }

  int64_t length_of(int64_t b) const {
    if (!layer_.run.active) return layer_.steps;
    int64_t low = 0, high = layer_.steps;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      layer_.run.active[middle] > b ? low = middle + 1 : high = middle;
    }
    return low;
  }

  Layer<T> layer_;
  Share share_;
  States<T> states_{};
  Projection<T> projection_{};
  T* recurrent_ = nullptr;       // panels of W_hh
  T* nested_ = nullptr;          // panels of the second product
  int64_t recurrent_panels_ = 0, nested_panels_ = 0;
  T* recurrent_bias_ = nullptr;  // (columns), or null
  const T *recurrent_gain_ = nullptr, *recurrent_shift_ = nullptr, *cell_gain_ = nullptr, *cell_shift_ = nullptr;
  int64_t wanted_ = 0, tile_rows_ = 0, tile_columns_ = 0;
  Scratch scratch_[kMostThreads] = {};
};

}  // namespace mc::MC_LEVEL

#endif
