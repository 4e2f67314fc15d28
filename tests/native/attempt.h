// One way through the kernels: a problem's tensors put into the structs of memorycell.h, the calls, the outputs.
#ifndef MEMORYCELL_CHECK_ATTEMPT_H
#define MEMORYCELL_CHECK_ATTEMPT_H

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "problem.h"

namespace check {

// ---- Failures ----

inline int failures = 0;

inline void fail(const std::string& where, const std::string& what) {
  constexpr int kMost = 20;
  std::fprintf(stderr, "FAILED %s: %s\n", where.c_str(), what.c_str());
  if (++failures < kMost) return;
  std::fprintf(stderr, "%d failures: stopping here\n", failures);
  std::exit(1);
}

inline void expect(bool holds, const std::string& where, const std::string& what) {
  if (!holds) fail(where, what);
}

// ---- Calls ----

struct Way {
  int64_t level, threads;
};

template <class T>
std::string to_string(const Case& c, const Way& way) {
  return to_string(c) + " (" + mc_level_name(way.level) + ", float" + std::to_string(8 * sizeof(T)) + ", " +
         std::to_string(way.threads) + " threads)";
}

template <class T>
mc_run describe(const Problem<T>& p, const Tensors<T>& outputs, T* reserve, int64_t level) {
  const Case& c = p.c;
  const auto get = [&](int name) { return p.tensors[name].data(); };
  const auto rows = [](const Tensors<T>& in, int name, auto& data, int64_t& time, int64_t& row) {
    data = in[name].data(), time = in.shape[name].time, row = in.shape[name].row;
  };
  mc_run run{};
  run.level = level, run.bytes = sizeof(T), run.mode = c.mode, run.coupled = c.coupled;
  run.reverse = (c.has & kReverse) != 0;
  run.steps = c.steps, run.batch = c.batch, run.input = c.input, run.hidden = c.hidden;
  run.projected = c.has & kProjected ? p.outs : 0;
  run.active = c.lengths == Lengths::kFull ? nullptr : p.active.data();
  run.order = c.lengths == Lengths::kRagged ? p.place.data() : nullptr;
  run.packed = c.lengths == Lengths::kPacked;
  rows(p.tensors, kX, run.x, run.x_time, run.x_row);
  const Shape tokens = p.token_shape();
  run.tokens = p.tokens.data(), run.tokens_time = tokens.time, run.tokens_row = tokens.row;
  run.vocabulary = kVocabulary;
  rows(p.tensors, kXMask, run.x_mask, run.x_mask_time, run.x_mask_row);
  run.h_0 = get(kH0), run.c_0 = get(kC0);
  run.w_ih = get(kWIh), run.w_hh = get(kWHh), run.b_ih = get(kBIh), run.b_hh = get(kBHh);
  run.w_hr = get(kWHr), run.w_ch = get(kWCh);
  run.norm_ih_gain = get(kNormIhGain), run.norm_ih_bias = get(kNormIhBias);
  run.norm_hh_gain = get(kNormHhGain), run.norm_hh_bias = get(kNormHhBias);
  run.norm_ch_gain = get(kNormChGain), run.norm_ch_bias = get(kNormChBias);
  run.keep_h = get(kMaskH);
  rows(p.tensors, kZoneH, run.zone_h, run.zone_h_time, run.zone_h_row);
  rows(p.tensors, kZoneC, run.zone_c, run.zone_c_time, run.zone_c_row);
  if (c.has & kZoneRates) run.zone_h_rate = kRateH, run.zone_c_rate = c.mode == MC_LSTM ? kRateC : 0;
  rows(outputs, kOut, run.out, run.out_time, run.out_row);
  run.h_n = outputs[kHN].data(), run.c_n = outputs[kCN].data();
  run.reserve = reserve;
  return run;
}

// `into`: the gradients that are wanted are those that it has.
template <class T>
mc_gradients describe(const Problem<T>& p, const Tensors<T>& into) {
  mc_gradients g{};
  const Shape& out = p.tensors.shape[kOut];
  if (p.seen(kOut)) g.dout = p.tensors[kOut].data(), g.dout_time = out.time, g.dout_row = out.row;
  g.dh_n = p.seen(kHN) ? p.tensors[kHN].data() : nullptr;
  g.dc_n = p.tensors[kCN].data();
  g.dx = into[kX].data(), g.dx_time = into.shape[kX].time, g.dx_row = into.shape[kX].row;
  void** const to[] = {&g.dh_0, &g.dc_0, &g.dw_ih, &g.dw_hh, &g.db_ih, &g.db_hh, &g.dw_hr, &g.dw_ch,
                       &g.dnorm_ih_gain, &g.dnorm_ih_bias, &g.dnorm_hh_gain, &g.dnorm_hh_bias,
                       &g.dnorm_ch_gain, &g.dnorm_ch_bias};
  for (int name = kH0; name < kDifferentiable; ++name) *to[name - kH0] = into[name].data();
  return g;
}

// Kernels keep their scratch memory for each calling thread: in a thread of its own, a call starts without.
template <class Body>
void in_new_thread(const Body& body) {
  std::thread(body).join();
}

// A forward pass, with a reserve if a backward pass is to follow.
template <class T>
struct Attempt {
  const Problem<T>& problem;
  Way way;
  Tensors<T> outputs;
  Buffer<T> reserve;
  mc_run run{};

