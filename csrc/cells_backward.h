// From the gradient of a step's states to those of its pre-activations: the pointwise half of each cell, back.
//
// Gate gradients of a row stand gate by gate, each `units` wide (Layer::x_order, h_order), ready to be an
// operand of the products that follow.
#ifndef MEMORYCELL_CELLS_BACKWARD_H
#define MEMORYCELL_CELLS_BACKWARD_H

#include "cells_forward.h"

namespace mc::MC_LEVEL {

// What a backward pass carries from step to step, shared by its threads.
template <class T>
struct Carried {
  T* c;      // (B, units) gradient of the cell
  T* h;      // (B, output_units) gradient of h past the product: of a GRU's z h, of zoneout; at first that of h_n
  Rows<const T> dout;
  const T* c_0;  // (B, units) LSTM
  const T* h_0;  // (B, units)
  const T *peephole_i, *peephole_f, *peephole_o;
  const T *cell_gain, *cell_shift;
};

// Sums over all rows that a thread has seen, by gradient slot.
template <class T>
struct Sums {
  T* bias;      // (slots, units)
  T* peephole;  // (3, units): i, f, o
};

// One step of some rows and blocks.
template <class T>
struct BackwardStep {
  int64_t s, t;
  Range rows, blocks;
  bool continued;   // the rows have a later step: dh holds what came back through W_hh
  T* dh;            // scratch, row rows.first, block blocks.first
  int64_t dh_row;
  T* gradients;     // gate gradients, row rows.first
  int64_t gradients_row;
};

#define MC_EACH _Pragma("GCC unroll 8") for (int q = 0; q < N; ++q)

// The whole gradient of h' of a row and block; what zoneout hands on to the step before stays in carried.h.
template <class T>
MC_INLINE Vec<T> take_dh(const Layer<T>& layer, const Carried<T>& carried, const BackwardStep<T>& step, int64_t b,
                         int64_t unit, int lanes, Vec<T>& direct) {
  Vec<T> dh{};
  if (step.continued) {
    dh = load(step.dh + (b - step.rows.first) * step.dh_row + (unit - step.blocks.first * kLanes<T>));
    if (const T* keep = layer.keep_h(b)) dh *= load_first(keep + unit, lanes);
  }
  if (!step.continued || layer.gru || layer.zone_h) dh += load(carried.h + b * layer.output_units + unit);
  if (carried.dout) dh += load_first(carried.dout.at(step.t, b) + unit, lanes);
  if (layer.zone_h) {
    direct = layer.zone_h.at(step.t, b, unit, lanes) * dh;
    dh -= direct;
  } else {
    direct = Vec<T>{};
  }
  return dh;
}

// The gradient of the projected h, to its place in the row of gradients.
template <class T>
void lstm_projected_backward(const Layer<T>& layer, const Carried<T>& carried, const BackwardStep<T>& step) {
  for (int64_t b = step.rows.first; b < step.rows.last; ++b)
    for (int64_t block = 0; block < layer.output_blocks; ++block) {
      const int64_t unit = block * kLanes<T>;
      Vec<T> direct;
      const Vec<T> dh = take_dh(layer, carried, step, b, unit, layer.output_lanes(block), direct);
      if (layer.zone_h) store(carried.h + b * layer.output_units + unit, direct);
      store(step.gradients + (b - step.rows.first) * step.gradients_row + layer.nested_slope_at + unit, dh);
    }
}

// h = o · tanh(y), y the cell or its normalisation: leaves the gradient of y in step.dh, and that of o's
// pre-activation in its slot. What is projected has its gradient in step.dh before; it is kept for that of W_hr.
template <class T>
void lstm_output_backward(const Layer<T>& layer, const Carried<T>& carried, const BackwardStep<T>& step) {
  using V = Vec<T>;
  constexpr int L = kLanes<T>;
  const int64_t o_slot = layer.gates - 1;
  for (int64_t block = step.blocks.first; block < step.blocks.last; ++block) {
    const int64_t unit = block * L;
    const int lanes = layer.lanes_of(block);
    in_lockstep<4>(step.rows, [&](auto count, int64_t b) {
      constexpr int N = decltype(count)::value;
      V squashed[N];
      const T* kept[N];
      MC_EACH {
        kept[q] = layer.reserved(step.s, b + q) + block * layer.slots.count * L;
        squashed[q] = load(kept[q] + (layer.normed ? layer.slots.norm_c : layer.slots.new_cell) * L);
        if (layer.normed)
          squashed[q] = fma(squashed[q], load(carried.cell_gain + unit), load(carried.cell_shift + unit));
      }
      tanh<T>(squashed);
      MC_EACH {
        const int64_t row = b + q - step.rows.first;
        T* gradients = step.gradients + row * step.gradients_row + unit;
        T* dy = step.dh + row * step.dh_row + (block - step.blocks.first) * L;
        const V o = load(kept[q] + 3 * L);
        V dh, direct;
        if (layer.projected) {
          dh = load(dy);
          store(gradients + layer.nested_operand_at, o * squashed[q]);
        } else {
          dh = take_dh(layer, carried, step, b + q, unit, lanes, direct);
          if (layer.zone_h) store(carried.h + (b + q) * layer.units + unit, direct);
        }
        const V through = dh * o;
        store(gradients + o_slot * layer.units, through * squashed[q] * (T(1) - o));
        store(dy, fma(-through * squashed[q], squashed[q], through));
      }
    });
  }
}

// From the gradient of y in step.dh (and of the cell in carried.c) to the gates i, f, g and the cell before.
template <class T, bool kCoupled, bool kPeephole>
void lstm_gates_backward(const Layer<T>& layer, const Carried<T>& carried, const Sums<T>& sums,
                         const BackwardStep<T>& step) {
  using V = Vec<T>;
  constexpr int L = kLanes<T>, G = kCoupled ? 3 : 4, I = 0, F = 1, C = G - 2, O = G - 1;
  const int64_t units = layer.units;
  for (int64_t block = step.blocks.first; block < step.blocks.last; ++block) {
    const int64_t unit = block * L;
    const int lanes = layer.lanes_of(block);
    V bias[G], peephole[3] = {};
#pragma GCC unroll 4
    for (int g = 0; g < G; ++g) bias[g] = load(sums.bias + g * units + unit);
    if (kPeephole)
      for (int k = 0; k < 3; ++k) peephole[k] = load(sums.peephole + k * units + unit);
    for (int64_t b = step.rows.first; b < step.rows.last; ++b) {
      const T* kept = layer.reserved(step.s, b) + block * layer.slots.count * L;
      const V i = load(kept), f = load(kept + L), g = load(kept + 2 * L);
      const T* c_from = layer.has_before(step.s, b)
                            ? layer.reserved(step.s - 1, b) + (block * layer.slots.count + layer.slots.cell) * L
                            : carried.c_0 + b * units + unit;
      const V c_before = load(c_from);
      T* row = step.gradients + (b - step.rows.first) * step.gradients_row + unit;
      T* dc_at = carried.c + b * units + unit;
      V dc = load(dc_at), zoned = {};
      if (layer.zone_c) {
        zoned = layer.zone_c.at(step.t, b, unit, lanes) * dc;
        dc -= zoned;
      }
      dc += load(step.dh + (b - step.rows.first) * step.dh_row + (block - step.blocks.first) * L);
      const V d_o = load(row + O * units);
      if (kPeephole) {
        dc = fma(d_o, load(carried.peephole_o + unit), dc);
        peephole[2] = fma(d_o, load(kept + layer.slots.new_cell * L), peephole[2]);
      }
      const V d_g = dc * i * (T(1) - g * g);
      V d_i = dc * i * (T(1) - i), before = dc * f;
      if constexpr (kCoupled) {
        d_i = d_i * (g - c_before);
      } else {
        const V d_f = before * c_before * (T(1) - f);
        d_i = d_i * g;
        store(row + F * units, d_f);
        bias[F] += d_f;
        if (kPeephole) {
          before = fma(d_f, load(carried.peephole_f + unit), before);
          peephole[1] = fma(d_f, c_before, peephole[1]);
        }
      }
      if (kPeephole) {
        before = fma(d_i, load(carried.peephole_i + unit), before);
        peephole[0] = fma(d_i, c_before, peephole[0]);
      }
      store(row + I * units, d_i);
      store(row + C * units, d_g);
      store(dc_at, before + zoned);
      bias[I] += d_i, bias[C] += d_g, bias[O] += d_o;
    }
#pragma GCC unroll 4
    for (int g = 0; g < G; ++g) store(sums.bias + g * units + unit, bias[g]);
    if (kPeephole)
      for (int k = 0; k < 3; ++k) store(sums.peephole + k * units + unit, peephole[k]);
  }
}

// h before a step, of a GRU.
template <class T>
MC_INLINE Vec<T> gru_before(const Layer<T>& layer, const Carried<T>& carried, const BackwardStep<T>& step, int64_t b,
                            int64_t unit, int lanes) {
  return layer.has_before(step.s, b)
             ? load_first(static_cast<const T*>(layer.out.at(layer.time_of(step.s - 1), b)) + unit, lanes)
             : load(carried.h_0 + b * layer.units + unit);
}

// Slots: W_ih's part of n, r, z, W_hh's part of n.
template <class T>
void gru_backward(const Layer<T>& layer, const Carried<T>& carried, const Sums<T>& sums, const BackwardStep<T>& step) {
  using V = Vec<T>;
  constexpr int L = kLanes<T>;
  const int64_t units = layer.units;
  for (int64_t block = step.blocks.first; block < step.blocks.last; ++block) {
    const int64_t unit = block * L;
    const int lanes = layer.lanes_of(block);
    V bias[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) bias[k] = load(sums.bias + k * units + unit);
    for (int64_t b = step.rows.first; b < step.rows.last; ++b) {
      const T* kept = layer.reserved(step.s, b) + block * layer.slots.count * L;
      const V r = load(kept), z = load(kept + L), n = load(kept + 2 * L), hn = load(kept + 3 * L);
      V direct;
      const V dh = take_dh(layer, carried, step, b, unit, lanes, direct);
      const V h_before = gru_before(layer, carried, step, b, unit, lanes);
      const V carry = dh * z;
      const V d_n = (dh - carry) * (T(1) - n * n);
      const V d_z = (h_before - n) * carry * (T(1) - z);
      const V d_hn = d_n * r;
      const V d_r = d_hn * hn * (T(1) - r);
      T* row = step.gradients + (b - step.rows.first) * step.gradients_row + unit;
      store(row, d_n), store(row + units, d_r), store(row + 2 * units, d_z), store(row + 3 * units, d_hn);
      store(carried.h + b * units + unit, carry + direct);
      bias[0] += d_n, bias[1] += d_r, bias[2] += d_z, bias[3] += d_hn;
    }
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) store(sums.bias + k * units + unit, bias[k]);
  }
}

