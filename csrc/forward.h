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
    states_.operand_row = units + kLanes<T>;
    for (T*& operand : states_.operand) operand = arena.take<T>(batch * states_.operand_row);
    const bool needs_h = run.keep_h && (layer_.gru || layer_.zone_h);
    states_.h = needs_h ? arena.take<T>(batch * units) : nullptr;
    states_.c = layer_.lstm ? arena.take<T>(batch * units) : nullptr;
    const int64_t peepholes = run.coupled ? 2 : 3;
    const T* w_ch = layer_.pad(run.w_ch, peepholes, arena);
    states_.peephole_i = w_ch;
    states_.peephole_f = w_ch ? w_ch + units : nullptr;
    states_.peephole_o = w_ch ? w_ch + (peepholes - 1) * units : nullptr;

    recurrent_ = arena.take<T>(columns * layer_.hidden);
    projection_.panels = arena.take<T>(columns * layer_.input);
    projection_.table = run.tokens ? arena.take<T>(run.vocabulary * columns) : nullptr;
    take_biases(arena);

    wanted_ = kForwardChunk;
    const int64_t most = most_rows(layer_, batch, wanted_);
    // Rows of all normalised gates, or a tile of one group.
    tile_rows_ = layer_.normed && batch ? batch : kTileRows;
    tile_columns_ = layer_.normed ? columns : layer_.blocks_together(1) * layer_.gates * kLanes<T>;
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
    // The candidate of a GRU gates W_hh h with its bias: b_hh cannot join b_ih there.
    recurrent_bias_ = layer_.gru && b_hh ? arena.take<T>(layer_.columns) : nullptr;
    if (arena.failed()) return;
    for (int64_t column = 0; column < layer_.columns; ++column) {
      const int64_t vector = column / kLanes<T>, gate = vector % layer_.gates;
      const int64_t u = vector / layer_.gates * kLanes<T> + column % kLanes<T>;
      const bool real = u < layer_.hidden, apart = layer_.gru && gate == 2;
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

    const Range packed = share_.by_rows ? part_of(layer_.panels, worker.count, worker.index) : panels;
    layer_.pack_gates(layer_.run.w_hh, layer_.hidden, packed, recurrent_);
    layer_.pack_gates(layer_.run.w_ih, layer_.input, packed, projection_.panels);
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
    for (int64_t b = rows.first; b < rows.last; ++b)
      for (int64_t block = blocks.first; block < blocks.last; ++block) {
        const int64_t unit = block * kLanes<T>;
        const int lanes = layer_.lanes_of(block);
        const T *h_0 = layer_.h_0(b), *c_0 = layer_.c_0(b), *keep = layer_.keep_h(b);
        Vec<T> h = h_0 ? load_first(h_0 + unit, lanes) : Vec<T>{};
        if (states_.h) store(states_.h + b * layer_.units + unit, h);
        if (states_.c) store(states_.c + b * layer_.units + unit, c_0 ? load_first(c_0 + unit, lanes) : Vec<T>{});
        if (keep) h *= load_first(keep + unit, lanes);
        // Into both: a row that joins late, running backwards, meets either.
        for (T* operand : states_.operand) store(operand + b * states_.operand_row + unit, h);
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
    const int64_t together = layer_.normed ? layer_.blocks : layer_.blocks_together((rows.size() + tiles - 1) / most<int64_t>(tiles, 1));
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
    const Range panels = panels_of(step.blocks);
    TileArguments<T> t{};
    t.a = states_.operand[step.s % 2] + step.rows.first * states_.operand_row, t.a_row = states_.operand_row;
    t.w = recurrent_ + panels.first * layer_.hidden * kPanel<T>;
    t.w_row = kPanel<T>, t.w_panel = layer_.hidden * kPanel<T>;
    // A state of zeros needs no product.
    t.k_count = step.s == 0 && !layer_.run.h_0 ? 0 : layer_.hidden;
    t.base = recurrent_bias_ ? recurrent_bias_ + panels.first * kPanel<T> : nullptr;
    t.c = step.gh, t.c_row = step.gh_row, t.c_panel = kPanel<T>;
    product<T>(t, step.rows.size(), panels.size());
  }

  void advance(const ForwardStep<T>& step) {
    if (layer_.normed)
      for (int64_t b = step.rows.first; b < step.rows.last; ++b) {
        T* kept = layer_.run.reserve ? layer_.reserved(step.s, b) + layer_.slots.norm_h * kLanes<T> : nullptr;
        T* deviations = kept ? layer_.deviations(step.s, b) + 1 + layer_.gru : nullptr;
        normalise_gates(layer_, row_of(step, b), recurrent_gain_, recurrent_shift_, kept, deviations);
      }
    if (layer_.gru) return gru_forward(layer_, states_, step);
    if (!layer_.lstm) return rnn_forward(layer_, states_, step);
    const bool peephole = states_.peephole_i;
    if (layer_.run.coupled)
      peephole ? lstm_gates<T, true, true>(layer_, states_, step) : lstm_gates<T, true, false>(layer_, states_, step);
    else
      peephole ? lstm_gates<T, false, true>(layer_, states_, step) : lstm_gates<T, false, false>(layer_, states_, step);
    if (layer_.normed)
      for (int64_t b = step.rows.first; b < step.rows.last; ++b) {
        T* kept = layer_.run.reserve ? layer_.reserved(step.s, b) + layer_.slots.norm_c * kLanes<T> : nullptr;
        const T deviation =
            normalise<T>({layer_, 0, 1, layer_.gates * kLanes<T>}, row_of(step, b), cell_gain_, cell_shift_, kept,
                         layer_.slots.count * kLanes<T>);
        if (kept) layer_.deviations(step.s, b)[2] = deviation;
      }
    lstm_output(layer_, states_, step);
  }

  static T* row_of(const ForwardStep<T>& step, int64_t b) { return step.gh + (b - step.rows.first) * step.gh_row; }

  // The final state: h as its last step has put it out, c as it stands.
  void finish(Range rows, Range blocks) {
    const mc_run& run = layer_.run;
    for (int64_t b = rows.first; b < rows.last; ++b) {
      const int64_t length = length_of(b), last = run.reverse ? 0 : length - 1;
      const T* h = length ? layer_.out.at(last, b) : layer_.h_0(b);
      for (int64_t block = blocks.first; block < blocks.last; ++block) {
        const int64_t unit = block * kLanes<T>, at = layer_.place[b] * layer_.hidden + unit;
        const int lanes = layer_.lanes_of(block);
        if (run.h_n) store_first(static_cast<T*>(run.h_n) + at, h ? load_first(h + unit, lanes) : Vec<T>{}, lanes);
        if (run.c_n && states_.c)
          store_first(static_cast<T*>(run.c_n) + at, load(states_.c + b * layer_.units + unit), lanes);
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
  T* recurrent_bias_ = nullptr;  // (columns), or null
  const T *recurrent_gain_ = nullptr, *recurrent_shift_ = nullptr, *cell_gain_ = nullptr, *cell_shift_ = nullptr;
  int64_t wanted_ = 0, tile_rows_ = 0, tile_columns_ = 0;
  Scratch scratch_[kMostThreads] = {};
};

}  // namespace mc::MC_LEVEL

#endif
