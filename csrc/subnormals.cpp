// Subnormal numbers cost an x86 core a microcode assist per operation, and a gradient that has travelled a few
// hundred steps back in time is made of them. The mode that flushes them to zero belongs to a thread, so it has
// to be set in every thread of the pool that torch computes with.
#include "memorycell.h"

#if defined(_OPENMP)
#include <omp.h>
#endif

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
namespace {
constexpr unsigned kFlush = 0x8040;  // MXCSR: flush-to-zero | denormals-are-zero
constexpr int kCanFlush = 1;
bool flushing() { return (_mm_getcsr() & kFlush) == kFlush; }
void set_flushing(bool on) { _mm_setcsr(on ? _mm_getcsr() | kFlush : _mm_getcsr() & ~kFlush); }
}  // namespace
#elif defined(__aarch64__) && defined(__GNUC__)
#include <cstdint>
namespace {
constexpr std::uint64_t kFlush = 1u << 24;  // FPCR.FZ
constexpr int kCanFlush = 1;
std::uint64_t read_fpcr() {
  std::uint64_t value;
  __asm__ volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
bool flushing() { return (read_fpcr() & kFlush) != 0; }
void set_flushing(bool on) {
  const std::uint64_t value = on ? read_fpcr() | kFlush : read_fpcr() & ~kFlush;
  __asm__ volatile("msr fpcr, %0" : : "r"(value));
}
}  // namespace
#else
namespace {
constexpr int kCanFlush = 0;
bool flushing() { return false; }
void set_flushing(bool) {}
}  // namespace
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

int mc_abi(void) { return MEMORYCELL_ABI; }

int mc_can_flush(void) { return kCanFlush; }

void mc_set_flush(int on, int n_threads, int* previous) {
  in_each_thread(n_threads, [=](int thread) {
    previous[thread] = flushing() ? 1 : 0;
    set_flushing(on != 0);
  });
}

void mc_restore_flush(int n_threads, const int* previous) {
  in_each_thread(n_threads, [=](int thread) { set_flushing(previous[thread] != 0); });
}
}