// Reset before the product: the gates that follow it. Slots: n, r, z.
template <class T>
void gru_candidate_backward(const Layer<T>& layer, const Carried<T>& carried, const Sums<T>& sums,
                            const BackwardStep<T>& step) {
  using V = Vec<T>;
  constexpr int L = kLanes<T>;
  const int64_t units = layer.units;
  for (int64_t b = step.rows.first; b < step.rows.last; ++b)
    for (int64_t block = 0; block < layer.blocks; ++block) {
      const int64_t unit = block * L;
      const int lanes = layer.lanes_of(block);
      const T* kept = layer.reserved(step.s, b) + block * layer.slots.count * L;
      const V z = load(kept + L), n = load(kept + 2 * L);
      V direct;
      const V dh = take_dh(layer, carried, step, b, unit, lanes, direct);
      const V carry = dh * z;
      const V d_n = (dh - carry) * (T(1) - n * n);
      const V d_z = (gru_before(layer, carried, step, b, unit, lanes) - n) * carry * (T(1) - z);
      T* row = step.gradients + (b - step.rows.first) * step.gradients_row + unit;
      store(row, d_n), store(row + 2 * units, d_z);
      store(carried.h + b * units + unit, carry + direct);
      T* bias = sums.bias + unit;
      store(bias, load(bias) + d_n), store(bias + 2 * units, load(bias + 2 * units) + d_z);
    }
}

