// Checks the native library without Python: `check [every [level …]]` runs every n-th case of the table (1: all), at
// the levels that this processor runs or at those named. Exit code 1 and a message for each thing found wrong.
#include <algorithm>
#include <iterator>

#include "check_calls.h"
#include "check_case.h"

namespace {

using check::Case;
using check::Lengths;

struct Kind {
  int64_t mode, coupled;
};
constexpr Kind kKinds[] = {{MC_LSTM, 0}, {MC_GRU, 0}, {MC_RNN_TANH, 0}, {MC_LSTM, 1}, {MC_RNN_RELU, 0}};

constexpr unsigned kVariants[] = {
    check::kBias,
    check::kBias | check::kInitial | check::kReverse,
    check::kBias | check::kInitial | check::kPeephole,
    check::kInitial | check::kNorm,
    check::kBias | check::kNorm | check::kPeephole | check::kReverse,
    check::kBias | check::kInitial | check::kKeepH,
    check::kBias | check::kInitial | check::kZoneRates | check::kNoDout,
    check::kInitial | check::kPeephole | check::kNoDout | check::kNoDhN,
    check::kBias | check::kZoneMasks | check::kInputMask | check::kBatchFirst,
    check::kBias | check::kInitial | check::kPeephole | check::kNorm | check::kKeepH | check::kZoneMasks |
        check::kInputMask | check::kReverse,
    check::kInitial | check::kPeephole | check::kKeepH | check::kZoneRates | check::kBatchFirst,
    check::kBias | check::kInitial | check::kKeepH | check::kZoneRates | check::kProjected,
    check::kInitial | check::kPeephole | check::kNorm | check::kZoneMasks | check::kProjected | check::kReverse,
    check::kBias | check::kTokens,
    check::kInitial | check::kNorm | check::kKeepH | check::kTokens | check::kReverse | check::kBatchFirst,
};
constexpr Lengths kLengths[] = {Lengths::kFull, Lengths::kRagged, Lengths::kPacked, Lengths::kSorted};

// Every kind with every variant and every sort of lengths; the sizes take turns.
std::vector<Case> table() {
  constexpr int64_t hidden[] = {1, 5, 17, 65, 130}, batch[] = {1, 2, 13}, steps[] = {1, 2, 9}, input[] = {1, 3, 8, 21};
  std::vector<Case> cases;
  size_t turn = 0;
  for (const Kind& kind : kKinds)
    for (unsigned has : kVariants) {
      if (kind.mode != MC_LSTM) has &= ~(check::kPeephole | check::kProjected);
      for (const Lengths lengths : kLengths) {
        // A lone input has hardly a gradient once it is normalised: what is left of it is rounding.
        const int64_t least = has & check::kNorm ? 2 : 1;
        cases.push_back({kind.mode, kind.coupled, has, lengths, steps[(turn / 3 + turn) % 3], batch[turn / 2 % 3],
                         std::max(input[turn / 5 % 4], least), hidden[turn % 5]});
        ++turn;
      }
    }
  return cases;
}

// Work enough for several threads, and for several chunks of steps: shared by rows, and by units.
constexpr unsigned kPlain = check::kBias | check::kInitial;
constexpr Case kLarge[] = {
    {MC_LSTM, 0, kPlain, Lengths::kRagged, 40, 13, 9, 65},
    {MC_LSTM, 0, kPlain, Lengths::kFull, 300, 2, 9, 65},
    {MC_LSTM, 1, kPlain | check::kPeephole | check::kZoneMasks | check::kReverse, Lengths::kSorted, 150, 3, 9, 65},
    {MC_LSTM, 0, kPlain | check::kNorm, Lengths::kPacked, 40, 13, 5, 65},
    {MC_LSTM, 0, kPlain | check::kProjected, Lengths::kRagged, 60, 13, 9, 65},
    {MC_LSTM, 1, kPlain | check::kProjected | check::kPeephole, Lengths::kFull, 300, 2, 9, 130},
    {MC_GRU, 0, kPlain | check::kKeepH, Lengths::kRagged, 60, 13, 7, 65},
    {MC_GRU, 0, kPlain | check::kZoneRates | check::kReverse, Lengths::kRagged, 100, 3, 40, 65},
    {MC_RNN_TANH, 0, kPlain | check::kInputMask, Lengths::kFull, 150, 13, 9, 65},
    {MC_RNN_RELU, 0, kPlain | check::kBatchFirst, Lengths::kPacked, 400, 5, 9, 65},
    {MC_LSTM, 0, kPlain | check::kTokens, Lengths::kRagged, 60, 13, 9, 65},
    {MC_LSTM, 0, kPlain | check::kPeephole, Lengths::kFull, 2, 5, 300, 270},  // long sums
    {MC_GRU, 0, kPlain, Lengths::kRagged, 0, 3, 4, 17},  // no steps
    {MC_LSTM, 0, kPlain, Lengths::kSorted, 1, 1, 4, 17},  // a step, but no row that has it
    {MC_LSTM, 0, kPlain, Lengths::kFull, 3, 0, 4, 17},  // no rows
};

std::vector<int64_t> levels_named(int count, char** names) {
  std::vector<int64_t> found;
  for (int64_t level = 0; mc_level_name(level); ++level) {
    bool named = count == 0;
    for (int i = 0; i < count; ++i) named |= std::strcmp(names[i], mc_level_name(level)) == 0;
    if (named && mc_level_runs(level)) found.push_back(level);
  }
  return found;
}

}  // namespace

int main(int count, char** arguments) {
  const size_t every = count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 1;
  const std::vector<int64_t> levels = levels_named(count > 2 ? count - 2 : 0, arguments + 2);
  if (every == 0 || levels.empty()) {
    std::fprintf(stderr, "usage: check [every n-th case [level ...]], with levels that this processor runs\n");
    return 2;
  }
  std::vector<Case> cases = table();
  cases.insert(cases.end(), std::begin(kLarge), std::end(kLarge));
  size_t done = 0;
  for (size_t i = 0; i < cases.size(); i += every, ++done) check::check_case(cases[i], levels);
  for (const int64_t level : levels) check::check_calls(level);
  std::string names;
  for (const int64_t level : levels) names += std::string(" ") + mc_level_name(level);
  std::printf("%zu cases at the levels%s: %s\n", done, names.c_str(), check::failures ? "FAILED" : "all right");
  return check::failures != 0;
}