  Attempt(const Problem<T>& p, const Way& w, bool keep) : problem(p), way(w) {
    for (const int name : {kOut, kHN, kCN}) outputs.make(p, name);
    run = describe<T>(p, outputs, nullptr, w.level);
    if (keep) {
      reserve = Buffer<T>(mc_reserve_bytes(&run) / static_cast<int64_t>(sizeof(T)), true);
      run.reserve = reserve.data();
    }
  }

  int forward() { return mc_forward(&run, 1, way.threads); }

  // The gradients of `wanted`, one bit for each name.
  Tensors<T> backward(unsigned wanted, int* status = nullptr) const {
    Tensors<T> found;
    for (int name = 0; name < kDifferentiable; ++name)
      if (wanted >> name & 1) found.make(problem, name);
    const mc_gradients gradients = describe(problem, found);
    const int done = mc_backward(&run, &gradients, 1, way.threads);
    if (status) *status = done;
    return found;
  }
};

constexpr unsigned kAll = (1u << kDifferentiable) - 1, kOfInput = 1u << kX, kOfState = 1u << kH0 | 1u << kC0;

// ---- Comparisons ----

template <class T>
double largest(const Layout& layout, const Shape& shape, const Buffer<T>& values) {
  double most = 0;
  layout.each(shape, [&](int64_t i) { most = std::fmax(most, std::fabs(static_cast<double>(values[i]))); });
  return most;
}

// Every number as expected, relative to the largest of the tensor; gaps and guards still poison.
template <class T, class E>
void compare(const Layout& layout, const Shape& shape, const Buffer<T>& found, const Buffer<E>& expected,
             double tolerance, const std::string& where, const std::string& name) {
  std::vector<bool> meant(static_cast<size_t>(shape.count));
  const double scale = std::fmax(largest(layout, shape, expected), 1e-2);
  bool right = true;  // one message a tensor is enough
  layout.each(shape, [&](int64_t i) {
    meant[static_cast<size_t>(i)] = true;
    const double a = static_cast<double>(found[i]), b = static_cast<double>(expected[i]);
    if (!right || std::fabs(a - b) <= tolerance * scale) return;
    right = false;
    char text[160];
    std::snprintf(text, sizeof(text), "[%lld] is %.17g, expected %.17g (largest of the tensor: %.3g)",
                  static_cast<long long>(i), a, b, scale);
    fail(where, name + text);
  });
  for (int64_t i = 0; right && i < shape.count; ++i) {
    right = meant[static_cast<size_t>(i)] || found.poisoned(i);
    expect(right, where, name + "[" + std::to_string(i) + "] was written, but lies in a gap");
  }
  expect(found.guards_intact(), where, name + ": something was written outside of the buffer");
}

}  // namespace check

#endif
