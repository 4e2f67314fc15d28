// Layer: one mc_run made ready for the kernels: sizes in vectors, where rows stand, weights in panels.
//
// Units come in blocks of one vector. The columns of the forward products are ordered by block, then gate, so
// that a few neighbouring panels hold all gates of their units: what follows a tile stays in the first cache.
#ifndef MEMORYCELL_LAYER_H
#define MEMORYCELL_LAYER_H

#include "memorycell.h"
#include "product.h"
#include "team.h"

namespace mc::MC_LEVEL {

// Rows (t, b) of a tensor over time and batch.
template <class T>
struct Rows {
  T* data = nullptr;
  int64_t time = 0, row = 0;
  const int64_t* first = nullptr;  // packed: rows before step t
  const int64_t* place = nullptr;  // padded: where sorted row b stands

  T* at(int64_t t, int64_t b) const { return data + (first ? (first[t] + b) * row : t * time + place[b] * row); }
  explicit operator bool() const { return data != nullptr; }
};

// What zoneout keeps: a value for each step and unit, or one rate.
template <class T>
struct Zone {
  Rows<const T> share;
  T rate = 0;
  explicit operator bool() const { return share || rate != 0; }
  MC_INLINE Vec<T> at(int64_t t, int64_t b, int64_t unit, int lanes) const {
    return share ? load_first(share.at(t, b) + unit, lanes) : splat(rate);
  }
};

// Which slots of a row of gate gradients enter a product, and the block of weight rows of each.
struct GateOrder {
  int64_t first_slot, count;
  int gate[4];
};

// Where a saved step keeps what: slots of one vector within a block of a reserve row.
struct Slots {
  int cell = 0;       // LSTM: c after zoneout
  int new_cell = 0;   // LSTM: c before it
  int norm_x = 0;     // G slots: normalised W_ih x
  int norm_h = 0;     // G slots: normalised W_hh h
  int norm_c = 0;     // LSTM: normalised c
  int count = 0;
};

template <class T>
struct Layer {
  const mc_run& run;
  int64_t steps, batch, input, hidden;
  int64_t gates;      // blocks of weight rows
  int64_t blocks;     // vectors of units
  int64_t units;      // blocks · lanes: hidden, rounded up
  int64_t panels, columns;
  int64_t outputs;    // P, the numbers of h: hidden, or what it is projected to
  int64_t output_blocks, output_units;
  bool normed, lstm, gru;
  bool projected, reset_before;
  bool nested;        // a step has a second product (P, H), of what the cell makes of its gates
  bool rowwise;       // something in a step needs all units of its row
  int64_t first_gates;  // gates of the first product with W_hh
  Slots slots;
  int64_t norms;      // statistics of a step of a row: reciprocal deviations
  // A row of gradients: gate by gate, each `units` wide; then those of the second product, if they are no gate's; then
  // what entered that product.
  GateOrder x_order, h_order;
  int x_slot[4], h_slot[4];  // by gate: the gradient of what W_ih x and W_hh h, normalised where they are, add to it
  int normed_slot[4];        // by gate: the gradient of W_hh h before it is normalised
  int64_t gradient_slots;    // vectors of gate gradients per block of units
  int64_t nested_slope_at, nested_operand_at, gradients_row;
  int64_t rows;            // Σ lengths

  // By step s in the order of computation:
  int64_t* count_at;  // rows that have the step
  int64_t* first_at;  // rows in the steps before
  int64_t* packed_at; // by time: rows in the steps before, of packed tensors
  int64_t* place;     // where sorted row b stands in order

  Rows<const T> x, x_mask;
  Rows<const int64_t> tokens;
  Rows<T> out;
  Zone<T> zone_h, zone_c;

  static constexpr int L = kLanes<T>;

