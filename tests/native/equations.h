// The equations of the cells one number at a time, in double: what the kernels are compared with.
// kernels/reference.py has them in torch, with their sources.
#ifndef MEMORYCELL_CHECK_EQUATIONS_H
#define MEMORYCELL_CHECK_EQUATIONS_H

#include <algorithm>

#include "problem.h"

namespace check {

using Values = std::vector<double>;

// out, h_n and c_n of a problem, and its gates and cell over time, shaped as out and as mc_trace wants them.
struct Expected {
  Tensors<double> tensors;
  Buffer<double> trace[5];
};

class Equations {
 public:
  explicit Equations(const Problem<double>& problem)
      : p_(problem), c_(problem.c), h_(static_cast<size_t>(c_.hidden)), out_(static_cast<size_t>(problem.outs)) {}

  Expected operator()() {
    for (const int name : {kOut, kHN, kCN}) found_.tensors.make(p_, name);
    for (auto& values : found_.trace) values = Buffer<double>(c_.steps * c_.batch * c_.hidden);
    for (int64_t b = 0; b < c_.batch; ++b) row(b);
    return std::move(found_);
  }

 private:
  const double* get(int name) const { return p_.tensors[name].data(); }
  static double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

  // values[first …] normalised together, `count` of them (Ba et al. 2016).
  static void normalise(Values& values, size_t first, size_t count, const double* gain, const double* bias) {
    double mean = 0, variance = 0;
    for (size_t i = first; i < first + count; ++i) mean += values[i] / static_cast<double>(count);
    for (size_t i = first; i < first + count; ++i)
      variance += (values[i] - mean) * (values[i] - mean) / static_cast<double>(count);
    for (size_t i = first; i < first + count; ++i)
      values[i] = (values[i] - mean) / std::sqrt(variance + 1e-5) * gain[i] + bias[i];
  }

  // W v + b, normalised if the layer is; a GRU's r and z apart from its n.
  Values product(int w, const Values& v, int b, int gain) const {
    Values y(static_cast<size_t>(p_.gates) * h_);
    for (size_t row = 0; row < y.size(); ++row)
      for (size_t i = 0; i < v.size(); ++i) y[row] += get(w)[row * v.size() + i] * v[i];
    if (get(gain)) {
      const size_t together = c_.mode == MC_GRU ? 2 * h_ : y.size();
      normalise(y, 0, together, get(gain), get(gain + 1));
      if (together < y.size()) normalise(y, together, y.size() - together, get(gain), get(gain + 1));
    }
    for (size_t row = 0; get(b) && row < y.size(); ++row) y[row] += get(b)[row];
    return y;
  }

  Values input(int64_t t, int64_t b) const {
    Values x(static_cast<size_t>(c_.input));
    const double* from = get(kX) + (c_.has & kTokens ? p_.tokens[p_.at(p_.token_shape(), t, b)] * c_.input
                                                     : p_.at(p_.tensors.shape[kX], t, b));
    for (size_t i = 0; i < x.size(); ++i) x[i] = from[i];
    for (size_t i = 0; get(kXMask) && i < x.size(); ++i)
      x[i] *= get(kXMask)[static_cast<size_t>(p_.at(p_.tensors.shape[kXMask], t, b)) + i];
    return x;
  }

  void row(int64_t b) {
    const auto place = static_cast<size_t>(p_.place[static_cast<size_t>(b)]);
    Values h(out_), c(h_);
    for (size_t u = 0; get(kH0) && u < out_; ++u) h[u] = get(kH0)[place * out_ + u];
    for (size_t u = 0; get(kC0) && u < h_; ++u) c[u] = get(kC0)[place * h_ + u];
    const int64_t length = p_.length[static_cast<size_t>(b)];
    for (int64_t s = 0; s < length; ++s) step(c_.has & kReverse ? length - 1 - s : s, b, h, c);
    for (size_t u = 0; u < out_; ++u) found_.tensors[kHN][static_cast<int64_t>(place * out_ + u)] = h[u];
    for (size_t u = 0; c_.mode == MC_LSTM && u < h_; ++u)
      found_.tensors[kCN][static_cast<int64_t>(place * h_ + u)] = c[u];
  }

