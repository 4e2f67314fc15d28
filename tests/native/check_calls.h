// What must hold of the functions of memorycell.h beside the numbers of one layer.
#ifndef MEMORYCELL_CHECK_CALLS_H
#define MEMORYCELL_CHECK_CALLS_H

#include <sys/wait.h>
#include <unistd.h>

#include "check_stream.h"

namespace check {

// ---- Memory ----

inline thread_local int64_t allocations_left = -1;  // until one fails; below zero none does

}  // namespace check

// The linker puts this in place of posix_memalign (--wrap), by which the kernels get their scratch memory. They must
// not read what they have not written: under valgrind that shows by itself, elsewhere NaN shows it.
extern "C" {
int __real_posix_memalign(void** memory, size_t alignment, size_t size);
int __wrap_posix_memalign(void** memory, size_t alignment, size_t size) {
  if (check::allocations_left == 0) return 12;  // ENOMEM
  if (check::allocations_left > 0) --check::allocations_left;
  const int status = __real_posix_memalign(memory, alignment, size);
#if !defined(CHECK_VALGRIND)
  if (status == 0) std::memset(*memory, check::kPoison, size);
#endif
  return status;
}
}

namespace check {

// Calls body() in new threads in which first the 1st allocation fails, then the 2nd …, until it wants no more.
template <class Body>
void with_failing_memory(const std::string& where, const Body& body) {
  int status = MC_NO_MEMORY;
  int64_t given = 0;
  for (; status != MC_OK && given < 50; ++given) {
    int64_t left = 0;
    in_new_thread([&] {
      allocations_left = given;
      status = body();
      left = allocations_left;
    });
    if (left == 0) expect(status == MC_NO_MEMORY || status == MC_OK, where, "returned " + std::to_string(status));
  }
  expect(status == MC_OK && given > 2, where, "its memory was not taken in several pieces, or never sufficed");
}

inline void check_memory(int64_t level) {
  for (const Case& c : {Case{MC_LSTM, 0, kBias | kInitial | kPeephole, Lengths::kRagged, 3, 4, 200, 330},
                        Case{MC_GRU, 0, kBias | kInitial | kNorm, Lengths::kFull, 3, 4, 200, 330}}) {
    const Problem<double> p(c);
    const std::string where = to_string<double>(c, {level, 2}) + " short of memory";
    Attempt<double> attempt(p, {level, 2}, true);
    with_failing_memory(where, [&] { return attempt.forward(); });
    with_failing_memory(where, [&] {
      int status = MC_OK;
      attempt.backward(kAll, &status);
      return status;
    });
    with_failing_memory(where + " of a stream", [&] {
      mc_stream* stream = mc_stream_open(&attempt.run, 1, MC_AS_GIVEN);
      if (!stream) return MC_NO_MEMORY;
      mc_stream_close(stream);
      return MC_OK;
    });
  }
}

// ---- Several layers, several callers ----

// Two directions over the same x, then a layer upon the first, in one call each way, as one by one.
inline void check_stack(int64_t level) {
  const Case below{MC_LSTM, 0, kBias | kInitial, Lengths::kRagged, 9, 13, 21, 17};
  Case back = below, above = below;
  back.has |= kReverse, above.input = below.hidden;
  const Problem<float> problems[] = {Problem<float>(below), Problem<float>(back), Problem<float>(above)};
  Tensors<float> found[2][3];
  Buffer<float> outputs[2][3];
  for (const bool at_once : {false, true}) {
    std::vector<Attempt<float>> attempts;
    mc_run runs[3];
    mc_gradients gradients[3];
    for (int i = 0; i < 3; ++i) {
      attempts.emplace_back(problems[i], Way{level, 2}, true);
      for (int name = 0; name < kDifferentiable; ++name) found[at_once][i].make(problems[i], name);
      runs[i] = attempts.back().run, gradients[i] = describe(problems[i], found[at_once][i]);
    }
    runs[2].x = runs[0].out, runs[2].x_time = runs[0].out_time, runs[2].x_row = runs[0].out_row;
    gradients[0].dout = gradients[2].dx, gradients[0].dout_time = gradients[2].dx_time;
    gradients[0].dout_row = gradients[2].dx_row;
    // From the last run to the first: the other direction's dx is there when that of the first is added.
    gradients[0].dx = gradients[1].dx, gradients[0].dx_add = 1;
    if (at_once) {
      mc_forward(runs, 3, 2), mc_backward(runs, gradients, 3, 2);
    } else {
      for (int i = 0; i < 3; ++i) mc_forward(runs + i, 1, 2);
      for (int i = 2; i >= 0; --i) mc_backward(runs + i, gradients + i, 1, 2);
    }
    for (int i = 0; i < 3; ++i) outputs[at_once][i] = attempts[static_cast<size_t>(i)].outputs[kOut].copy();
  }
  const std::string where = to_string<float>(below, {level, 2}) + " in a stack";
  for (int i = 0; i < 3; ++i) {
    expect(outputs[0][i].same_bits(outputs[1][i]), where, "out differs from that of layers one by one");
    for (int name = 0; name < kDifferentiable; ++name)
      expect(found[0][i][name].same_bits(found[1][i][name]), where,
             std::string("d") + kNameOf[name] + " differs from that of layers one by one");
  }
}

inline void check_two_callers(int64_t level) {
  const Case cases[] = {{MC_LSTM, 0, kBias, Lengths::kRagged, 40, 13, 9, 65},
                        {MC_GRU, 0, kBias, Lengths::kFull, 90, 13, 9, 65}};
  const Problem<float> problems[] = {Problem<float>(cases[0]), Problem<float>(cases[1])};
  Tensors<float> found[2][2];
  const auto work = [&](int round, int i) {
    Attempt<float> attempt(problems[i], {level, 2}, true);
    attempt.forward();
    found[round][i] = attempt.backward(kAll);
  };
  for (int i = 0; i < 2; ++i) work(0, i);
  std::thread other([&] { work(1, 0); });
  work(1, 1);
  other.join();
  for (int i = 0; i < 2; ++i)
    for (int name = 0; name < kDifferentiable; ++name)
      expect(found[0][i][name].same_bits(found[1][i][name]), to_string<float>(cases[i], {level, 2}),
             std::string("d") + kNameOf[name] + " differs while another thread computes");
}

// ---- Questions and wrong arguments ----

inline void check_wrong_arguments(int64_t level) {
  const Problem<float> p({MC_LSTM, 0, kBias, Lengths::kFull, 2, 2, 3, 5});
  const Attempt<float> attempt(p, {level, 1}, true);
  const mc_gradients gradients{};
  const auto refused = [&](const char* member, auto set) {
    mc_run run = attempt.run;
    set(run);
    const std::string where = std::string("a run of an unknown ") + member;
    expect(mc_forward(&run, 1, 1) == MC_UNKNOWN, where, "mc_forward does not refuse it");
    expect(mc_backward(&run, &gradients, 1, 1) == MC_UNKNOWN, where, "mc_backward does not refuse it");
    expect(mc_trace(&run, nullptr, 0, 0, 1) == MC_UNKNOWN, where, "mc_trace does not refuse it");
    expect(mc_reserve_bytes(&run) == -1, where, "mc_reserve_bytes does not return -1");
  };
  for (const int64_t wrong : {int64_t(-1), int64_t(99)}) {
    refused("level", [&](mc_run& run) { run.level = wrong; });
    refused("mode", [&](mc_run& run) { run.mode = wrong; });
    refused("number of bytes", [&](mc_run& run) { run.bytes = wrong; });
    expect(!mc_level_name(wrong) && !mc_level_runs(wrong) && mc_peak(wrong, 1) == 0, "level " + std::to_string(wrong),
           "it does not exist");
  }
  for (int64_t i = 0; i < attempt.outputs.shape[kOut].count; ++i)
    expect(attempt.outputs[kOut].poisoned(i), "a refused run", "out was written to");
  expect(mc_forward(nullptr, 0, 1) == MC_OK && mc_backward(nullptr, nullptr, 0, 1) == MC_OK, "no runs",
         "nothing to do is refused");
}

// The kernels flush subnormal numbers, each thread for itself; the caller's mode comes back.
inline void check_flushing(int64_t level) {
  const Problem<float> p({MC_LSTM, 0, kBias, Lengths::kRagged, 40, 13, 9, 65});
  Attempt<float> attempt(p, {level, 2}, true);
#if defined(CHECK_VALGRIND)
  constexpr int modes = 1;  // valgrind knows one mode only
#else
  const int modes = 1 + mc_can_flush();
#endif
  for (int on = 0; on < modes; ++on) {
    int before[2], within[2];
    mc_set_flush(on, 2, before);
    attempt.forward();
    attempt.backward(kAll);
    mc_set_flush(on, 2, within);
    expect(within[0] == on && within[1] == on, "flushing subnormal numbers", "a thread's mode was not restored");
    mc_restore_flush(2, before);
  }
}

// A fork leaves the threads of its parent's pool behind: the child must compute without them.
inline void check_fork(int64_t level) {
  const Problem<float> p({MC_LSTM, 0, kBias, Lengths::kRagged, 40, 13, 9, 65});
  Attempt<float> before(p, {level, 2}, true), after(p, {level, 2}, true);
  before.forward();
  const pid_t child = fork();
  if (child == 0) {
    alarm(60);
    const bool done = after.forward() == MC_OK && after.outputs[kOut].same_bits(before.outputs[kOut]);
    after.backward(kAll);
    int modes[2];
    mc_set_flush(0, 2, modes);
    _exit(done ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  expect(status == 0, "a forked process", "it hangs, or computes something else");
}

// Every number is drawn, by every level alike.
template <class T>
void check_masks(int64_t level) {
  constexpr int64_t rows = 5, width = 37, half = 0;
  Buffer<T> found(rows * width);
  mc_bernoulli(level, 12345, 7, rows, width, half, 1.25, sizeof(T), found.data());
  static const Buffer<T> first = found.copy();
  int64_t ones = 0, zeros = 0;
  for (int64_t i = 0; i < found.count(); ++i) ones += found[i] == T(1.25), zeros += found[i] == 0;
  expect(ones + zeros == found.count() && ones > 60 && zeros > 60 && found.guards_intact() && found.same_bits(first),
         "mc_bernoulli", "it draws something else than halves, or than another level");
}

inline void check_calls(int64_t level) {
  expect(mc_abi() == MEMORYCELL_ABI, "mc_abi", "another version than that of the header");
  expect(mc_run_bytes() == sizeof(mc_run) && mc_gradients_bytes() == sizeof(mc_gradients), "mc_run, mc_gradients",
         "other sizes than those of the header");
  check_wrong_arguments(level);
  check_memory(level);
  check_stack(level);
  check_two_callers(level);
  check_flushing(level);
  check_fork(level);
  check_masks<float>(level), check_masks<double>(level);
  check_streams(level);
}

}  // namespace check

#endif
