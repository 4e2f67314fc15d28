// The kernels of one level. Compiled once for each, with MC_LEVEL as its name.
#include "level.h"

#include "backward.h"
#include "forward.h"
#include "masks.h"
#include "stream.h"

#define MC_NAME_OF(level) #level
#define MC_NAME(level) MC_NAME_OF(level)
#define MC_SYMBOL_OF(level) level_##level
#define MC_SYMBOL(level) MC_SYMBOL_OF(level)

namespace mc {
namespace MC_LEVEL {
namespace {

Arena& arena() {
  static thread_local Arena one;
  return one;
}

// Calls body(T{}) with the run's type of number.
template <class Body>
auto with_type(const mc_run& run, const Body& body) {
  return run.bytes == 8 ? body(double{}) : body(float{});
}

int64_t reserve_bytes(const mc_run& run) {
  return with_type(run, [&](auto zero) {
    using T = decltype(zero);
    Layer<T> layer(run);
    layer.rows = 0;
    for (int64_t t = 0; t < run.steps; ++t) layer.rows += run.active ? run.active[t] : run.batch;
    return layer.reserve_size() * static_cast<int64_t>(sizeof(T));
  });
}

int forward(const mc_run* runs, int64_t count, int64_t threads) {
  for (int64_t i = 0; i < count; ++i) {
    arena().restart();
    const int done = with_type(runs[i], [&](auto zero) {
      
      ForwardPass<decltype(zero)> pass(runs[i]);
      return pass(arena(), threads);
    });
    if (done != MC_OK) return done;
  }
  return MC_OK;
}

int backward(const mc_run* runs, const mc_gradients* gradients, int64_t count, int64_t threads) {
  for (int64_t i = count - 1; i >= 0; --i) {
    arena().restart();
    const int done = with_type(runs[i], [&](auto zero) {
      BackwardPass<decltype(zero)> pass(runs[i], gradients[i]);
      return pass(arena(), threads);
    });
    if (done != MC_OK) return done;
  }
  return MC_OK;
}

int trace(const mc_run& run, void* const* values, int64_t time, int64_t row, int64_t threads) {
  arena().restart();
  return with_type(run, [&](auto zero) -> int {
    using T = decltype(zero);
    Layer<T> layer(run);
    if (!layer.prepare(arena())) return MC_NO_MEMORY;
    const int64_t kinds = layer.lstm ? 5 : layer.gru ? 3 : 0;
    in_team(static_cast<int>(threads), [&](const Worker& worker) {
      const int64_t end = layer.steps * (worker.index + 1) / worker.count;
      for (int64_t s = layer.steps * worker.index / worker.count; s < end; ++s)
        for (int64_t b = 0; b < layer.count_at[s]; ++b)
          for (int64_t kind = 0; kind < kinds; ++kind) {
            const Rows<T> to{static_cast<T*>(values[kind]), time, row, nullptr, layer.place};
            const int64_t slot = kind == 4 ? layer.slots.cell : kind;
            for (int64_t block = 0; block < layer.blocks; ++block)
              store_first(to.at(layer.time_of(s), b) + block * kLanes<T>,
                          load(layer.reserved(s, b) + (block * layer.slots.count + slot) * kLanes<T>),
                          layer.lanes_of(block));
          }
    });
    return MC_OK;
  });
}

constexpr int kChains = 12;

// Independent multiply-adds in registers.
__attribute__((noinline)) float chains(int64_t rounds, float start) {
  Vec<float> sum[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) sum[i] = splat(start + static_cast<float>(i));
  const Vec<float> x = splat(0.5f), y = splat(start);
  for (int64_t n = 0; n < rounds; ++n) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) sum[i] = fma(sum[i], x, y);
  }
  float total = 0;
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) total += sum[i][0];
  return total;
}

// GFLOP/s of independent multiply-adds in registers, all threads together.
double peak(int64_t threads) {
  double total = 0;
  in_team(static_cast<int>(threads), [&](const Worker&) {
    double best = 0;
    volatile float sink = 1;
    for (int trial = 0; trial < 5; ++trial) {
      constexpr int64_t kRounds = 2000000;
      const double start = seconds();
      sink = chains(kRounds, sink);
      best = most(best, 2e-9 * kChains * kLanes<float> * static_cast<double>(kRounds) / (seconds() - start));
    }
#if defined(_OPENMP)
#pragma omp critical
#endif
    total += best;
  });
  return total;
}

void any_bernoulli(uint64_t key, uint64_t first_row, int64_t rows, int64_t width, int64_t threshold, double one,
                   int64_t bytes, void* out) {
  if (bytes == 8)
    bernoulli(key, first_row, rows, width, threshold, one, static_cast<double*>(out));
  else
    bernoulli(key, first_row, rows, width, threshold, static_cast<float>(one), static_cast<float*>(out));
}

mc_stream* open_stream(const mc_run* runs, int64_t layers, int64_t weights) {
  return with_type(runs[0], [&](auto zero) { return Stream<decltype(zero)>::open(runs, layers, weights); });
}

}  // namespace
}  // namespace MC_LEVEL

extern const Level MC_SYMBOL(MC_LEVEL);
const Level MC_SYMBOL(MC_LEVEL) = {MC_NAME(MC_LEVEL),   MC_LEVEL::reserve_bytes,
                                   MC_LEVEL::forward,   MC_LEVEL::backward,
                                   MC_LEVEL::trace,     MC_LEVEL::any_bernoulli,
                                   MC_LEVEL::peak,      MC_LEVEL::open_stream};

}  // namespace mc
