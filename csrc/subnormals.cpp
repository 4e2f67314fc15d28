// Flushing subnormal numbers to zero in every thread of the pool that torch computes with.
#include "flush.h"
#include "memorycell.h"

#if defined(_OPENMP)
#include <omp.h>
#endif

namespace {
// Runs body(thread) once in each thread of the team.
template <typename Body>
void in_each_thread(int n_threads, Body body) {
#if defined(_OPENMP)
#pragma omp parallel num_threads(n_threads)
  body(omp_get_thread_num());
#else
  (void)n_threads;
  body(0);
#endif
}
}  // namespace

extern "C" {

int mc_can_flush(void) { return mc::kCanFlush; }

void mc_set_flush(int on, int n_threads, int* previous) {
  in_each_thread(n_threads, [=](int thread) {
    previous[thread] = mc::flushing() ? 1 : 0;
    mc::set_flushing(on != 0);
  });
}

void mc_restore_flush(int n_threads, const int* previous) {
  in_each_thread(n_threads, [=](int thread) { mc::set_flushing(previous[thread] != 0); });
}
}
