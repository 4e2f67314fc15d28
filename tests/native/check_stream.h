// What must hold of a stream: step by step it gives the bits of a forward pass over all steps.
#ifndef MEMORYCELL_CHECK_STREAM_H
#define MEMORYCELL_CHECK_STREAM_H

#include "attempt.h"

namespace check {

constexpr Case kStreams[] = {
    {MC_LSTM, 0, kBias, Lengths::kFull, 5, 1, 21, 17},
    {MC_LSTM, 0, kBias | kInitial | kBatchFirst, Lengths::kFull, 4, 3, 9, 130},
    {MC_LSTM, 1, kBias | kInitial | kPeephole | kZoneRates, Lengths::kFull, 5, 2, 3, 65},
    {MC_LSTM, 0, kPeephole | kNorm, Lengths::kFull, 3, 4, 8, 17},
    {MC_GRU, 0, kBias | kInitial, Lengths::kFull, 5, 1, 40, 65},
    {MC_GRU, 0, kInitial | kNorm | kZoneRates, Lengths::kFull, 3, 13, 5, 33},
    {MC_RNN_TANH, 0, kBias | kInitial, Lengths::kFull, 4, 2, 1, 1},
    {MC_RNN_RELU, 0, 0, Lengths::kFull, 4, 7, 300, 5},
};

// Two layers, one upon the other, and what a forward pass over them gives.
template <class T>
struct Stack {
  Problem<T> below, above;
  Attempt<T> lower, upper;

