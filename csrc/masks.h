// Random masks from a counter-based stream (SplitMix64: Steele, Lea & Flood 2014, figure 17).
#ifndef MEMORYCELL_MASKS_H
#define MEMORYCELL_MASKS_H

#include "vec.h"

namespace mc::MC_LEVEL {

// The finaliser less its last line, which leaves the upper bits, the ones that decide, as they are.
MC_INLINE int64_t mixed(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  return static_cast<int64_t>((z ^ (z >> 27)) * 0x94D049BB133111EBu);
}

template <class T>
void bernoulli(uint64_t key, uint64_t first_row, int64_t rows, int64_t width, int64_t threshold, T one, T* out) {
  constexpr uint64_t kGolden = 0x9E3779B97F4A7C15u;
  for (int64_t r = 0; r < rows; ++r, out += width) {
    const uint64_t row = key + ((first_row + static_cast<uint64_t>(r)) << 32) * kGolden;
    for (int64_t k = 0; k < width; ++k)
      out[k] = mixed(row + static_cast<uint64_t>(k + 1) * kGolden) < threshold ? one : T(0);
  }
}

}  // namespace mc::MC_LEVEL

#endif