  explicit Layer(const mc_run& r) : run(r) {
    steps = r.steps, batch = r.batch, input = r.input, hidden = r.hidden;
    lstm = r.mode == MC_LSTM, gru = r.mode == MC_GRU;
    gates = lstm ? (r.coupled ? 3 : 4) : gru ? 3 : 1;
    blocks = (hidden + L - 1) / L;
    units = blocks * L;
    panels = (blocks * gates + 1) / 2;
    columns = panels * kPanel<T>;
    normed = r.norm_ih_gain != nullptr;
    projected = lstm && r.projected, reset_before = gru && r.reset_before;
    nested = projected || reset_before;
    rowwise = normed || nested;
    first_gates = reset_before ? 2 : gates;
    outputs = projected ? r.projected : hidden;
    output_blocks = (outputs + L - 1) / L;
    output_units = output_blocks * L;
    norms = normed ? (lstm ? 3 : gru ? 4 : 2) : 0;
    slots.count = lstm ? 5 : gru ? 4 - reset_before : 1;
    slots.cell = slots.new_cell = 4;
    if (lstm && (r.zone_c || r.zone_c_rate != 0)) slots.new_cell = slots.count++;
    if (normed) {
      slots.norm_x = slots.count;
      slots.norm_h = slots.norm_x + static_cast<int>(gates);
      slots.norm_c = slots.norm_h + static_cast<int>(gates);
      slots.count = slots.norm_c + lstm;
    }
    order_gradients();
  }

  // Fills the tables; false if memory is out.
  bool prepare(Arena& arena) {
    count_at = arena.take<int64_t>(steps + 1);
    first_at = arena.take<int64_t>(steps + 1);
    packed_at = arena.take<int64_t>(steps + 1);
    place = arena.take<int64_t>(batch + 1);
    if (arena.failed()) return false;
    int64_t before = 0;
    for (int64_t s = 0; s < steps; ++s) {
      count_at[s] = run.active ? run.active[time_of(s)] : batch;
      first_at[s] = before;
      before += count_at[s];
    }
    rows = first_at[steps] = before;
    count_at[steps] = 0;
    before = 0;
    for (int64_t t = 0; t < steps; ++t) {
      packed_at[t] = before;
      before += run.active ? run.active[t] : batch;
    }
    for (int64_t b = 0; b < batch; ++b) place[b] = run.order ? run.order[b] : b;
    const int64_t* first = run.packed ? packed_at : nullptr;
    x = {static_cast<const T*>(run.x), run.x_time, run.x_row, first, place};
    tokens = {run.tokens, run.tokens_time, run.tokens_row, first, place};
    x_mask = {static_cast<const T*>(run.x_mask), run.x_mask_time, run.x_mask_row, nullptr, place};
    out = {static_cast<T*>(run.out), run.out_time, run.out_row, first, place};
    zone_h = {{static_cast<const T*>(run.zone_h), run.zone_h_time, run.zone_h_row, nullptr, place},
              static_cast<T>(run.zone_h_rate)};
    zone_c = {{static_cast<const T*>(run.zone_c), run.zone_c_time, run.zone_c_row, nullptr, place},
              static_cast<T>(run.zone_c_rate)};
    return true;
  }

  int64_t time_of(int64_t s) const { return run.reverse ? steps - 1 - s : s; }
  int lanes_of(int64_t block) const { return static_cast<int>(least<int64_t>(L, hidden - block * L)); }

  int output_lanes(int64_t block) const { return static_cast<int>(least<int64_t>(L, outputs - block * L)); }

  // The blocks of h that belong to blocks of units.
  Range output_blocks_of(Range blocks) const { return projected ? Range{0, output_blocks} : blocks; }

  // Blocks of units whose panels are whole, and as many as tiles of so few rows take at once.
  int64_t blocks_together(int64_t tile_rows) const {
    int64_t together = gates % 2 ? 2 : 1;
    for (int at_once = panels_at_once(tile_rows); together * gates / 2 % at_once;) together *= 2;
    return together;
  }

  // ---- The reserve ----

