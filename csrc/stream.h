// Streams: a stack of layers that is fed step by step, with weights packed once and a state that stays.
//
// A step is that of a forward pass: the same products in the same order of summation, the same pointwise
// functions, and so the same bits. All that a stream owns is one block of memory.
#ifndef MEMORYCELL_STREAM_H
#define MEMORYCELL_STREAM_H

#include <new>

#include "cells_forward.h"
#include "flush.h"
#include "level.h"
#include "norm.h"
#include "project.h"
#include "stream_weights.h"

namespace mc::MC_LEVEL {

template <class T>
class StreamLayer {
 public:
  StreamLayer(const mc_run& run, int64_t kind)
      : run_(run), layer_(run_), w_ih_(kind, layer_.panels, run.input), w_hh_(kind, layer_.panels, run.hidden) {
    run_.reserve = nullptr, run_.keep_h = nullptr;
    layer_.zone_h.rate = static_cast<T>(run.zone_h_rate);
    layer_.zone_c.rate = static_cast<T>(run.zone_c_rate);
    const bool peephole = run.w_ch;
    if (layer_.lstm && run.coupled)
      cell_ = peephole ? lstm_gates<T, true, true> : lstm_gates<T, true, false>;
    else if (layer_.lstm)
      cell_ = peephole ? lstm_gates<T, false, true> : lstm_gates<T, false, false>;
    else
      cell_ = layer_.gru ? gru_forward<T> : rnn_forward<T>;
  }
  StreamLayer(const StreamLayer&) = delete;
  StreamLayer& operator=(const StreamLayer&) = delete;

  const Layer<T>& layer() const { return layer_; }

  void place(Pieces& pieces) {
    w_ih_.place(pieces), w_hh_.place(pieces);
    layer_.place = pieces.take<int64_t>(layer_.batch);
    states_.operand_row = layer_.units;
    states_.operand[0] = states_.operand[1] = pieces.take<T>(layer_.batch * layer_.units);
    if (layer_.lstm) states_.c = pieces.take<T>(layer_.batch * layer_.units);
    const int64_t gates = layer_.normed ? layer_.gates * layer_.units : layer_.columns;
    x_.shift = pieces.take<T>(gates), h_.shift = pieces.take<T>(gates);
    if (layer_.normed) x_.gain = pieces.take<T>(gates), h_.gain = pieces.take<T>(gates);
    if (layer_.normed && layer_.lstm) c_.gain = pieces.take<T>(layer_.units), c_.shift = pieces.take<T>(layer_.units);
    if (run_.w_ch) peepholes_ = pieces.take<T>(3 * layer_.units);
  }

  // Packs the weights; false if memory for that is out.
  bool pack() {
    Arena arena;
    T* panels = arena.take<T>(layer_.columns * most(layer_.input, layer_.hidden));
    if (!panels) return false;
    const Range all{0, layer_.panels};
    layer_.pack_gates(run_.w_ih, layer_.gates, layer_.hidden, layer_.input, all, panels);
    w_ih_.pack(panels);
    layer_.pack_gates(run_.w_hh, layer_.gates, layer_.hidden, layer_.hidden, all, panels);
    w_hh_.pack(panels);
    for (int64_t b = 0; b < layer_.batch; ++b) layer_.place[b] = b;
    pack_vectors();
    set_state(nullptr, nullptr);
    return true;
  }

