// A layer's problem: its sizes and variants, and every tensor in a buffer that shows what was written where.
#ifndef MEMORYCELL_CHECK_PROBLEM_H
#define MEMORYCELL_CHECK_PROBLEM_H

#include <cmath>
#include <string>
#include <vector>

#include "buffer.h"
#include "memorycell.h"

namespace check {

// What a case has beside the plain cell.
enum : unsigned {
  kBias = 1,
  kInitial = 2,
  kPeephole = 4,
  kNorm = 8,
  kKeepH = 16,
  kZoneMasks = 32,
  kZoneRates = 64,
  kInputMask = 128,
  kReverse = 256,
  kBatchFirst = 512,
  kTokens = 1024,
  kNoDout = 2048,  // null gradients: the loss sees the final state alone,
  kNoDhN = 4096,   // or of an LSTM the final cell alone, of the others nothing
  kProjected = 8192,
};

constexpr double kRateH = 0.15, kRateC = 0.3;  // of the zone rates

// Rows as long as each other; of any lengths in any order; sorted by falling length; the same without padding.
enum class Lengths { kFull, kRagged, kSorted, kPacked };

struct Case {
  int64_t mode, coupled;
  unsigned has;
  Lengths lengths;
  int64_t steps, batch, input, hidden;
};

inline std::string to_string(const Case& c) {
  static const char* const modes[] = {"LSTM", "GRU", "RNN_TANH", "RNN_RELU"};
  static const char* const lengths[] = {"", " ragged", " sorted", " packed"};
  static const char* const variants[] = {"bias", "initial", "peephole", "norm", "keep_h", "zone masks", "zone rates",
                                         "x_mask", "reverse", "batch first", "tokens", "no dout", "no dh_n",
                                         "projected"};
  std::string text = std::string(modes[c.mode]) + (c.coupled ? " coupled" : "");
  text += " T=" + std::to_string(c.steps) + " B=" + std::to_string(c.batch) + " I=" + std::to_string(c.input) +
          " H=" + std::to_string(c.hidden) + lengths[static_cast<int>(c.lengths)];
  for (unsigned i = 0; i < sizeof(variants) / sizeof(variants[0]); ++i)
    if (c.has >> i & 1) text += std::string(", ") + variants[i];
  return text;
}

// ---- Tensors by name ----

// First those with a gradient, then the other inputs, then the outputs, which stand for their own gradients too.
enum Name {
  kX, kH0, kC0, kWIh, kWHh, kBIh, kBHh, kWHr, kWCh,
  kNormIhGain, kNormIhBias, kNormHhGain, kNormHhBias, kNormChGain, kNormChBias,
  kXMask, kMaskH, kZoneH, kZoneC,
  kOut, kHN, kCN,
  kNames
};
constexpr int kDifferentiable = kXMask;
constexpr const char* kNameOf[] = {
    "x", "h_0", "c_0", "w_ih", "w_hh", "b_ih", "b_hh", "w_hr", "w_ch",
    "norm_ih_gain", "norm_ih_bias", "norm_hh_gain", "norm_hh_bias", "norm_ch_gain", "norm_ch_bias",
    "x_mask", "keep_h", "zone_h", "zone_c", "out", "h_n", "c_n"};
constexpr int64_t kVocabulary = 7;

// Where the numbers of a tensor stand: a flat list, or rows over time and batch with gaps between them.
struct Shape {
  int64_t count = 0;  // numbers with all gaps; 0 as `width` too: there is no such tensor
  int64_t width = 0, time = 0, row = 0;
  bool over_time = false, packed = false;
};

// The lengths of a case's rows, and the shapes that follow.
struct Layout {
  Case c;
  std::vector<int64_t> length, place, active, first;  // by sorted row: length, place in order; by step
  int64_t gates, outs;  // outs: P, the size of h