  int64_t reserve_row() const { return slots.count * units; }
  int64_t reserve_size() const { return rows * (reserve_row() + norms); }
  T* reserved(int64_t s, int64_t b) const {
    return static_cast<T*>(run.reserve) + (first_at[s] + b) * reserve_row();
  }
  T* deviations(int64_t s, int64_t b) const {
    return static_cast<T*>(run.reserve) + rows * reserve_row() + (first_at[s] + b) * norms;
  }
  // Fetches the reserve of some rows and blocks into the second cache while a tile is computed. Saved steps are
  // too many to be in a cache when they are needed, or written.
  template <bool kWrite>
  void prefetch(int64_t s, Range rows, Range blocks, int64_t slot, int64_t count) const {
    for (int64_t b = rows.first; b < rows.last; ++b) {
      const char* line = reinterpret_cast<const char*>(reserved(s, b) + (blocks.first * slots.count + slot) * L);
      const char* const end = line + ((blocks.size() - 1) * slots.count + count) * L * static_cast<int64_t>(sizeof(T));
      for (; line < end; line += 64) __builtin_prefetch(line, kWrite, 2);
    }
  }

  // Whether sorted row b already has a step before s.
  bool has_before(int64_t s, int64_t b) const { return s > 0 && b < count_at[s - 1]; }

  // ---- Parameters ----

  const T* h_0(int64_t b) const { return start(run.h_0, b, outputs); }
  const T* c_0(int64_t b) const { return start(run.c_0, b, hidden); }
  const T* keep_h(int64_t b) const { return start(run.keep_h, b, outputs); }

  // The matrix (P, H) of a step's second product: W_hr, or of W_hh the rows of the candidate.
  const T* nested_weights() const { return static_cast<const T*>(projected ? run.w_hr : run.w_hh) + nested_first(); }
  // Its gradient within those of the parameters; null if that is not wanted.
  T* nested_gradient(const mc_gradients& wanted) const {
    T* whole = static_cast<T*>(projected ? wanted.dw_hr : wanted.dw_hh);
    return whole ? whole + nested_first() : nullptr;
  }

  // The panels [of.first, of.last) of a weight matrix (count · height, k_count), columns by block, then gate.
  void pack_gates(const void* w, int64_t count, int64_t height, int64_t k_count, Range of, T* panels_out) const {
    for (int64_t p = of.first; p < of.last; ++p)
      for (int half = 0; half < 2; ++half) {
        const int64_t column = 2 * p + half, block = column / count, gate = column % count;
        const int64_t lanes = most<int64_t>(least<int64_t>(height - block * L, L), 0);
        const T* rows_of = static_cast<const T*>(w) + (gate * height + block * L) * k_count;
        pack_transposed(rows_of, k_count, lanes, k_count, panels_out + p * k_count * kPanel<T> + half * L);
      }
  }

  // The panels [of.first, of.last) of the same matrix seen from its columns: row (slot, unit) of a panel holds
  // the weights of that gate and unit; k counts slots in the order of the gate gradients.
  void pack_columns(const void* w, int64_t width, const GateOrder& order, Range of, T* panels_out) const {
    const int64_t deep = order.count * units;
    for (int64_t p = of.first; p < of.last; ++p) {
      T* panel = panels_out + p * deep * kPanel<T>;
      const int64_t column = p * kPanel<T>;
      for (int64_t g = 0; g < order.count; ++g)
        for (int64_t u = 0; u < units; ++u, panel += kPanel<T>)
          pack_row(static_cast<const T*>(w) + (order.gate[g] * hidden + u) * width + column,
                   u < hidden ? width - column : 0, panel);
    }
  }

  // The same of the second product's matrix.
  void pack_nested_columns(Range of, T* panels_out) const {
    for (int64_t p = of.first; p < of.last; ++p)
      for (int64_t k = 0; k < outputs; ++k)
        pack_row(nested_weights() + k * hidden + p * kPanel<T>, hidden - p * kPanel<T>,
                 panels_out + (p * outputs + k) * kPanel<T>);
  }

  // A vector of parameters (count · H), each part padded to `units`; null stays null.
  const T* pad(const void* values, int64_t count, Arena& arena) const {
    if (!values) return nullptr;
    T* padded = arena.take<T>(count * units);
    if (!padded) return nullptr;
    for (int64_t g = 0; g < count; ++g)
      for (int64_t u = 0; u < units; ++u)
        padded[g * units + u] = u < hidden ? static_cast<const T*>(values)[g * hidden + u] : T(0);
    return padded;
  }