// … and r, from the gradient of r h in step.dh; r h is kept for the gradient of its weights.
template <class T>
void gru_reset_backward(const Layer<T>& layer, const Carried<T>& carried, const Sums<T>& sums,
                        const BackwardStep<T>& step) {
  using V = Vec<T>;
  constexpr int L = kLanes<T>;
  const int64_t units = layer.units;
  for (int64_t b = step.rows.first; b < step.rows.last; ++b)
    for (int64_t block = 0; block < layer.blocks; ++block) {
      const int64_t unit = block * L;
      const int lanes = layer.lanes_of(block);
      const V r = load(layer.reserved(step.s, b) + block * layer.slots.count * L);
      const V d = load(step.dh + (b - step.rows.first) * step.dh_row + unit);
      V seen = gru_before(layer, carried, step, b, unit, lanes), d_h = d * r;
      if (const T* keep = layer.keep_h(b)) {
        const V kept = load_first(keep + unit, lanes);
        seen *= kept, d_h *= kept;
      }
      const V d_r = d * seen * r * (T(1) - r);
      T* row = step.gradients + (b - step.rows.first) * step.gradients_row + unit;
      store(row + units, d_r), store(row + layer.nested_operand_at, r * seen);
      T *h_at = carried.h + b * units + unit, *bias = sums.bias + units + unit;
      store(h_at, load(h_at) + d_h), store(bias, load(bias) + d_r);
    }
}

template <class T>
void rnn_backward(const Layer<T>& layer, const Carried<T>& carried, const Sums<T>& sums, const BackwardStep<T>& step) {
  using V = Vec<T>;
  constexpr int L = kLanes<T>;
  const bool relu = layer.run.mode == MC_RNN_RELU;
  for (int64_t block = step.blocks.first; block < step.blocks.last; ++block) {
    const int64_t unit = block * L;
    const int lanes = layer.lanes_of(block);
    V bias = load(sums.bias + unit);
    for (int64_t b = step.rows.first; b < step.rows.last; ++b) {
      const V h = load(layer.reserved(step.s, b) + block * layer.slots.count * L);
      V direct;
      const V dh = take_dh(layer, carried, step, b, unit, lanes, direct);
      if (layer.zone_h) store(carried.h + b * layer.units + unit, direct);
      const V d = relu ? (h > T(0) ? dh : V{}) : dh * (T(1) - h * h);
      store(step.gradients + (b - step.rows.first) * step.gradients_row + unit, d);
      bias += d;
    }
    store(sums.bias + unit, bias);
  }
}

#undef MC_EACH

}  // namespace mc::MC_LEVEL

#endif