  explicit Layout(const Case& c);
  Shape shape(int name) const;
  Shape rows(bool there, int64_t width, bool packable) const;
  Shape token_shape() const { return rows(c.has & kTokens, 1, true); }
  int64_t at(const Shape& s, int64_t t, int64_t b) const {
    return s.packed ? (first[static_cast<size_t>(t)] + b) * s.row
                    : t * s.time + place[static_cast<size_t>(b)] * s.row;
  }
  // Whether the loss sees an output.
  bool seen(int name) const { return !(name == kOut && c.has & kNoDout) && !(name == kHN && c.has & kNoDhN); }
  // Calls body(index) for every number of a tensor that is not in a gap.
  template <class Body>
  void each(const Shape& s, const Body& body) const {
    if (!s.over_time)
      for (int64_t i = 0; i < s.count; ++i) body(i);
    else
      for (int64_t b = 0; b < c.batch; ++b)
        for (int64_t t = 0; t < length[static_cast<size_t>(b)]; ++t)
          for (int64_t i = 0; i < s.width; ++i) body(at(s, t, b) + i);
  }
};

// A number in [-1, 1) that float32 holds exactly.
inline double uniform(uint64_t stream, uint64_t index) {
  uint64_t z = (stream << 40) + index * 0x9e3779b97f4a7c15u + 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return static_cast<double>((z ^ (z >> 31)) >> 40) / 8388608.0 - 1.0;
}

inline Layout::Layout(const Case& of)
    : c(of),
      gates(of.mode == MC_LSTM ? (of.coupled ? 3 : 4) : of.mode == MC_GRU ? 3 : 1),
      outs(of.has & kProjected ? (of.hidden + 2) / 3 : of.hidden) {
  const auto steps = static_cast<size_t>(c.steps), batch = static_cast<size_t>(c.batch);
  length.assign(batch, c.steps);
  place.resize(batch);
  for (size_t b = 0; b < batch; ++b) {
    // A stride that is prime to the batch sizes of the table shuffles the rows.
    place[b] = static_cast<int64_t>(c.lengths == Lengths::kRagged ? (b * 5 + 1) % batch : b);
    // Falling from T to 0; a lone row has half of the steps.
    if (c.lengths != Lengths::kFull) length[b] = c.steps * (c.batch - static_cast<int64_t>(b)) / (c.batch + 1);
  }
  if (c.lengths != Lengths::kFull && batch > 2) length[0] = length[1] = c.steps, length[batch - 1] = 0;
  active.assign(steps, 0);
  first.assign(steps, 0);
  int64_t before = 0;
  for (size_t t = 0; t < steps; ++t) {
    for (const int64_t n : length) active[t] += n > static_cast<int64_t>(t);
    first[t] = before;
    before += active[t];
  }
}

// Rows over time and batch, with gaps between them.
inline Shape Layout::rows(bool there, int64_t width, bool packable) const {
  if (!there) return {};
  const int64_t row = width + 3;
  if (packable && c.lengths == Lengths::kPacked) {
    const int64_t all = c.steps ? first.back() + active.back() : 0;
    return {all * row, width, 0, row, true, true};
  }
  if (c.has & kBatchFirst) return {c.batch * (c.steps * row + 1), width, row, c.steps * row + 1, true, false};
  return {c.steps * (c.batch * row + 2), width, c.batch * row + 2, row, true, false};
}

inline Shape Layout::shape(int name) const {
  const bool lstm = c.mode == MC_LSTM;
  const auto flat = [](bool there, int64_t count) { return there ? Shape{count, count, 0, 0, false, false} : Shape{}; };
  const int64_t state = c.batch * outs, cells = c.batch * c.hidden, parameters = gates * c.hidden;
  const bool norm = c.has & kNorm, initial = c.has & kInitial, masks = c.has & kZoneMasks;
  switch (name) {
    case kX:
      return c.has & kTokens ? Shape{kVocabulary * c.input, c.input, 0, c.input, false, false}
                             : rows(true, c.input, true);
    case kH0: return flat(initial, state);
    case kC0: return flat(initial && lstm, cells);
    case kWIh: return flat(true, parameters * c.input);
    case kWHh: return flat(true, parameters * outs);
    case kBIh:
    case kBHh: return flat(c.has & kBias, parameters);
    case kWHr: return flat(c.has & kProjected, outs * c.hidden);
    case kWCh: return flat(c.has & kPeephole, (c.coupled ? 2 : 3) * c.hidden);
    case kNormIhGain:
    case kNormIhBias:
    case kNormHhGain:
    case kNormHhBias: return flat(norm, parameters);
    case kNormChGain:
    case kNormChBias: return flat(norm && lstm, c.hidden);
    case kXMask: return rows(c.has & kInputMask, c.input, false);
    case kMaskH: return flat(c.has & kKeepH, state);
    case kZoneH: return rows(masks, outs, false);
    case kZoneC: return rows(masks && lstm, c.hidden, false);
    case kOut: return rows(true, outs, true);
    case kHN: return flat(true, state);
    case kCN: return flat(lstm, cells);
    default: return {};
  }
}

// Tensors of a layout, all poison at first; those that a case has not got stay null.
template <class T>
struct Tensors {
  Shape shape[kNames];
  Buffer<T> values[kNames];

  void make(const Layout& layout, int name) {
    shape[name] = layout.shape(name);
    if (shape[name].width) values[name] = Buffer<T>(shape[name].count);
  }
  Buffer<T>& operator[](int name) { return values[name]; }
  const Buffer<T>& operator[](int name) const { return values[name]; }
  bool has(int name) const { return shape[name].width != 0; }
};

// A layout with values for its inputs and for the gradients of its outputs.
template <class T>
struct Problem : Layout {
  Tensors<T> tensors;
  Buffer<int64_t> tokens;

  explicit Problem(const Case& of) : Layout(of) {
    for (int name = 0; name < kNames; ++name) {
      tensors.make(*this, name);
      each(tensors.shape[name], [&](int64_t i) { tensors[name][i] = value(name, i); });
    }
    if (c.has & kTokens) tokens = Buffer<int64_t>(token_shape().count);
    each(token_shape(), [&](int64_t i) { tokens[i] = i * 3 % kVocabulary; });
  }

 private:
  T value(int name, int64_t index) const {
    const double u = uniform(static_cast<uint64_t>(name), static_cast<uint64_t>(index));
    const auto in_float = [](double x) { return static_cast<T>(static_cast<float>(x)); };
    switch (name) {
      case kWIh: return in_float(u / std::sqrt(static_cast<double>(c.input)));
      case kWHr:
      case kWHh: return in_float(0.9 * u / std::sqrt(static_cast<double>(c.hidden)));
      case kNormIhGain:
      case kNormHhGain:
      case kNormChGain: return in_float(1 + 0.3 * u);
      case kBIh:
      case kBHh:
      case kWCh:
      case kNormIhBias:
      case kNormHhBias:
      case kNormChBias: return in_float(0.4 * u);
      case kXMask:
      case kMaskH: return in_float(u < -0.4 ? 0 : 1.25);
      case kZoneH:
      case kZoneC: return in_float(u < 0 ? 0 : u < 0.5 ? 1 : u);
      default: return in_float(u);
    }
  }
};

}  // namespace check

#endif
