// Layer normalisation of one row of values in blocks: y = gain · x̂ + bias, x̂ = (x - mean) / √(variance + ε)
// (Ba et al. 2016, eq. 4; ε = 1e-5 as torch's).
#ifndef MEMORYCELL_NORM_H
#define MEMORYCELL_NORM_H

#include "layer.h"

namespace mc::MC_LEVEL {

// Values of a row that are normalised together: `gates` slots from `first` on, in every block.
template <class T>
struct Normed {
  const Layer<T>& layer;
  int64_t first, gates;
  int64_t stride;  // between blocks

  template <class Body>
  MC_INLINE void each(const Body& body) const {
    constexpr int L = kLanes<T>;
    for (int64_t block = 0; block < layer.blocks; ++block)
      for (int64_t g = first; g < first + gates; ++g) body(block, g, block * stride + g * L, layer.lanes_of(block));
  }
  T count() const { return static_cast<T>(gates * layer.hidden); }
};

// Lanes from `lanes` on set to zero.
template <class T>
MC_INLINE Vec<T> only_first(Vec<T> v, int lanes) {
  if (lanes == kLanes<T>) return v;
  for (int i = lanes; i < kLanes<T>; ++i) v[i] = 0;
  return v;
}

// values: blocks `stride` apart, replaced by y. kept: x̂, blocks kept_stride apart, null: not kept. gain and
// bias: slot g at g · units. Returns the reciprocal deviation. Padding lanes of the values must be zero.
template <class T>
T normalise(const Normed<T>& n, T* values, const T* gain, const T* bias, T* kept, int64_t kept_stride) {
  constexpr int L = kLanes<T>;
  Vec<T> sum{};
  n.each([&](int64_t, int64_t, int64_t at, int) { sum += load(values + at); });
  const Vec<T> mean = splat(horizontal_sum<T>(sum) / n.count());
  Vec<T> square{};
  n.each([&](int64_t, int64_t, int64_t at, int lanes) {
    const Vec<T> apart = only_first<T>(load(values + at) - mean, lanes);
    square = fma(apart, apart, square);
  });
  const T deviation = T(1) / static_cast<T>(__builtin_sqrt(horizontal_sum<T>(square) / n.count() + T(1e-5)));
  const Vec<T> scale = splat(deviation);
  n.each([&](int64_t block, int64_t g, int64_t at, int lanes) {
    const Vec<T> normed = only_first<T>((load(values + at) - mean) * scale, lanes);
    if (kept) store(kept + block * kept_stride + g * L, normed);
    const int64_t parameter = g * n.layer.units + block * L;
    store(values + at, fma(normed, load(gain + parameter), load(bias + parameter)));
  });
  return deviation;
}

// From dy to dx, slot g of both at position[g] · units of a row (they may be the same); dgain and dbias add up.
// dx = deviation · (dx̂ - mean(dx̂) - x̂ · mean(dx̂ · x̂)), dx̂ = gain · dy.
template <class T>
void normalise_backward(const Normed<T>& n, const T* dy, const int* dy_slot, T* dx, const int* dx_slot, T deviation,
                        const T* gain, const T* kept, int64_t kept_stride, T* dgain, T* dbias) {
  constexpr int L = kLanes<T>;
  const int64_t units = n.layer.units;
  Vec<T> sum{}, product{};
  n.each([&](int64_t block, int64_t g, int64_t, int) {
    const int64_t unit = block * L, parameter = g * units + unit;
    const Vec<T> d = load(dy + dy_slot[g] * units + unit), normed = load(kept + block * kept_stride + g * L);
    store(dgain + parameter, fma(d, normed, load(dgain + parameter)));
    if (dbias) store(dbias + parameter, load(dbias + parameter) + d);
    const Vec<T> scaled = d * load(gain + parameter);
    sum += scaled;
    product = fma(scaled, normed, product);
  });
  const Vec<T> mean = splat(horizontal_sum<T>(sum) / n.count());
  const Vec<T> slope = splat(horizontal_sum<T>(product) / n.count());
  n.each([&](int64_t block, int64_t g, int64_t, int lanes) {
    const int64_t unit = block * L;
    const Vec<T> normed = load(kept + block * kept_stride + g * L);
    const Vec<T> scaled = load(dy + dy_slot[g] * units + unit) * load(gain + g * units + unit);
    const Vec<T> d = (scaled - mean - normed * slope) * deviation;
    store(dx + dx_slot[g] * units + unit, only_first<T>(d, lanes));
  });
}

}  // namespace mc::MC_LEVEL

#endif