 private:
  const T* start(const void* values, int64_t b, int64_t width) const {
    return values ? static_cast<const T*>(values) + place[b] * width : nullptr;
  }

  int64_t nested_first() const { return reset_before ? 2 * hidden * hidden : 0; }

  // A GRU's candidate has one gradient for W_ih x and another for W_hh h; r and z stand between them, so that both
  // products find theirs side by side. Reset before the product, it has one for both. Normalised, all gates differ.
  void order_gradients() {
    const int g = static_cast<int>(gates);
    const int twice = normed ? 2 * g : g;
    if (gru) {
      x_order = {0, 3, {2, 0, 1, 0}};
      h_order = reset_before ? GateOrder{normed ? 4 : 1, 2, {0, 1, 0, 0}}
                : normed     ? GateOrder{3, 3, {2, 0, 1, 0}}
                             : GateOrder{1, 3, {0, 1, 2, 0}};
      gradient_slots = reset_before || normed ? twice : 4;
    } else {
      x_order = {0, g, {0, 1, 2, 3}};
      h_order = {normed ? g : 0, g, {0, 1, 2, 3}};
      gradient_slots = twice;
    }
    for (int gate = 0; gate < 4; ++gate) x_slot[gate] = h_slot[gate] = gru ? (gate + 1) % 3 : gate;
    if (gru && !reset_before) h_slot[2] = 3;
    for (int k = 0; k < 4; ++k) normed_slot[k] = gru ? 3 + x_slot[k] : g + k;
    nested_slope_at = reset_before ? (normed ? 3 : 0) * units : gradient_slots * units;
    nested_operand_at = gradient_slots * units + (projected ? output_units : 0);
    // A vector more than these: pairs of vectors may reach over the end, and rows of a tile must not meet in one set
    // of the first cache.
    gradients_row = nested_operand_at + (nested ? units : 0) + L;
  }
};

// How a team shares a run: by rows of the batch, which need never meet, or by units, which meet at every step
// but read their share of the weights only.
struct Share {
  bool by_rows = true;
  int threads = 1;
};

// Rows of the batch for each thread, with nearly equal numbers of steps.
template <class T>
Range rows_of(const Layer<T>& layer, const Worker& worker, bool by_rows) {
  if (!by_rows || worker.count == 1) return {0, layer.batch};
  const auto bound = [&](int64_t index) {
    if (index == worker.count) return layer.batch;
    if (!layer.run.active) return layer.batch * index / worker.count;
    int64_t seen = 0, b = 0;  // row b has as many steps as there are counts above b
    for (; b < layer.batch && seen * worker.count < layer.rows * index; ++b) {
      int64_t low = 0, high = layer.steps;  // counts never rise with time
      while (low < high) {
        const int64_t middle = (low + high) / 2;
        layer.run.active[middle] > b ? low = middle + 1 : high = middle;
      }
      seen += low;
    }
    return b;
  };
  return {bound(worker.index), bound(worker.index + 1)};
}

template <class T>
Share share_of(const Layer<T>& layer, int64_t threads) {
  Share share;
  const double work = 2.0 * static_cast<double>(layer.rows) * static_cast<double>(layer.gates * layer.hidden) *
                      static_cast<double>(layer.input + layer.outputs);
  // Below a few hundred microseconds of work, waking a thread costs more than it brings.
  const int64_t worth = static_cast<int64_t>(work / 4e6);
  threads = least(threads, most<int64_t>(worth, 1));
  const int64_t recurrent = layer.gates * layer.units * layer.units * static_cast<int64_t>(sizeof(T));
  share.by_rows = layer.rowwise || (layer.batch >= 4 * threads && recurrent <= (int64_t(1) << 20));
  const int64_t parts = share.by_rows ? layer.batch : (layer.blocks + 1) / 2;
  share.threads = static_cast<int>(most<int64_t>(least(least(threads, parts), int64_t(kMostThreads)), 1));
  return share;
}

}  // namespace mc::MC_LEVEL

#endif