  // One step of x, rows x_row apart, to `out` (B, H); null: only to the state. gx, gh: (B, columns), scratch.
  void step(const T* x, int64_t x_row, T* out, T* gx, T* gh) {
    T* h = states_.operand[0];
    // What has nowhere to go is written over the state itself, which holds the same.
    layer_.out = {out ? out : h, 0, out ? layer_.hidden : states_.operand_row, nullptr, layer_.place};
    const int64_t batch = layer_.batch, columns = layer_.columns;
    const bool normed = layer_.normed;
    w_ih_.multiply(x, x_row, batch, normed ? nullptr : x_.shift, gx, columns);
    w_hh_.multiply(h, states_.operand_row, batch, apart_ ? h_.shift : nullptr, gh, columns);
    if (normed)
      for (int64_t b = 0; b < batch; ++b) {
        normalise_gates<T>(layer_, gx + b * columns, x_.gain, x_.shift, nullptr, nullptr);
        normalise_gates<T>(layer_, gh + b * columns, h_.gain, h_.shift, nullptr, nullptr);
      }
    ForwardStep<T> step{};
    step.rows = {0, batch}, step.blocks = {0, layer_.blocks};
    step.gx = gx, step.gx_row = columns, step.gh = gh, step.gh_row = columns;
    cell_(layer_, states_, step);
    if (!layer_.lstm) return;
    if (normed)
      for (int64_t b = 0; b < batch; ++b)
        normalise<T>({layer_, 0, 1, layer_.gates * kLanes<T>}, gh + b * columns, c_.gain, c_.shift, nullptr, 0);
    lstm_output(layer_, states_, step);
  }

  // (B, H) each; c only of an LSTM.
  void get_state(T* h, T* c) const {
    for (int64_t b = 0; b < layer_.batch; ++b) {
      copy(states_.operand[0] + b * layer_.units, layer_.hidden, h + b * layer_.hidden);
      if (layer_.lstm) copy(states_.c + b * layer_.units, layer_.hidden, c + b * layer_.hidden);
    }
  }

  // Null: zeros.
  void set_state(const T* h, const T* c) {
    const int64_t all = layer_.batch * layer_.units;
    for (int64_t i = 0; i < all; ++i) {
      const int64_t b = i / layer_.units, u = i % layer_.units, from = b * layer_.hidden + u;
      const bool real = u < layer_.hidden;
      states_.operand[0][i] = h && real ? h[from] : T(0);
      if (layer_.lstm) states_.c[i] = c && real ? c[from] : T(0);
    }
  }

  const T* h() const { return states_.operand[0]; }

 private:
  // What follows a product: its bias, or the gain and shift of its normalisation.
  struct After {
    T *gain = nullptr, *shift = nullptr;
  };

  void pack_vectors() {
    const T *b_ih = static_cast<const T*>(run_.b_ih), *b_hh = static_cast<const T*>(run_.b_hh);
    const int64_t peepholes = run_.coupled ? 2 : 3;
    if (run_.w_ch) {
      pad(run_.w_ch, peepholes, nullptr, peepholes_);
      states_.peephole_i = peepholes_, states_.peephole_f = peepholes_ + layer_.units;
      states_.peephole_o = peepholes_ + (peepholes - 1) * layer_.units;
    }
    if (layer_.normed) {
      pad(run_.norm_ih_gain, layer_.gates, nullptr, x_.gain), pad(run_.norm_ih_bias, layer_.gates, b_ih, x_.shift);
      pad(run_.norm_hh_gain, layer_.gates, nullptr, h_.gain), pad(run_.norm_hh_bias, layer_.gates, b_hh, h_.shift);
      if (layer_.lstm) pad(run_.norm_ch_gain, 1, nullptr, c_.gain), pad(run_.norm_ch_bias, 1, nullptr, c_.shift);
      return;
    }
    // The candidate of a GRU gates W_hh h with its bias: b_hh cannot join b_ih there.
    apart_ = layer_.gru && b_hh;
    for (int64_t column = 0; column < layer_.columns; ++column) {
      const int64_t vector = column / kLanes<T>, gate = vector % layer_.gates;
      const int64_t unit = vector / layer_.gates * kLanes<T> + column % kLanes<T>;
      const int64_t from = gate * layer_.hidden + unit;
      const T ih = unit < layer_.hidden && b_ih ? b_ih[from] : T(0);
      const T hh = unit < layer_.hidden && b_hh ? b_hh[from] : T(0);
      const bool alone = layer_.gru && gate == 2;
      x_.shift[column] = alone ? ih : ih + hh;
      h_.shift[column] = alone ? hh : T(0);
    }
  }

