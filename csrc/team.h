// Threads that work on one call: a team of torch's own OpenMP pool, its barrier, and memory for the call.
#ifndef MEMORYCELL_TEAM_H
#define MEMORYCELL_TEAM_H

#include <atomic>
#include <ctime>
#include <cstdint>
#include <cstdlib>

#if defined(_OPENMP)
#include <omp.h>
#endif
#if defined(__linux__)
#include <sched.h>
#include <sys/mman.h>
#endif

#include "vec.h"

namespace mc::MC_LEVEL {

// Meets n threads again and again. It spins for some microseconds, as long as a step of a small layer takes,
// then yields, so that a thread that has lost its core does not hold up whoever needs it.
class Barrier {
 public:
  // `threads` is the number that meet, the same at every call.
  void wait(int threads) {
    if (threads == 1) return;
    const uint32_t round = round_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; round_.load(std::memory_order_acquire) == round; ++spins) {
      if (spins < kSpins)
        pause();
      else
        yield();
    }
  }

 private:
  static constexpr int kSpins = 4000;

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
  }
  static void yield() {
#if defined(__linux__)
    sched_yield();
#endif
  }

  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<uint32_t> round_{0};
};

// Memory of one calling thread, reused from call to call. A call takes pieces and never gives them back; the
// next call starts over. Piece by piece aligned to a cache line.
class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { release(); }

  // Throws nothing: take() returns null when memory is out, and failed() says so.
  void restart() {
    if (blocks_ > 1 || size_[0] > kKept) release();  // several blocks: next time one that holds them all
    used_ = 0;
    failed_ = false;
  }

  template <class T>
  T* take(int64_t count) {
    return static_cast<T*>(bytes(count * static_cast<int64_t>(sizeof(T))));
  }

  bool failed() const { return failed_; }

 private:
  static constexpr int64_t kLine = 64, kPage = int64_t(1) << 21, kKept = int64_t(1) << 28;
  static constexpr int kMostBlocks = 64;

  void* bytes(int64_t size) {
    size = (size + kLine - 1) / kLine * kLine + kLine;  // a line apart: a vector may be read past the end
    if (blocks_ == 0 || used_ + size > size_[blocks_ - 1]) {
      if (failed_ || blocks_ == kMostBlocks || !grow(size)) {
        failed_ = true;
        return nullptr;
      }
    }
    void* piece = static_cast<char*>(block_[blocks_ - 1]) + used_;
    used_ += size;
    return piece;
  }

  bool grow(int64_t size) {
    const int64_t wanted = size > wish_ ? size : wish_;
    const int64_t rounded = (wanted + kPage - 1) / kPage * kPage;
    void* memory = nullptr;
    if (posix_memalign(&memory, kPage, rounded) != 0) return false;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    madvise(memory, rounded, MADV_HUGEPAGE);
#endif
    block_[blocks_] = memory;
    size_[blocks_++] = rounded;
    used_ = 0;
    return true;
  }

  void release() {
    wish_ = 0;
    for (int i = 0; i < blocks_; ++i) {
      wish_ += size_[i];
      free(block_[i]);
    }
    if (wish_ > kKept) wish_ = 0;
    blocks_ = 0;
    size_[0] = 0;
  }

  void* block_[kMostBlocks] = {};
  int64_t size_[kMostBlocks] = {};
  int blocks_ = 0;
  int64_t used_ = 0, wish_ = 0;
  bool failed_ = false;
};

constexpr int kMostThreads = 256;

inline double seconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// One thread of a team.
struct Worker {
  int index, count;
  Barrier* barrier;
  void meet() const { barrier->wait(count); }
};

// Runs body(worker) in a team of at most `threads`; OpenMP may give fewer (nested, limited).
template <class Body>
void in_team(int threads, const Body& body) {
  Barrier barrier;
#if defined(_OPENMP)
  if (threads > 1) {
#pragma omp parallel num_threads(threads)
    body(Worker{omp_get_thread_num(), omp_get_num_threads(), &barrier});
    return;
  }
#else
  (void)threads;
#endif
  body(Worker{0, 1, &barrier});
}

}  // namespace mc::MC_LEVEL

#endif
