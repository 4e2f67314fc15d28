// From the two products of a step to its states: the pointwise half of each cell, forward.
//
// The pre-activations come in two parts: gx from W_ih x, for all steps of a chunk, and gh from W_hh h, for the
// rows and blocks at hand. gh is scratch: gates take its place.
#ifndef MEMORYCELL_CELLS_FORWARD_H
#define MEMORYCELL_CELLS_FORWARD_H

#include "activations.h"
#include "layer.h"

namespace mc::MC_LEVEL {

// What a forward pass carries from step to step, shared by its threads.
template <class T>
struct States {
  T* operand[2];        // (B, operand_row) h · keep_h: what enters W_hh, before and after the step
  int64_t operand_row;
  T* h;                 // (B, units) h itself, where the operand is masked and h is needed; else null
  T* c;                 // (B, units) LSTM
  T* nested;            // (B, nested_row) what enters a step's second product; null: it has none
  int64_t nested_row;
  const T *peephole_i, *peephole_f, *peephole_o;  // (units), or null
};

// One step of some rows and blocks.
template <class T>
struct ForwardStep {
  int64_t s, t;
  Range rows, blocks;
  const T* gx;  // row rows.first, block 0
  int64_t gx_row;
  T* gh;        // row rows.first, block blocks.first
  int64_t gh_row;
};

// Calls body(std::integral_constant<int, n>, first row) for the rows, n at a time as long as it goes.
template <int kAtOnce, class Body>
MC_INLINE void in_lockstep(Range rows, const Body& body) {
  int64_t r = rows.first;
  for (; r + kAtOnce <= rows.last; r += kAtOnce) body(std::integral_constant<int, kAtOnce>{}, r);
  for (; r < rows.last; ++r) body(std::integral_constant<int, 1>{}, r);
}

#define MC_EACH _Pragma("GCC unroll 8") for (int q = 0; q < N; ++q)

// h of a row and block, after the cell: zoneout, then to wherever it is needed.
template <class T>
MC_INLINE void put_h(const Layer<T>& layer, const States<T>& states, const ForwardStep<T>& step, int64_t b,
                     int64_t unit, int lanes, Vec<T> h, Vec<T> h_before) {
  if (layer.zone_h) h = fma(layer.zone_h.at(step.t, b, unit, lanes), h_before - h, h);
  store_first(layer.out.at(step.t, b) + unit, h, lanes);
  if (states.h) store(states.h + b * layer.output_units + unit, h);
  if (const T* keep = layer.keep_h(b)) h *= load_first(keep + unit, lanes);
  store(states.operand[(step.s + 1) % 2] + b * states.operand_row + unit, h);
}

template <class T>
MC_INLINE Vec<T> h_before(const Layer<T>& layer, const States<T>& states, const ForwardStep<T>& step, int64_t b,
                          int64_t unit) {
  return load(states.h ? states.h + b * layer.output_units + unit
                       : states.operand[step.s % 2] + b * states.operand_row + unit);
}

// i, f, g and c of an LSTM; leaves c' in slot 0 of gh and o in slot 1 for lstm_output.
template <class T, bool kCoupled, bool kPeephole>
void lstm_gates(const Layer<T>& layer, const States<T>& states, const ForwardStep<T>& step) {
  using V = Vec<T>;
  constexpr int L = kLanes<T>, G = kCoupled ? 3 : 4, I = 0, F = 1, C = G - 2, O = G - 1;
  for (int64_t block = step.blocks.first; block < step.blocks.last; ++block) {
    const int64_t unit = block * L;
    const int lanes = layer.lanes_of(block);
    V peephole[3] = {};
    if (kPeephole) {
      peephole[0] = load(states.peephole_i + unit);
      if (!kCoupled) peephole[1] = load(states.peephole_f + unit);
      peephole[2] = load(states.peephole_o + unit);
    }
    for (int64_t b = step.rows.first; b < step.rows.last; ++b) {
      const T* gx = step.gx + (b - step.rows.first) * step.gx_row + block * G * L;
      T* gh = step.gh + (b - step.rows.first) * step.gh_row + (block - step.blocks.first) * G * L;
      T* c_at = states.c + b * layer.units + unit;
      const V c = load(c_at);
      V pre[G];
#pragma GCC unroll 4
      for (int g = 0; g < G; ++g) pre[g] = load(gx + g * L) + load(gh + g * L);
      if (kPeephole) {
        pre[I] = fma(peephole[0], c, pre[I]);
        if (!kCoupled) pre[F] = fma(peephole[1], c, pre[F]);
      }
      V i, f, g, o = pre[O];
      if constexpr (kCoupled) {
        V z[3] = {pre[I], pre[O], pre[C]};
        sigmoids_and_tanh<T>(z);
        i = z[0], f = T(1) - z[0], g = z[2];
        if (!kPeephole) o = z[1];
      } else {
        V z[4] = {pre[I], pre[F], pre[O], pre[C]};
        sigmoids_and_tanh<T>(z);
        i = z[0], f = z[1], g = z[3];
        if (!kPeephole) o = z[2];
      }
      const V c_new = fma(f, c, i * g);
      if (kPeephole) {
        V z[1] = {fma(peephole[2], c_new, o)};
        sigmoid<T>(z);
        o = z[0];
      }
      V c_next = c_new;
      if (layer.zone_c) c_next = fma(layer.zone_c.at(step.t, b, unit, lanes), c - c_new, c_new);
      store(c_at, c_next);
      store(gh, c_new);
      store(gh + L, o);
      if (layer.run.reserve) {
        T* kept = layer.reserved(step.s, b) + block * layer.slots.count * L;
        store(kept, i), store(kept + L, f), store(kept + 2 * L, g), store(kept + 3 * L, o);
        store(kept + layer.slots.cell * L, c_next);
        if (layer.zone_c) store(kept + layer.slots.new_cell * L, c_new);
      }
    }
  }
}

// h = o · tanh(c'), c' and o from the first two slots of gh; where h is projected, what is projected.
template <class T>
void lstm_output(const Layer<T>& layer, const States<T>& states, const ForwardStep<T>& step) {
  constexpr int L = kLanes<T>;
  for (int64_t block = step.blocks.first; block < step.blocks.last; ++block) {
    const int64_t unit = block * L;
    const int lanes = layer.lanes_of(block);
    const T* gh = step.gh + (block - step.blocks.first) * layer.gates * L;
    in_lockstep<4>(step.rows, [&](auto count, int64_t b) {
      constexpr int N = decltype(count)::value;
      Vec<T> squashed[N];
      const T* row = gh + (b - step.rows.first) * step.gh_row;
      MC_EACH squashed[q] = load(row + q * step.gh_row);
      tanh<T>(squashed);
      MC_EACH {
        const Vec<T> h = load(row + q * step.gh_row + L) * squashed[q];
        if (states.nested) {
          store(states.nested + (b + q) * states.nested_row + unit, h);
          continue;
        }
        const Vec<T> before = layer.zone_h ? h_before(layer, states, step, b + q, unit) : Vec<T>{};
        put_h(layer, states, step, b + q, unit, lanes, h, before);
      }
    });
  }
}

// The projected h, from gh.
template <class T>
void lstm_projected(const Layer<T>& layer, const States<T>& states, const ForwardStep<T>& step) {
  for (int64_t b = step.rows.first; b < step.rows.last; ++b)
    for (int64_t block = 0; block < layer.output_blocks; ++block) {
      const int64_t unit = block * kLanes<T>;
      const Vec<T> before = layer.zone_h ? h_before(layer, states, step, b, unit) : Vec<T>{};
      put_h(layer, states, step, b, unit, layer.output_lanes(block),
            load(step.gh + (b - step.rows.first) * step.gh_row + unit), before);
    }
}

template <class T>
void gru_forward(const Layer<T>& layer, const States<T>& states, const ForwardStep<T>& step) {
  using V = Vec<T>;
  constexpr int L = kLanes<T>, G = 3;
  for (int64_t block = step.blocks.first; block < step.blocks.last; ++block) {
    const int64_t unit = block * L;
    const int lanes = layer.lanes_of(block);
    in_lockstep<2>(step.rows, [&](auto count, int64_t b) {
      constexpr int N = decltype(count)::value;
      V rz[2 * N], n[N], hn[N];
      MC_EACH {
        const T* gx = step.gx + (b + q - step.rows.first) * step.gx_row + block * G * L;
        const T* gh = step.gh + (b + q - step.rows.first) * step.gh_row + (block - step.blocks.first) * G * L;
        rz[2 * q] = load(gx) + load(gh);
        rz[2 * q + 1] = load(gx + L) + load(gh + L);
        n[q] = load(gx + 2 * L);
        hn[q] = load(gh + 2 * L);
      }
      sigmoid<T>(rz);
      MC_EACH n[q] = fma(rz[2 * q], hn[q], n[q]);
      tanh<T>(n);
      MC_EACH {
        const V before = h_before(layer, states, step, b + q, unit);
        if (layer.run.reserve) {
          T* kept = layer.reserved(step.s, b + q) + block * layer.slots.count * L;
          store(kept, rz[2 * q]), store(kept + L, rz[2 * q + 1]), store(kept + 2 * L, n[q]), store(kept + 3 * L, hn[q]);
        }
        // (1 - z) n + z h
        const V h = fma(rz[2 * q + 1], before - n[q], n[q]);
        put_h(layer, states, step, b + q, unit, lanes, h, before);
      }
    });
  }
}

// Reset before the product: r, which stays in the first slot of gh, z in the second, and what enters the product.
template <class T>
void gru_reset(const Layer<T>& layer, const States<T>& states, const ForwardStep<T>& step) {
  constexpr int L = kLanes<T>;
  for (int64_t b = step.rows.first; b < step.rows.last; ++b)
    for (int64_t block = 0; block < layer.blocks; ++block) {
      const int64_t unit = block * L;
      const T* gx = step.gx + (b - step.rows.first) * step.gx_row + block * 3 * L;
      T* gh = step.gh + (b - step.rows.first) * step.gh_row + block * 2 * L;
      Vec<T> rz[2] = {load(gx) + load(gh), load(gx + L) + load(gh + L)};
      sigmoid<T>(rz);
      store(gh, rz[0]), store(gh + L, rz[1]);
      const Vec<T> seen = load(states.operand[step.s % 2] + b * states.operand_row + unit);
      store(states.nested + b * states.nested_row + unit, rz[0] * seen);
    }
}

// … then n from the product, which stands behind r and z, and h.
template <class T>
void gru_candidate(const Layer<T>& layer, const States<T>& states, const ForwardStep<T>& step) {
  using V = Vec<T>;
  constexpr int L = kLanes<T>;
  for (int64_t block = 0; block < layer.blocks; ++block) {
    const int64_t unit = block * L;
    const int lanes = layer.lanes_of(block);
    in_lockstep<4>(step.rows, [&](auto count, int64_t b) {
      constexpr int N = decltype(count)::value;
      V n[N];
      MC_EACH n[q] = load(step.gx + (b + q - step.rows.first) * step.gx_row + (block * 3 + 2) * L) +
                     load(step.gh + (b + q - step.rows.first) * step.gh_row + 2 * layer.units + unit);
      tanh<T>(n);
      MC_EACH {
        const T* gh = step.gh + (b + q - step.rows.first) * step.gh_row + block * 2 * L;
        const V z = load(gh + L), before = h_before(layer, states, step, b + q, unit);
        if (layer.run.reserve) {
          T* kept = layer.reserved(step.s, b + q) + block * layer.slots.count * L;
          store(kept, load(gh)), store(kept + L, z), store(kept + 2 * L, n[q]);
        }
        put_h(layer, states, step, b + q, unit, lanes, fma(z, before - n[q], n[q]), before);
      }
    });
  }
}

template <class T>
void rnn_forward(const Layer<T>& layer, const States<T>& states, const ForwardStep<T>& step) {
  constexpr int L = kLanes<T>;
  const bool relu = layer.run.mode == MC_RNN_RELU;
  for (int64_t block = step.blocks.first; block < step.blocks.last; ++block) {
    const int64_t unit = block * L;
    const int lanes = layer.lanes_of(block);
    in_lockstep<4>(step.rows, [&](auto count, int64_t b) {
      constexpr int N = decltype(count)::value;
      Vec<T> h[N];
      MC_EACH h[q] = load(step.gx + (b + q - step.rows.first) * step.gx_row + unit) +
                     load(step.gh + (b + q - step.rows.first) * step.gh_row + (block - step.blocks.first) * L);
      if (relu) {
        MC_EACH h[q] = h[q] < T(0) ? Vec<T>{} : h[q];  // NaN stays
      } else {
        tanh<T>(h);
      }
      MC_EACH {
        if (layer.run.reserve) store(layer.reserved(step.s, b + q) + block * layer.slots.count * L, h[q]);
        const Vec<T> before = layer.zone_h ? h_before(layer, states, step, b + q, unit) : Vec<T>{};
        put_h(layer, states, step, b + q, unit, lanes, h[q], before);
      }
    });
  }
}

#undef MC_EACH

}  // namespace mc::MC_LEVEL

#endif
