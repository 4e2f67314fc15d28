// Flushing subnormal numbers to zero in every thread of the pool that torch computes with.
#include "flush.h"
#include "forked.h"
#include "memorycell.h"

#if defined(_OPENMP)
#include <omp.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace {
bool after_fork = false;
#if defined(__unix__) || defined(__APPLE__)
[[maybe_unused]] const int watching = pthread_atfork(nullptr, nullptr, [] { after_fork = true; });
#endif


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

bool mc::forked() { return after_fork; }

extern "C" {

int mc_can_flush(void) { return mc::kCanFlush; }

void mc_set_flush(int on, int n_threads, int* previous) {
  for (int i = 0; i < n_threads; ++i) previous[i] = 0;
  in_each_thread(mc::threads_to_use(n_threads), [=](int thread) {
    previous[thread] = mc::flushing() ? 1 : 0;
    mc::set_flushing(on != 0);
  });
  // LLVM's OpenMP gives the caller its mode back when the team is done, and passes it on to the next team.
  mc::set_flushing(on != 0);
}

void mc_restore_flush(int n_threads, const int* previous) {
  in_each_thread(mc::threads_to_use(n_threads), [=](int thread) { mc::set_flushing(previous[thread] != 0); });
  mc::set_flushing(previous[0] != 0);
}
}
