"""LinearPath: a ridge regression beside a recurrent network, fitted in closed form before training starts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)

# A sample of the regression: targets of the window (n, W, K), what is known of the steps ahead (n, H, P), and the
# targets ahead (n, H, K), all as the network normalises them.
Sample = tuple[Tensor, Tensor, Tensor]


class LinearPath(nn.Module):
    """Each step ahead as a linear function of the target's own window and of what is known of that step.

    The recurrent network then learns what this leaves (the autoregressive component of LSTNet, Lai et al. 2018,
    sec. 3.6, but solved rather than trained: it is not a parameter, so no optimiser moves it).

    Parameters
    ----------
    window, horizon, known, targets : int
        W, H, P and K.
    shared : bool
        One set of weights for all targets, or one for each.

    Example
    -------
    >>> path = LinearPath(window=3, horizon=2, known=0, targets=1)
    >>> past = torch.randn(50, 3, 1)
    >>> ahead = torch.stack([past[:, -1], 2 * past[:, -1]], dim=1)
    >>> _ = path.fit([(past, torch.empty(50, 2, 0), ahead)], penalties=[1e-8])
    >>> torch.allclose(path(past, torch.empty(50, 2, 0)), ahead, atol=1e-3)
    True
    """

    weight: Tensor
    bias: Tensor

    def __init__(self, window: int, horizon: int, known: int, targets: int, shared: bool = False) -> None:
        super().__init__()
        self.window, self.horizon, self.known, self.targets, self.shared = window, horizon, known, targets, shared
        sets = 1 if shared else targets
        self.register_buffer("weight", torch.zeros(sets, horizon, window + known, dtype=torch.float32))
        self.register_buffer("bias", torch.zeros(sets, horizon, dtype=torch.float32))

    def forward(self, past: Tensor, known: Tensor) -> Tensor:
        """(B, H, K) from the targets of the window (B, W, K) and what is known ahead (B, H, P)."""
        own, ahead = self.weight[..., : self.window], self.weight[..., self.window :]
        if self.shared or self.targets == 1:
            out = torch.matmul(own[0], past) + self.bias[0].unsqueeze(-1)
        else:
            out = torch.einsum("khw,bwk->bhk", own, past) + self.bias.T
        if self.known:
            out = out + torch.einsum("khp,bhp->bhk", ahead, known)
        return out

    @torch.no_grad()
    def fit(
        self, samples: Iterable[Sample], held_out: Iterable[Sample] = (), penalties: Sequence[float] = PENALTIES
    ) -> float:
        """Solve the regression; returns the penalty (a share of the inputs' mean square) that was used.

        Of several penalties the one with the least squared error on `held_out` is taken, the middle one without it.
        """
        sums = [_Sums(self.window, self.horizon, self.known) for _ in range(len(self.weight))]
        for past, known, ahead in samples:
            for k in range(self.targets):
                sums[0 if self.shared else k].add(past[:, :, k], known, ahead[:, :, k])
        held = list(held_out)
        if len(penalties) > 1 and not held:
            penalties = [penalties[len(penalties) // 2]]
        best = (float("inf"), penalties[0])
        for penalty in penalties if len(penalties) > 1 else ():
            self._take(sums, penalty)
            error = sum(self._squared_error(sample) for sample in held)
            best = min(best, (error, penalty))
        self._take(sums, best[1])
        return best[1]

    def _squared_error(self, sample: Sample) -> float:
        past, known, ahead = (part.to(self.weight.device) for part in sample)
        return float((self(past, known) - ahead).square().sum())

    def _take(self, sums: list[_Sums], penalty: float) -> None:
        for k, each in enumerate(sums):
            solution = each.solve(penalty)
            self.weight[k], self.bias[k] = solution[:, :-1].to(self.weight), solution[:, -1].to(self.bias)


class _Sums:
    """Normal equations of all steps ahead: they share the window's part and differ in what is known of the step."""

    def __init__(self, window: int, horizon: int, known: int) -> None:
        own = window + 1  # and a constant
        self.count = 0
        self.own = torch.zeros(own, own, dtype=torch.float64)
        self.cross = torch.zeros(horizon, own, known, dtype=torch.float64)
        self.ahead = torch.zeros(horizon, known, known, dtype=torch.float64)
        self.out_own = torch.zeros(own, horizon, dtype=torch.float64)
        self.out_ahead = torch.zeros(horizon, known, dtype=torch.float64)

    def add(self, past: Tensor, known: Tensor, ahead: Tensor) -> None:
        """Windows (n, W), known (n, H, P) and targets (n, H)."""
        x = torch.cat([past, past.new_ones(len(past), 1)], dim=1).double()
        z, y = known.double(), ahead.double()
        self.count += len(x)
        self.own += x.T @ x
        self.out_own += x.T @ y
        if z.shape[-1]:
            self.cross += torch.einsum("nw,nhp->hwp", x, z)
            self.ahead += torch.einsum("nhp,nhq->hpq", z, z)
            self.out_ahead += torch.einsum("nhp,nh->hp", z, y)

    def solve(self, penalty: float) -> Tensor:
        """Weights (H, W + P + 1), the constant last."""
        window = len(self.own) - 1
        steps, known = self.out_ahead.shape
        size = window + known + 1
        if self.count < 2 * size:
            return torch.zeros(steps, size, dtype=torch.float32)
        gram, right = torch.empty(steps, size, size, dtype=torch.float64), torch.empty(steps, size, dtype=torch.float64)
        place = [*range(window), size - 1]
        other = slice(window, size - 1)
        index = torch.tensor(place)
        gram[:, index[:, None], index] = self.own
        gram[:, index, other] = self.cross
        gram[:, other, index] = self.cross.transpose(1, 2)
        gram[:, other, other] = self.ahead
        right[:, index], right[:, other] = self.out_own.T, self.out_ahead
        # Windows of one step, from which their own last value was taken, are all zero.
        spread = max(float(self.own.diagonal()[:-1].mean()), 1e-6 * self.count)
        diagonal = torch.full((size,), penalty * spread, dtype=torch.float64)
        diagonal[-1] = 1e-9 * self.count
        gram += torch.diag(diagonal)
        if known == 0:  # one system for all steps
            return torch.linalg.solve(gram[0], right.T).T
        return torch.linalg.solve(gram, right)