  Stack(const Case& c, int64_t level)
      : below(c), above(upon(c)), lower(below, {level, 1}, false), upper(above, {level, 1}, false) {
    upper.run.x = lower.run.out, upper.run.x_time = lower.run.out_time, upper.run.x_row = lower.run.out_row;
  }
  void forward() { lower.forward(), upper.forward(); }
  static Case upon(Case c) {
    c.input = c.hidden;
    return c;
  }
};

// As `kind` keeps a matrix: each row's weights rounded.
inline void round_weights(const Problem<float>& p, int name, int64_t width, int64_t kind) {
  const Buffer<float>& w = p.tensors[name];
  for (int64_t row = 0; row < w.count() / width; ++row) {
    float largest = 0;
    for (int64_t k = 0; k < width; ++k) largest = std::fmax(largest, std::fabs(w[row * width + k]));
    for (int64_t k = 0; k < width; ++k) {
      float& value = w[row * width + k];
      if (kind == MC_INT8) {
        value = std::nearbyint(value / (largest / 127)) * (largest / 127);
      } else {
        uint32_t bits;
        std::memcpy(&bits, &value, sizeof(bits));
        bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;  // to the nearest, ties to even
        std::memcpy(&value, &bits, sizeof(bits));
      }
    }
  }
}

template <class T>
bool near(const T* found, const T* expected, int64_t count, double tolerance) {
  if (tolerance == 0) return std::memcmp(found, expected, static_cast<size_t>(count) * sizeof(T)) == 0;
  bool all = true;
  for (int64_t i = 0; i < count; ++i)
    all &= std::fabs(static_cast<double>(found[i]) - static_cast<double>(expected[i])) <= tolerance;
  return all;
}

// All steps of a stack through the stream, from the initial state; then its state.
template <class T>
void check_steps(mc_stream* stream, const Stack<T>& stack, double tolerance, const std::string& where) {
  const Problem<T>& p = stack.below;
  const Case& c = p.c;
  const int64_t state = c.batch * c.hidden;
  const bool lstm = c.mode == MC_LSTM;
  Buffer<T> x(c.batch * c.input), out(state), h(2 * state), cell(lstm ? 2 * state : 0);
  for (int64_t i = 0; c.has & kInitial && i < 2 * state; ++i) {
    const Problem<T>& layer = i < state ? stack.below : stack.above;
    h[i] = layer.tensors[kH0][i % state];
    if (lstm) cell[i] = layer.tensors[kC0][i % state];
  }
  if (c.has & kInitial)
    mc_stream_set_state(stream, h.data(), lstm ? cell.data() : nullptr);
  else
    mc_stream_set_state(stream, nullptr, nullptr);
  for (int64_t t = 0; t < c.steps; ++t) {
    for (int64_t i = 0; i < x.count(); ++i)
      x[i] = p.tensors[kX][p.at(p.tensors.shape[kX], t, i / c.input) + i % c.input];
    mc_stream_step(stream, x.data(), out.data());
    for (int64_t b = 0; b < c.batch; ++b) {
      const T* expected = stack.upper.outputs[kOut].data() + stack.above.at(stack.upper.outputs.shape[kOut], t, b);
      expect(near(out.data() + b * c.hidden, expected, c.hidden, tolerance), where,
             "out of row " + std::to_string(b) + ", step " + std::to_string(t) + " is not that of a forward pass");
    }
  }
  mc_stream_get_state(stream, h.data(), lstm ? cell.data() : nullptr);
  for (const bool last : {false, true}) {
    const Tensors<T>& outputs = (last ? stack.upper : stack.lower).outputs;
    expect(near(h.data() + last * state, outputs[kHN].data(), state, tolerance) &&
               (!lstm || near(cell.data() + last * state, outputs[kCN].data(), state, tolerance)),
           where, "the state is not that of a forward pass");
  }
  expect(x.guards_intact() && out.guards_intact() && h.guards_intact() && cell.guards_intact(), where,
         "something was written outside of a buffer");
}

template <class T>
void check_stream(const Case& c, int64_t level, int64_t kind) {
  static const char* const kinds[] = {"", " in bfloat16", " in int8"};
  const std::string where = to_string<T>(c, {level, 1}) + " as a stream" + kinds[kind];
  mc_stream* stream = nullptr;
  {  // The stream's weights are its own: those that it was opened with need not stay.
    const Stack<T> opened(c, level);
    const mc_run runs[] = {opened.lower.run, opened.upper.run};
    in_new_thread([&] { stream = mc_stream_open(runs, 2, kind); });
  }
  if (sizeof(T) == 8 && kind != MC_AS_GIVEN) return expect(!stream, where, "it was opened");
  if (!stream) return fail(where, "it was not opened");
  Stack<T> stack(c, level);
  if constexpr (sizeof(T) == 4)
    for (const Problem<T>* p : {&stack.below, &stack.above})
      if (kind != MC_AS_GIVEN) round_weights(*p, kWIh, p->c.input, kind), round_weights(*p, kWHh, c.hidden, kind);
  stack.forward();
  for (int round = 0; round < 2; ++round) check_steps(stream, stack, kind == MC_INT8 ? 2e-3 : 0, where);
  mc_stream_close(stream);
}

inline void check_refused_streams(int64_t level) {
  const Stack<float> stack(kStreams[0], level);
  const mc_run run = stack.lower.run;
  const auto refused = [&](const char* why, int64_t layers, int64_t kind, auto change) {
    mc_run runs[] = {run, stack.upper.run};
    change(runs[1]);
    expect(!mc_stream_open(runs, layers, kind), std::string("a stream of ") + why, "it was opened");
  };
  const auto same = [](mc_run&) {};
  refused("no layers", 0, MC_AS_GIVEN, same);
  refused("unknown weights", 2, 3, same);
  refused("an unknown mode", 2, MC_AS_GIVEN, [](mc_run& r) { r.mode = 9; });
  refused("another batch", 2, MC_AS_GIVEN, [](mc_run& r) { r.batch = 9; });
  refused("a projected layer", 2, MC_AS_GIVEN, [](mc_run& r) { r.projected = 3; });
  refused("layers that do not fit", 2, MC_AS_GIVEN, [](mc_run& r) { r.input = 9; });
}

inline void check_streams(int64_t level) {
  for (const Case& c : kStreams)
    for (const int64_t kind : {MC_AS_GIVEN, MC_BFLOAT16, MC_INT8}) {
      check_stream<float>(c, level, kind);
      check_stream<double>(c, level, kind);
    }
  check_refused_streams(level);
}

}  // namespace check

#endif
