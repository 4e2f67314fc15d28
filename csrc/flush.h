// Subnormal numbers cost an x86 core a microcode assist per operation, and a gradient that has travelled a few
// hundred steps back in time is made of them. The mode that flushes them to zero belongs to a thread.
#ifndef MEMORYCELL_FLUSH_H
#define MEMORYCELL_FLUSH_H

#include <cstdint>

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace mc {

#if defined(__x86_64__) || defined(_M_X64)
constexpr unsigned kFlush = 0x8040;  // MXCSR: flush-to-zero | denormals-are-zero
constexpr int kCanFlush = 1;
static inline bool flushing() { return (_mm_getcsr() & kFlush) == kFlush; }
static inline void set_flushing(bool on) { _mm_setcsr(on ? _mm_getcsr() | kFlush : _mm_getcsr() & ~kFlush); }
#elif defined(__aarch64__) && defined(__GNUC__)
constexpr std::uint64_t kFlush = 1u << 24;  // FPCR.FZ
constexpr int kCanFlush = 1;
static inline std::uint64_t read_fpcr() {
  std::uint64_t value;
  __asm__ volatile("mrs %0, fpcr" : "=r"(value));
  return value;
}
static inline bool flushing() { return (read_fpcr() & kFlush) != 0; }
static inline void set_flushing(bool on) {
  const std::uint64_t value = on ? read_fpcr() | kFlush : read_fpcr() & ~kFlush;
  __asm__ volatile("msr fpcr, %0" : : "r"(value));
}
#else
constexpr int kCanFlush = 0;
static inline bool flushing() { return false; }
static inline void set_flushing(bool) {}
#endif

namespace {

// Flushes in this thread until the end of the scope.
class Flushing {
 public:
  Flushing() : before_(flushing()) { set_flushing(true); }
  ~Flushing() { set_flushing(before_); }
  Flushing(const Flushing&) = delete;
  Flushing& operator=(const Flushing&) = delete;

 private:
  bool before_;
};

}  // namespace

}  // namespace mc

#endif
