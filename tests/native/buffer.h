// Memory that shows what was written where: poison before, and guards around it.
#ifndef MEMORYCELL_CHECK_BUFFER_H
#define MEMORYCELL_CHECK_BUFFER_H

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

namespace check {

// A sanitizer or valgrind sees a step over the edge best if the memory ends there; else guards on both sides do.
#if defined(__SANITIZE_ADDRESS__) || defined(CHECK_VALGRIND)
constexpr size_t kGuardBytes = 0;
#else
constexpr size_t kGuardBytes = 256;
#endif
constexpr unsigned char kPoison = 0xff;  // every byte: a NaN in both types, with bits that no operation returns

template <class T>
class Buffer {
 public:
  Buffer() = default;
  // One number past a cache line, unless `aligned`: no kernel may rely on more than the type's own alignment.
  explicit Buffer(int64_t count, bool aligned = false)
      : count_(count), front_(kGuardBytes + (aligned ? 0 : sizeof(T))), bytes_(front_ + size() + kGuardBytes) {
    memory_.reset(static_cast<unsigned char*>(::operator new(bytes_, kLine)));
    std::memset(memory_.get(), kPoison, bytes_);
  }

  T* data() const { return memory_ ? reinterpret_cast<T*>(memory_.get() + front_) : nullptr; }
  T& operator[](int64_t i) const { return data()[i]; }
  int64_t count() const { return count_; }

  bool poisoned(int64_t i) const { return all_poison(front_ + static_cast<size_t>(i) * sizeof(T), sizeof(T)); }
  Buffer copy() const {
    Buffer other;
    other.count_ = count_, other.front_ = front_, other.bytes_ = bytes_;
    other.memory_.reset(static_cast<unsigned char*>(::operator new(bytes_, kLine)));
    if (bytes_) std::memcpy(other.memory_.get(), memory_.get(), bytes_);
    return other;
  }
  bool guards_intact() const { return all_poison(0, front_) && all_poison(front_ + size(), bytes_ - front_ - size()); }
  bool same_bits(const Buffer& other) const {
    return bytes_ == other.bytes_ && (bytes_ == 0 || std::memcmp(memory_.get(), other.memory_.get(), bytes_) == 0);
  }

 private:
  static constexpr std::align_val_t kLine{64};
  struct Free {
    void operator()(unsigned char* memory) const { ::operator delete(memory, kLine); }
  };

  size_t size() const { return static_cast<size_t>(count_) * sizeof(T); }
  bool all_poison(size_t first, size_t count) const {
    for (size_t i = first; i < first + count; ++i)
      if (memory_.get()[i] != kPoison) return false;
    return true;
  }

  int64_t count_ = 0;
  size_t front_ = 0, bytes_ = 0;
  std::unique_ptr<unsigned char, Free> memory_;
};

}  // namespace check

#endif
