// The functions of memorycell.h: each goes to the level that the caller names.
#include "memorycell.h"

#include <cstdlib>

#include "forked.h"
#include "level.h"

namespace mc {
#if defined(__x86_64__)
extern const Level level_v4, level_v3, level_v2;
#else
extern const Level level_base;
#endif
}  // namespace mc

namespace {

#if defined(__x86_64__)
const mc::Level* const kLevels[] = {&mc::level_v4, &mc::level_v3, &mc::level_v2};
#else
const mc::Level* const kLevels[] = {&mc::level_base};
#endif
constexpr int64_t kCount = sizeof(kLevels) / sizeof(kLevels[0]);

bool runs(int64_t level) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  switch (level) {
    case 0:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
    case 1:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
    case 2:
      return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
    default:
      return false;
  }
#else
  return level == 0;
#endif
}

const mc::Level* level_of(int64_t level) {
  return level >= 0 && level < kCount && runs(level) ? kLevels[level] : nullptr;
}

// The level of a run, or null if it asks for something that no level knows.
const mc::Level* level_of(const mc_run& run) {
  const bool known = (run.bytes == 4 || run.bytes == 8) && run.mode >= MC_LSTM && run.mode <= MC_RNN_RELU;
  return known ? level_of(run.level) : nullptr;
}

// Whether the rows of a run lie where it says, before anything is read or written there: a status.
int rows_of(const mc_run& run) {
  if (run.steps < 0 || run.batch < 0 || run.input < 0 || run.hidden < 0 || run.projected < 0) return MC_UNKNOWN;
  if (!run.w_ih || !run.w_hh || (run.packed && !run.active)) return MC_UNKNOWN;
  for (int64_t t = 0; run.active && t < run.steps; ++t) {
    const int64_t most = t ? run.active[t - 1] : run.batch;
    if (run.active[t] < 0 || run.active[t] > most) return MC_NOT_SORTED;
  }
  if (run.order) {
    char* taken = static_cast<char*>(calloc(static_cast<size_t>(run.batch) + 1, 1));
    if (!taken) return MC_NO_MEMORY;
    int64_t fit = 0;
    for (int64_t b = 0; b < run.batch; ++b) {
      const int64_t place = run.order[b];
      if (place < 0 || place >= run.batch || taken[place]) break;
      taken[place] = 1;
      ++fit;
    }
    free(taken);
    if (fit < run.batch) return MC_NO_ORDER;
  }
  int64_t row = 0;
  for (int64_t t = 0; run.tokens && t < run.steps; ++t) {
    const int64_t rows = run.active ? run.active[t] : run.batch;
    for (int64_t b = 0; b < rows; ++b, ++row) {
      const int64_t at = run.packed ? row * run.tokens_row
                                    : t * run.tokens_time + (run.order ? run.order[b] : b) * run.tokens_row;
      if (run.tokens[at] < 0 || run.tokens[at] >= run.vocabulary) return MC_NO_TOKEN;
    }
  }
  return MC_OK;
}

// A status for all runs of a call.
int checked(const mc_run* runs, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    if (!level_of(runs[i])) return MC_UNKNOWN;
    if (const int wrong = rows_of(runs[i])) return wrong;
  }
  return MC_OK;
}

}  // namespace

extern "C" {

int mc_abi(void) { return MEMORYCELL_ABI; }

const char* mc_level_name(int64_t level) { return level >= 0 && level < kCount ? kLevels[level]->name : nullptr; }

int mc_level_runs(int64_t level) { return level_of(level) != nullptr; }

double mc_peak(int64_t level, int64_t threads) {
  const mc::Level* found = level_of(level);
  return found ? found->peak(threads) : 0.0;
}

int64_t mc_run_bytes(void) { return sizeof(mc_run); }
int64_t mc_gradients_bytes(void) { return sizeof(mc_gradients); }

int64_t mc_reserve_bytes(const mc_run* run) {
  const mc::Level* level = level_of(*run);
  return level ? level->reserve_bytes(*run) : -1;
}

int mc_forward(const mc_run* runs, int64_t count, int64_t threads) {
  if (const int wrong = checked(runs, count)) return wrong;
  return count ? level_of(runs[0])->forward(runs, count, mc::threads_to_use(threads)) : MC_OK;
}

int mc_backward(const mc_run* runs, const mc_gradients* gradients, int64_t count, int64_t threads) {
  if (const int wrong = checked(runs, count)) return wrong;
  return count ? level_of(runs[0])->backward(runs, gradients, count, mc::threads_to_use(threads)) : MC_OK;
}

int mc_trace(const mc_run* run, void* const* values, int64_t time, int64_t row, int64_t threads) {
  if (const int wrong = checked(run, 1)) return wrong;
  return level_of(*run)->trace(*run, values, time, row, threads);
}

void mc_bernoulli(int64_t level, int64_t key, int64_t first_row, int64_t rows, int64_t width, int64_t threshold,
                  double one, int64_t bytes, void* out) {
  if (const mc::Level* found = level_of(level))
    found->bernoulli(static_cast<uint64_t>(key), static_cast<uint64_t>(first_row), rows, width, threshold, one, bytes,
                     out);
}

mc_stream* mc_stream_open(const mc_run* runs, int64_t layers, int64_t weights) {
  if (layers < 1 || weights < MC_AS_GIVEN || weights > MC_INT8) return nullptr;
  for (int64_t i = 0; i < layers; ++i) {
    const mc_run &run = runs[i], &first = runs[0];
    const bool alike = run.level == first.level && run.bytes == first.bytes && run.batch == first.batch &&
                       run.hidden == first.hidden && (i == 0 || run.input == first.hidden);
    const bool fits = !run.projected && !run.reset_before && (weights == MC_AS_GIVEN || run.bytes == 4);
    if (!level_of(run) || !alike || !fits) return nullptr;
  }
  return level_of(runs[0])->open_stream(runs, layers, weights);
}

void mc_stream_step(mc_stream* stream, const void* x, void* out) { stream->step(stream, x, out); }

void mc_stream_get_state(const mc_stream* stream, void* h, void* c) { stream->get_state(stream, h, c); }

void mc_stream_set_state(mc_stream* stream, const void* h, const void* c) { stream->set_state(stream, h, c); }

void mc_stream_close(mc_stream* stream) { free(stream); }
}