  // Parts of H values, each padded to `units`; `more` is added.
  void pad(const void* values, int64_t parts, const T* more, T* to) const {
    for (int64_t part = 0; part < parts; ++part)
      for (int64_t u = 0; u < layer_.units; ++u) {
        const int64_t from = part * layer_.hidden + u;
        const bool real = u < layer_.hidden;
        *to++ = real ? static_cast<const T*>(values)[from] + (more ? more[from] : T(0)) : T(0);
      }
  }

  mc_run run_;
  Layer<T> layer_;
  StreamWeights<T> w_ih_, w_hh_;
  States<T> states_{};
  After x_, h_, c_;
  T* peepholes_ = nullptr;
  bool apart_ = false;  // b_hh has a part that cannot join b_ih
  void (*cell_)(const Layer<T>&, const States<T>&, const ForwardStep<T>&);
};

template <class T>
class Stream : public mc_stream {
 public:
  // Null if memory is out. Nothing of the runs is read later.
  static mc_stream* open(const mc_run* runs, int64_t count, int64_t kind) {
    Stream counted;
    Pieces none(nullptr);
    counted.place(none, runs, count, kind);
    void* block = nullptr;
    if (posix_memalign(&block, kLine, static_cast<size_t>(none.used())) != 0) return nullptr;
    Pieces pieces(static_cast<char*>(block));
    Stream* stream = new (block) Stream;
    stream->place(pieces, runs, count, kind);
    for (int64_t i = 0; i < count; ++i)
      if (!stream->layers_[i].pack()) {
        free(block);
        return nullptr;
      }
    return stream;
  }

 private:
  Stream() : mc_stream{&do_step, &do_get_state, &do_set_state} {}

  void place(Pieces& pieces, const mc_run* runs, int64_t count, int64_t kind) {
    pieces.take<Stream>(1);
    count_ = count;
    layers_ = pieces.take<StreamLayer<T>>(count);
    int64_t columns = 0;
    for (int64_t i = 0; i < count; ++i) {
      alignas(StreamLayer<T>) char here[sizeof(StreamLayer<T>)];
      StreamLayer<T>* one = new (layers_ ? static_cast<void*>(layers_ + i) : here) StreamLayer<T>(runs[i], kind);
      one->place(pieces);
      columns = most(columns, one->layer().columns);
    }
    const int64_t batch = runs[0].batch;
    gx_ = pieces.take<T>(batch * columns), gh_ = pieces.take<T>(batch * columns);
  }

  static void do_step(mc_stream* stream, const void* x, void* out) {
    const Flushing flushing;
    Stream& s = *static_cast<Stream*>(stream);
    const T* input = static_cast<const T*>(x);
    int64_t row = s.layers_[0].layer().input;
    for (int64_t i = 0; i < s.count_; ++i) {
      StreamLayer<T>& layer = s.layers_[i];
      layer.step(input, row, i + 1 < s.count_ ? nullptr : static_cast<T*>(out), s.gx_, s.gh_);
      input = layer.h(), row = layer.layer().units;
    }
  }

  static void do_get_state(const mc_stream* stream, void* h, void* c) {
    const Stream& s = *static_cast<const Stream*>(stream);
    const int64_t part = s.layers_[0].layer().batch * s.layers_[0].layer().hidden;
    for (int64_t i = 0; i < s.count_; ++i)
      s.layers_[i].get_state(static_cast<T*>(h) + i * part, static_cast<T*>(c) + i * part);
  }

  static void do_set_state(mc_stream* stream, const void* h, const void* c) {
    Stream& s = *static_cast<Stream*>(stream);
    const int64_t part = s.layers_[0].layer().batch * s.layers_[0].layer().hidden;
    const auto at = [&](const void* from, int64_t i) {
      return from ? static_cast<const T*>(from) + i * part : nullptr;
    };
    for (int64_t i = 0; i < s.count_; ++i) s.layers_[i].set_state(at(h, i), at(c, i));
  }

  int64_t count_ = 0;
  StreamLayer<T>* layers_ = nullptr;
  T *gx_ = nullptr, *gh_ = nullptr;
};

}  // namespace mc::MC_LEVEL

#endif
