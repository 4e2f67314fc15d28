// What must hold of one case, at every level, in both types, on any number of threads.
#ifndef MEMORYCELL_CHECK_CASE_H
#define MEMORYCELL_CHECK_CASE_H

#include "attempt.h"
#include "equations.h"

namespace check {

template <class T>
struct Tolerance {
  static constexpr double forward = sizeof(T) == 8 ? 1e-12 : 1e-5;
  static constexpr double backward = sizeof(T) == 8 ? 1e-11 : 1e-4;
};

// ---- Gradients against differences ----

// The sum that the incoming gradients are the gradient of.
inline double loss(const Problem<double>& p, int64_t level) {
  Attempt<double> attempt(p, {level, 1}, false);
  attempt.forward();
  double sum = 0;
  for (const int name : {kOut, kHN, kCN})
    if (p.seen(name))
      p.each(p.tensors.shape[name], [&](int64_t i) { sum += attempt.outputs[name][i] * p.tensors[name][i]; });
  return sum;
}

// Along a direction in one tensor, the loss must rise as its gradient says.
template <class Direction>
void check_slope(Problem<double>& p, int name, const Buffer<double>& gradient, int64_t level, const Direction& along,
                 const std::string& which) {
  const Shape& shape = p.tensors.shape[name];
  Buffer<double>& values = p.tensors[name];
  const Buffer<double> before = values.copy();
  // A smaller step crosses fewer of the kinks of a ReLU.
  const double step = p.c.mode == MC_RNN_RELU ? 1e-7 : 1e-6;
  double slope = 0, predicted = 0, size = 0;
  for (const double sign : {1.0, -1.0}) {
    p.each(shape, [&](int64_t i) { values[i] = before[i] + sign * step * along(i); });
    slope += sign * loss(p, level) / (2 * step);
  }
  p.each(shape, [&](int64_t i) {
    values[i] = before[i];
    predicted += gradient[i] * along(i);
    size += gradient[i] * along(i) * gradient[i] * along(i);
  });
  if (std::fabs(slope - predicted) <= 1e-6 * (1 + std::fabs(predicted) + std::sqrt(size))) return;
  char text[160];
  std::snprintf(text, sizeof(text), ": the gradient promises a slope of %.12g, differences give %.12g", predicted,
                slope);
  fail(to_string<double>(p.c, {level, 1}), std::string("d") + kNameOf[name] + which + text);
}

// Number by number where there are few, else along one random direction a tensor.
inline void check_slopes(const Case& c, const Tensors<double>& gradients, int64_t level) {
  constexpr int64_t kFew = 60;
  Problem<double> p(c);
  for (int name = 0; name < kDifferentiable; ++name) {
    if (!gradients.has(name)) continue;
    const auto random = [&](int64_t i) { return uniform(100 + static_cast<uint64_t>(name), static_cast<uint64_t>(i)); };
    check_slope(p, name, gradients[name], level, random, "");
    if (p.tensors.shape[name].count > kFew) continue;
    p.each(p.tensors.shape[name], [&](int64_t k) {
      check_slope(p, name, gradients[name], level, [k](int64_t i) { return i == k ? 1.0 : 0.0; },
                  "[" + std::to_string(k) + "]");
    });
  }
}

// ---- The same bits ----

// Sorted row b of a problem as a problem of its own.
template <class T>
Problem<T> alone(const Problem<T>& p, int64_t b) {
  Case c = p.c;
  c.lengths = Lengths::kFull, c.batch = 1, c.steps = p.length[static_cast<size_t>(b)];
  Problem<T> one(c);
  const int64_t place = p.place[static_cast<size_t>(b)];
  for (int name = 0; name < kNames; ++name) {
    const Shape &from = p.tensors.shape[name], &to = one.tensors.shape[name];
    if (from.over_time) {
      for (int64_t t = 0; t < c.steps; ++t)
        for (int64_t i = 0; i < to.width; ++i)
          one.tensors[name][one.at(to, t, 0) + i] = p.tensors[name][p.at(from, t, b) + i];
    } else {
      const int64_t first = to.count < from.count ? place * to.count : 0;  // of a state, the row; else all
      for (int64_t i = 0; i < to.count; ++i) one.tensors[name][i] = p.tensors[name][first + i];
    }
  }
  for (int64_t t = 0; t < c.steps && c.has & kTokens; ++t)
    one.tokens[one.at(one.token_shape(), t, 0)] = p.tokens[p.at(p.token_shape(), t, b)];
  return one;
}

// The inference output of a row does not depend on its batch or on the number of threads.
template <class T>
void check_bits(const Problem<T>& p, int64_t level) {
  const std::string where = to_string<T>(p.c, {level, 1});
  Attempt<T> together(p, {level, 1}, false);
  together.forward();
  for (const int64_t threads : {2, 3}) {
    Attempt<T> attempt(p, {level, threads}, false);
    attempt.forward();
    for (const int name : {kOut, kHN, kCN})
      expect(attempt.outputs[name].same_bits(together.outputs[name]), where,
             std::string(kNameOf[name]) + " has other bits on " + std::to_string(threads) + " threads");
  }
  for (int64_t b = 0; b < p.c.batch; ++b) {
    const Problem<T> row = alone(p, b);
    Attempt<T> attempt(row, {level, 1}, false);
    attempt.forward();
    bool same = true;
    for (int64_t t = 0; t < row.c.steps; ++t)
      same &= std::memcmp(&attempt.outputs[kOut][row.at(attempt.outputs.shape[kOut], t, 0)],
                          &together.outputs[kOut][p.at(together.outputs.shape[kOut], t, b)],
                          static_cast<size_t>(p.outs) * sizeof(T)) == 0;
    expect(same, where, "sorted row " + std::to_string(b) + " has other bits in its batch than alone");
  }
}

// ---- A pass forward and back ----

template <class T>
void check_forward(Attempt<T>& attempt, const Expected& expected) {
  const Problem<T>& p = attempt.problem;
  const std::string where = to_string<T>(p.c, attempt.way);
  int status = MC_OK;
  in_new_thread([&] { status = attempt.forward(); });
  expect(status == MC_OK, where, "mc_forward returned " + std::to_string(status));
  for (const int name : {kOut, kHN, kCN})
    if (attempt.outputs.has(name))
      compare(p, attempt.outputs.shape[name], attempt.outputs[name], expected.tensors[name], Tolerance<T>::forward,
              where, kNameOf[name]);
  expect(attempt.reserve.guards_intact(), where, "mc_forward wrote outside of the reserve");
}

template <class T>
void check_trace(const Attempt<T>& attempt, const Expected& expected) {
  const Problem<T>& p = attempt.problem;
  const Shape all{p.c.steps * p.c.batch * p.c.hidden, p.c.hidden, p.c.batch * p.c.hidden, p.c.hidden, true, false};
  const int kinds = p.c.mode == MC_LSTM ? 5 : p.c.mode == MC_GRU ? 3 : 0;
  Buffer<T> values[5];
  void* pointers[5];
  for (int k = 0; k < 5; ++k) values[k] = Buffer<T>(all.count), pointers[k] = values[k].data();
  mc_trace(&attempt.run, pointers, all.time, all.row, attempt.way.threads);
  for (int k = 0; k < kinds; ++k)
    compare(p, all, values[k], expected.trace[k], Tolerance<T>::forward, to_string<T>(p.c, attempt.way),
            "trace " + std::to_string(k));
}

// What is wanted does not change what is found; dx may be added to what stands there, and lie otherwise than x.
template <class T>
void check_parts(const Attempt<T>& attempt, const Tensors<T>& all) {
  const Problem<T>& p = attempt.problem;
  const std::string where = to_string<T>(p.c, attempt.way);
  for (const unsigned wanted : {kOfInput, kOfState, kAll & ~(kOfInput | kOfState)}) {
    const Tensors<T> part = attempt.backward(wanted);
    for (int name = 0; name < kDifferentiable; ++name)
      expect(!part.has(name) || part[name].same_bits(all[name]), where,
             std::string("d") + kNameOf[name] + " differs when less is wanted");
  }
  Case c = p.c;
  c.has ^= kBatchFirst;
  const Layout other(c);
  Tensors<T> sum, expected;
  sum.make(other, kX), expected.make(other, kX);
  std::vector<int64_t> from;
  p.each(all.shape[kX], [&](int64_t i) { from.push_back(i); });
  size_t next = 0;
  other.each(sum.shape[kX], [&](int64_t i) {
    sum[kX][i] = static_cast<T>(i % 7 - 3);
    expected[kX][i] = sum[kX][i] + all[kX][from[next++]];
  });
  mc_gradients gradients = describe(p, sum);
  gradients.dx_add = 1;
  mc_backward(&attempt.run, &gradients, 1, attempt.way.threads);
  expect(sum[kX].same_bits(expected[kX]), where, "dx is not added to what stood there");
}

// The gradients, after checking that nothing else was written to and that all of them were.
template <class T>
Tensors<T> check_backward(const Attempt<T>& attempt) {
  const Problem<T>& p = attempt.problem;
  const Problem<T> untouched(p.c);
  const std::string where = to_string<T>(p.c, attempt.way);
  const Buffer<T> reserve = attempt.reserve.copy(), out = attempt.outputs[kOut].copy();
  Tensors<T> found;
  int status = MC_OK;
  in_new_thread([&] { found = attempt.backward(kAll, &status); });
  expect(status == MC_OK, where, "mc_backward returned " + std::to_string(status));
  expect(reserve.same_bits(attempt.reserve) && out.same_bits(attempt.outputs[kOut]), where,
         "mc_backward wrote to the reserve or to out");
  for (int name = 0; name < kNames; ++name)
    expect(p.tensors[name].same_bits(untouched.tensors[name]), where, std::string(kNameOf[name]) + " was written to");
  const Tensors<T> again = attempt.backward(kAll);
  for (int name = 0; name < kDifferentiable; ++name)
    expect(again[name].same_bits(found[name]), where, std::string("d") + kNameOf[name] + " differs the second time");
  return found;
}

// `truth`: the gradients in double, found by the first call and compared with differences.
template <class T>
void check_type(const Case& c, int64_t level, const Expected& expected, Tensors<double>& truth) {
  const Problem<T> p(c);
  check_bits(p, level);
  for (const int64_t threads : {1, 2}) {
    Attempt<T> attempt(p, {level, threads}, true);
    check_forward(attempt, expected);
    check_trace(attempt, expected);
    const Tensors<T> found = check_backward(attempt);
    if constexpr (sizeof(T) == 8)
      if (!truth.has(kWHh)) truth = attempt.backward(kAll), check_slopes(c, truth, level);
    for (int name = 0; name < kDifferentiable; ++name)
      if (found.has(name))
        compare(p, found.shape[name], found[name], truth[name], Tolerance<T>::backward, to_string<T>(c, attempt.way),
                std::string("d") + kNameOf[name]);
    if (threads == 1) check_parts(attempt, found);
  }
}

inline void check_case(const Case& c, const std::vector<int64_t>& levels) {
  const Problem<double> p(c);
  const Expected expected = Equations(p)();
  Tensors<double> truth;
  for (const int64_t level : levels) {
    check_type<double>(c, level, expected, truth);
    check_type<float>(c, level, expected, truth);
  }
}

}  // namespace check

#endif
