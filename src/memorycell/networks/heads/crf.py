"""CRFHead: labels of a whole sequence scored together, a linear-chain conditional random field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from memorycell.data.batch import Batch
from memorycell.data.labels.label_schemes import may_follow, span_scheme
from memorycell.networks.heads.base import Head

# Recursions run on exponentials in float64, which hold e^±700: scores that lie further apart go through logarithms.
_WIDEST = 300.0
FORBIDDEN = -1e4  # the score of what a scheme forbids, where gradients are wanted


class CRFHead(Head):
    """A linear-chain conditional random field (Lafferty et al. 2001; over an LSTM: Huang et al. 2015).

    A sequence of labels y scores start[y_1] + Σ raw[t, y_t] + Σ transitions[y_t, y_{t+1}] + end[y_T]; its probability
    is the softmax over all K^T sequences. The loss is the negative log-likelihood, exact: the partition function by the
    forward algorithm, its gradient from forward–backward marginals, in one node and T steps for both.

    Parameters
    ----------
    n_outputs : int
        K, the number of labels.
    labels : sequence of str, optional
        Names of labels that mark spans (`span_scheme`). What their scheme forbids, such as I-place after O in BIO,
        then has probability 0 in its answers.
    constrained_training : bool
        Leave what is forbidden out of the partition function too. Targets must then obey the scheme.
    scheme : str, optional
        That of the names, where these alone do not say it: "IOB1".

    Raises
    ------
    ValueError
        Without labels, or for names of no scheme or not K.

    Example
    -------
    >>> head = CRFHead(3, labels=["O", "B-place", "I-place"])
    >>> raw, lengths = torch.zeros(2, 4, 3), torch.tensor([4, 2])
    >>> head.probabilities(raw, lengths).shape, head.predict(raw, lengths).tolist()
    (torch.Size([2, 4, 3]), [[0, 0, 0, 0], [0, 0, 0, 0]])
    """

    # Scores of what is allowed: 0, and -inf for what is not; rebuilt with the module.
    start_rule: Tensor
    end_rule: Tensor
    rule: Tensor

    def __init__(
        self,
        n_outputs: int,
        labels: Sequence[str] | None = None,
        constrained_training: bool = False,
        scheme: str | None = None,
    ) -> None:
        super().__init__()
        if n_outputs < 1:
            raise ValueError(f"expected at least one label, got n_outputs={n_outputs}")
        if constrained_training and labels is None:
            raise ValueError("expected the labels' names, which say what is forbidden, with constrained_training")
        self.n_outputs, self.constrained_training = n_outputs, constrained_training
        self.labels, self.scheme = None if labels is None else list(labels), scheme
        self.start, self.end = nn.Parameter(torch.zeros(n_outputs)), nn.Parameter(torch.zeros(n_outputs))
        self.transitions = nn.Parameter(torch.zeros(n_outputs, n_outputs))
        for name, scores in zip(("start_rule", "end_rule", "rule"), self._rules(), strict=True):
            self.register_buffer(name, scores, persistent=False)

    def _rules(self) -> tuple[Tensor, Tensor, Tensor]:
        if self.labels is None:
            return torch.zeros(self.n_outputs), torch.zeros(self.n_outputs), torch.zeros(self.n_outputs, self.n_outputs)
        found = span_scheme(self.labels)
        if found is None or len(self.labels) != self.n_outputs:
            raise ValueError(
                f"expected {self.n_outputs} names of labels that mark spans (BIO, BIOES, …), got {self.labels!r:.200}"
            )
        if self.scheme not in (None, found) and (self.scheme, found) != ("IOB1", "BIO"):
            raise ValueError(f"expected labels of {self.scheme}, got those of {found}: {self.labels!r:.200}")
        scheme = self.scheme or found
        allowed = torch.tensor([[may_follow(a, b, scheme) for b in (*self.labels, None)] for a in (*self.labels, None)])
        scores = torch.zeros(allowed.shape).masked_fill_(~allowed, -torch.inf)
        return scores[-1, :-1], scores[:-1, -1], scores[:-1, :-1]

    def _scores(self, constrained: bool) -> tuple[Tensor, Tensor, Tensor]:
        if not constrained or self.labels is None:
            return self.start, self.end, self.transitions
        return self.start + self.start_rule, self.end + self.end_rule, self.transitions + self.rule

    def loss(self, raw: Tensor, batch: Batch) -> tuple[Tensor, Tensor | float]:
        """Summed negative log-likelihood of the sequences, and the number (or summed weight) of their steps.

        Parameters
        ----------
        raw : Tensor
            (B, T, K).
        batch : Batch
            With targets int64 (B, T), beyond the end of a row anything; their lengths, under ``"targets"``; and
            weights (B, T), alike for all steps of a row, which count together or not at all.

        Raises
        ------
        ValueError
            For a batch without targets, weights that differ within a row, and with `constrained_training` labels in an
            order that their scheme forbids.
        """
        targets, weights = self.aligned(raw, batch), batch.weights
        lengths = _lengths_of(raw, batch.lengths.get("targets"))
        inside = torch.arange(raw.shape[1], device=raw.device) < lengths.unsqueeze(1)
        row_weights = raw.new_ones(len(raw)) if weights is None else weights[:, 0]
        count = (inside * row_weights.unsqueeze(1)).sum() if weights is None else batch.count(inside * weights)
        if weights is not None:
            if bool(((weights != row_weights.unsqueeze(1)) & inside).any()):
                raise ValueError("expected one weight for all steps of a row, got several: a CRF weighs sequences")
            inside &= row_weights.unsqueeze(1) > 0  # a row without weight is left out
            lengths = inside.sum(1)
        if constrained := self.constrained_training:
            self._check_obeyed(targets, inside)
        total = _NegativeLogLikelihood.apply(raw, *self._scores(constrained), targets, lengths, row_weights)
        return total, count

    def _check_obeyed(self, targets: Tensor, inside: Tensor) -> None:
        scores = self.rule[targets[:, :-1], targets[:, 1:]].masked_fill(~inside[:, 1:], 0).sum(1)
        last = targets.gather(1, (inside.sum(1, keepdim=True) - 1).clamp(min=0)).squeeze(1)
        ends = (self.start_rule[targets[:, 0]] + self.end_rule[last]).masked_fill(~inside[:, 0], 0)
        if bool(torch.isinf(scores + ends).any()):
            row = int(torch.isinf(scores + ends).nonzero()[0])
            raise ValueError(
                f"row {row} of the batch has labels in an order that their scheme forbids: mend it (an entity begins "
                "with B), or leave constrained_training off"
            )

    def probabilities(self, raw: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Marginal probabilities (B, T, K) of each label at each step, by forward–backward; 0 beyond the end."""
        with torch.no_grad():
            chain = _Chain(raw, *self._scores(True), _lengths_of(raw, lengths))
            return chain.marginals().to(raw.dtype)

    def log_partition(self, raw: Tensor, lengths: Tensor | None = None, constrained: bool = False) -> Tensor:
        """Logarithm (B,) of the summed exponential scores of all sequences of labels, float64; 0 for an empty row."""
        with torch.no_grad():
            return _Chain(raw, *self._scores(constrained), _lengths_of(raw, lengths)).log_partition()

    @torch.no_grad()
    def predict(self, raw: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The most probable sequence of labels of each row, int64 (B, T), by Viterbi's algorithm; 0 beyond the end."""
        lengths = _lengths_of(raw, lengths)
        start, end, transitions = self._scores(True)
        rows, steps, _ = raw.shape
        scores, origins = [raw[:, 0] + start], []
        into = transitions.T.contiguous()  # into[j, i]: from i to j, so that the maximum is over neighbours in memory
        for t in range(1, steps):
            best, origin = (scores[-1].unsqueeze(1) + into).max(dim=2)
            scores.append(best.add_(raw[:, t]))
            origins.append(origin)
        last = (torch.stack(scores, 1) + end).argmax(dim=2)  # (B, T): the last label, were t the last step
        path = raw.new_zeros((rows, steps), dtype=torch.int64)
        label = last[:, -1]
        for t in range(steps - 1, -1, -1):
            if t < steps - 1:
                label = torch.where(lengths == t + 1, last[:, t], origins[t].gather(1, label.unsqueeze(1)).squeeze(1))
            path[:, t] = label
        return path.masked_fill_(torch.arange(steps, device=raw.device) >= lengths.unsqueeze(1), 0)

    def plain_log_partition(self, raw: Tensor, lengths: Tensor | None = None, constrained: bool = False) -> Tensor:
        """`log_partition` as the textbook writes it, in logarithms and differentiable: the reference of the other.

        What is forbidden has the score −10⁴ here: of −∞ alone a sum has no gradient.
        """
        start, end, transitions = (scores.clamp(min=FORBIDDEN) for scores in self._scores(constrained))
        return _log_partition(raw, start, end, transitions, _lengths_of(raw, lengths))


def _lengths_of(raw: Tensor, lengths: Tensor | None) -> Tensor:
    if raw.ndim != 3:
        raise ValueError(f"expected raw of shape (batch, time, labels), got {tuple(raw.shape)}")
    return torch.full(raw.shape[:1], raw.shape[1], device=raw.device) if lengths is None else lengths.to(raw.device)


def _log_partition(raw: Tensor, start: Tensor, end: Tensor, transitions: Tensor, lengths: Tensor) -> Tensor:
    alpha = raw[:, 0] + start
    for t in range(1, raw.shape[1]):
        beyond = (lengths <= t).unsqueeze(1)
        after = torch.logsumexp(alpha.unsqueeze(2) + transitions, dim=1) + raw[:, t]
        alpha = torch.where(beyond, alpha, after)
    return torch.where(lengths > 0, torch.logsumexp(alpha + end, dim=1), 0)


class _Chain:
    """Forward and backward variables of a batch, side by side in one recursion of T steps.

    Read from its end, a sequence obeys the same recursion with the transitions transposed and start and end swapped:
    both directions are one batched product a step. Each row is read from its own end, so no step asks which rows
    are over. Variables are scaled to sum to one (Rabiner 1989, sec. V.A).
    """

    def __init__(self, raw: Tensor, start: Tensor, end: Tensor, transitions: Tensor, lengths: Tensor) -> None:
        self.scores = (raw, start, end, transitions, lengths)
        rows, steps, labels = raw.shape
        self.lengths, self.inside = lengths, torch.arange(steps, device=raw.device) < lengths.unsqueeze(1)
        # Beyond the end of a row the mirror is never read: any step of the row will do.
        self.mirror = (lengths.unsqueeze(1) - 1 - torch.arange(steps, device=raw.device)).clamp(min=0)
        # Beyond the end may stand anything, and must not reach the sums below as 0 · NaN.
        emitted = raw.double().masked_fill(~self.inside.unsqueeze(2), 0)
        self.highest = emitted.amax(2, keepdim=True)
        emitted = (emitted - self.highest).exp_()
        mirrored = emitted.gather(1, self.mirror.unsqueeze(2).expand(-1, -1, labels))
        emissions = torch.stack([emitted, mirrored]).permute(2, 0, 1, 3).contiguous()  # (T, 2, B, K)
        self.top = transitions.max().double()
        matrix = (transitions.double() - self.top).exp()
        self.matrix = matrix
        matrices = torch.stack([matrix, matrix.T])
        ends = torch.stack([start, end]).double()
        self.ends_top = ends.amax(1)
        # `before` are the variables without the step's own emission, `after` with it, scaled.
        self.before, self.after = torch.empty_like(emissions), torch.empty_like(emissions)
        self.scale = emissions.new_empty(steps, 2, rows, 1)
        self.before[0] = (ends - self.ends_top.unsqueeze(1)).exp().unsqueeze(1)
        for t, (before, after, emission, scale) in enumerate(
            zip(self.before.unbind(), self.after.unbind(), emissions.unbind(), self.scale.unbind(), strict=True)
        ):
            if t:
                torch.bmm(self.after[t - 1], matrices, out=before)
            torch.mul(before, emission, out=after)
            torch.sum(after, 2, keepdim=True, out=scale)
            after.div_(scale)

    def log_partition(self) -> Tensor:
        """(B,), float64."""
        raw, start, end, transitions, lengths = self.scores
        if self._too_wide():
            return _log_partition(raw.double(), start.double(), end.double(), transitions.double(), lengths)
        last = (lengths - 1).clamp(min=0)
        final = self.after[last, 0, torch.arange(len(lengths), device=raw.device)]
        closing = (final * (end.double() - self.ends_top[1]).exp()).sum(1).log()
        steps = (self.scale[:, 0, :, 0].T.log() + self.highest.squeeze(2)).masked_fill(~self.inside, 0).sum(1)
        total = closing + steps + last * self.top + self.ends_top.sum()
        return torch.where(lengths > 0, total, 0)

    def _too_wide(self) -> bool:
        """Whether scores lie so far apart that their exponentials would underflow."""
        raw, *others, _ = self.scores
        emitted = torch.where(self.inside, raw.amax(2) - raw.amin(2), 0)
        spreads = [emitted.max() if emitted.numel() else 0.0]
        for scores in others:
            finite = scores[torch.isfinite(scores)]
            spreads.append(finite.max() - finite.min() if len(finite) else 0.0)
        return not float(sum(spreads)) < _WIDEST

    def _joined(self) -> tuple[Tensor, Tensor]:
        """Backward variables with their emissions, (T, B, K) in order of time, and the forward ones before theirs."""
        backward = self.after[:, 1].gather(0, self.mirror.T.unsqueeze(2).expand(-1, -1, self.after.shape[3]))
        return backward, self.before[:, 0]

    def marginals(self) -> Tensor:
        """P(y_t = k), (B, T, K), float64; 0 beyond the end."""
        if self._too_wide():
            return self._slow_gradients()[0]
        backward, before = self._joined()
        joint = (backward * before).transpose(0, 1)
        return joint.div_(joint.sum(2, keepdim=True)).masked_fill_(~self.inside.unsqueeze(2), 0)

    def expected(self, row_weights: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Expected counts: of labels (B, T, K), of first and last labels (K,), of transitions (K, K), all weighted."""
        if self._too_wide():
            return self._slow_gradients(row_weights)
        weights = (self.inside * row_weights.unsqueeze(1)).double().T.unsqueeze(2)  # (T, B, 1)
        backward, before = self._joined()
        joint = backward * before
        total = joint.sum(2, keepdim=True)
        share = torch.where(weights > 0, weights / total, 0)
        labels = torch.where(weights > 0, joint * share, 0).transpose(0, 1)
        arriving = torch.where(weights > 0, backward * share, 0)[1:].flatten(0, 1)
        pairs = self.matrix * (self.after[:-1, 0].flatten(0, 1).T @ arriving)
        last = (self.lengths - 1).clamp(min=0)
        ending = labels[torch.arange(len(last), device=last.device), last].sum(0)
        return labels, labels[:, 0].sum(0), ending, pairs

    def _slow_gradients(self, row_weights: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        raw, *others, lengths = self.scores
        with torch.enable_grad():
            leaves = [part.detach().double().requires_grad_() for part in (raw, *others)]
            each = _log_partition(leaves[0], leaves[1], leaves[2], leaves[3], lengths)
            total = (each if row_weights is None else each * row_weights).sum()
            gradients = torch.autograd.grad(total, leaves)
        return gradients  # type: ignore[return-value]  # as many as leaves


class _NegativeLogLikelihood(torch.autograd.Function):
    """Σ weight · (log Z − score of the targets); the gradient is expected counts less counted ones."""

    @staticmethod
    def forward(
        ctx: Any, raw: Tensor, start: Tensor, end: Tensor, transitions: Tensor,
        targets: Tensor, lengths: Tensor, row_weights: Tensor,
    ) -> Tensor:  # fmt: skip
        chain = _Chain(raw, start, end, transitions, lengths)
        rows = torch.arange(len(raw), device=raw.device)
        last = (lengths - 1).clamp(min=0)
        weights = torch.where(lengths > 0, row_weights.double(), 0)
        targets = targets.masked_fill(~chain.inside, 0)
        emitted = raw.gather(2, targets.unsqueeze(2)).squeeze(2).double().masked_fill(~chain.inside, 0).sum(1)
        moves = transitions[targets[:, :-1], targets[:, 1:]].double().masked_fill(~chain.inside[:, 1:], 0).sum(1)
        score = emitted + moves + start[targets[:, 0]] + end[targets[rows, last]]
        total = torch.where(lengths > 0, weights * (chain.log_partition() - score), 0).sum()
        if any(ctx.needs_input_grad):
            labels, starting, ending, pairs = chain.expected(row_weights)
            each = weights.unsqueeze(1) * chain.inside
            labels.scatter_add_(2, targets.unsqueeze(2), -each.unsqueeze(2))
            starting.index_add_(0, targets[:, 0], -weights)
            ending.index_add_(0, targets[rows, last], -weights)
            pairs.index_put_((targets[:, :-1], targets[:, 1:]), -each[:, 1:], accumulate=True)
            given = (raw, start, end, transitions)
            counts = (labels, starting, ending, pairs)
            ctx.save_for_backward(*(part.to(like.dtype) for part, like in zip(counts, given, strict=True)))
        return total.to(raw.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return *(part * grad for part in ctx.saved_tensors), None, None, None