  void step(int64_t t, int64_t b, Values& h, Values& c) {
    Values seen = h;
    const int64_t place = p_.place[static_cast<size_t>(b)];
    for (size_t u = 0; get(kMaskH) && u < out_; ++u) seen[u] *= get(kMaskH)[static_cast<size_t>(place) * out_ + u];
    const Values gx = product(kWIh, input(t, b), kBIh, kNormIhGain);
    const Values gh = product(kWHh, seen, kBHh, kNormHhGain);
    Values gates[4], h_new(h_), c_new(h_);
    for (auto& gate : gates) gate.resize(h_);
    if (c_.mode == MC_LSTM)
      lstm(gx, gh, c, gates, h_new, c_new);
    else if (c_.mode == MC_GRU)
      gru(gx, gh, h, gates, h_new);
    else
      for (size_t u = 0; u < h_; ++u)
        h_new[u] = c_.mode == MC_RNN_TANH ? std::tanh(gx[u] + gh[u]) : std::max(gx[u] + gh[u], 0.0);
    zone(h, get(kWHr) ? projected(h_new) : h_new, t, b, kZoneH, kRateH);
    zone(c, c_new, t, b, kZoneC, kRateC);
    const int64_t out = p_.at(p_.tensors.shape[kOut], t, b), traced = (t * c_.batch + place) * c_.hidden;
    for (int64_t u = 0; u < p_.outs; ++u) found_.tensors[kOut][out + u] = h[static_cast<size_t>(u)];
    for (int64_t u = 0; u < c_.hidden; ++u) {
      for (int k = 0; k < 4; ++k) found_.trace[k][traced + u] = gates[k][static_cast<size_t>(u)];
      found_.trace[4][traced + u] = c[static_cast<size_t>(u)];
    }
  }

  // W_hr h (Sak et al. 2014).
  Values projected(const Values& h) const {
    Values y(out_);
    for (size_t row = 0; row < out_; ++row)
      for (size_t u = 0; u < h_; ++u) y[row] += get(kWHr)[row * h_ + u] * h[u];
    return y;
  }

  // gates: i f g o (Graves 2013, eq. 7–11; coupled f = 1 - i: Greff et al. 2015).
  void lstm(const Values& gx, const Values& gh, const Values& c, Values (&gates)[4], Values& h_new,
            Values& c_new) const {
    const double* peephole = get(kWCh);
    const auto pre = [&](size_t gate, size_t u) { return gx[gate * h_ + u] + gh[gate * h_ + u]; };
    const size_t last = static_cast<size_t>(p_.gates) - 1, last_peephole = c_.coupled ? 1 : 2;
    for (size_t u = 0; u < h_; ++u) {
      const double i = sigmoid(pre(0, u) + (peephole ? peephole[u] * c[u] : 0));
      const double f = c_.coupled ? 1 - i : sigmoid(pre(1, u) + (peephole ? peephole[h_ + u] * c[u] : 0));
      const double g = std::tanh(pre(last - 1, u));
      c_new[u] = f * c[u] + i * g;
      const double o = sigmoid(pre(last, u) + (peephole ? peephole[last_peephole * h_ + u] * c_new[u] : 0));
      gates[0][u] = i, gates[1][u] = f, gates[2][u] = g, gates[3][u] = o;
    }
    Values squashed = c_new;
    if (get(kNormChGain)) normalise(squashed, 0, h_, get(kNormChGain), get(kNormChBias));
    for (size_t u = 0; u < h_; ++u) h_new[u] = gates[3][u] * std::tanh(squashed[u]);
  }

  // gates: r z n (Cho et al. 2014, the reset after the product).
  void gru(const Values& gx, const Values& gh, const Values& h, Values (&gates)[4], Values& h_new) const {
    for (size_t u = 0; u < h_; ++u) {
      const double r = sigmoid(gx[u] + gh[u]), z = sigmoid(gx[h_ + u] + gh[h_ + u]);
      const double n = std::tanh(gx[2 * h_ + u] + r * gh[2 * h_ + u]);
      gates[0][u] = r, gates[1][u] = z, gates[2][u] = n;
      h_new[u] = (1 - z) * n + z * h[u];
    }
  }

  // state ← the share of it that stays, and of the new one the rest (Krueger et al. 2017).
  void zone(Values& state, const Values& fresh, int64_t t, int64_t b, int mask, double rate) const {
    for (size_t u = 0; u < state.size(); ++u) {
      double share = c_.has & kZoneRates ? rate : 0;
      if (get(mask)) share = get(mask)[static_cast<size_t>(p_.at(p_.tensors.shape[mask], t, b)) + u];
      state[u] = share * state[u] + (1 - share) * fresh[u];
    }
  }

  const Problem<double>& p_;
  const Case& c_;
  size_t h_, out_;  // H, P
  Expected found_;
};

}  // namespace check

#endif
