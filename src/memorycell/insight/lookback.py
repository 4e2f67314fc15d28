"""Look-back: how far back an input still changes what a network says."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.bars import tracked
from memorycell.data.figures import Figures
from memorycell.insight.evaluating import check, chunks, differentiable, finite, own, slope_of
from memorycell.insight.explained import Explained
from memorycell.insight.spans import noun_of, say_steps
from memorycell.insight.tracing import replaced_forward

Curve = NDArray[np.float64]
_PLACES = 4  # steps at which the hidden state is read where the output has no step of its own
_PROBES = 8  # random directions of it
_ALL = 200  # steps of a window within which every distance is tried by itself
_STRETCHES = 40  # of distances, in a longer one
_STEPS_AT_ONCE = 100_000  # of all rows together, where no gradients are kept
_DRAWS = 16  # exchanges a distance, of all sequences together
_NOTABLE = 0.05  # of the influence


@dataclass(frozen=True, eq=False, repr=False)
class Lookback(Figures):
    """How much an input so many steps before the output's own changes it. Arrays are by distance d = 0, 1, …

    Attributes
    ----------
    gradient : float64 (D,)
        Root mean square over the sequences of |∂ output / ∂ input| at distance d, each input in units of its own
        standard deviation: what a typical change of it would do, if the network were linear. NaN where no sequence
        reaches.
    distances : int64 (N,)
        Where stretches of inputs that were exchanged at once begin, from 0 on: each goes to the next one's beginning,
        the last to the window's end. In a short window each distance is a stretch by itself.
    perturbation : float64 (N,)
        Root mean square of the output's change when an input at that distance is exchanged for that of another step. Of
        a stretch all inputs are exchanged, and its steps share the mean square alike.
    share : float
        Of all influence, what `reach` is to contain.
    ahead : float
        Share of the gradient's influence that comes from inputs after the output's own step: of a network that reads
        backwards too.
    sequences : int
    of : "output" or "hidden state"
        What was looked at. Where the whole sequence is read at once an output has no step to look back from; then it is
        the hidden state of the top layer, at a few steps.
    kind, span, unit : str, float or None, str
        As `Explained` has them.
    """

    gradient: Curve
    distances: NDArray[np.int64]
    perturbation: Curve
    share: float
    ahead: float
    sequences: int
    of: str = "output"
    kind: str = "numbers"
    span: float | None = None
    unit: str = ""

    @property
    def window(self) -> int:
        """Steps that there were to look back over, the output's own included."""
        return len(self.gradient)

    @property
    def filled(self) -> Curve:
        """(D,): `perturbation` at every distance, that of the stretch in which it lies."""
        places = np.searchsorted(self.distances, np.arange(self.window), side="right") - 1
        return self.perturbation[places.clip(0)]

    @property
    def reach(self) -> int | None:
        """Steps back within which `share` of all influence lies, by perturbation; None if nothing has any."""
        return _reach(self.filled, self.share)

    @property
    def reach_by_gradient(self) -> int | None:
        """The same by gradient."""
        return _reach(self.gradient, self.share)

    @property
    def cut(self) -> bool:
        """Whether the window ends before the influence does: at its far end there is more of it than a decay leaves
        that has `share` of itself within the window."""
        return _cut(self.filled, self.share)

    @property
    def cut_by_gradient(self) -> bool:
        """The same by gradient."""
        return _cut(self.gradient, self.share)

    def sentence(self, subject: str | None = None) -> str:
        """How far the `subject` looks back, in words; default: "It", or "The top layer" if its state was looked at."""
        noun = noun_of(self.kind)
        subject = subject or ("It" if self.of == "output" else "The top layer")
        if self.window == 1:
            return f"{subject} has nothing to look back over: there is one {noun}."
        if self.reach is None:
            if self.reach_by_gradient is None:
                return f"{subject} takes no notice of any input."
            return (
                f"{subject} said the same whatever input was exchanged for another, but would change with small ones "
                f"(reach by gradient: {self._by_gradient(noun)})."
            )
        if self.cut:
            whole = "the window of" if noun == "step" else "the longest sequence,"
            time = f" ({say_steps(self.window, self.span)})" if self.span else ""
            told = f"looks back at least over {whole} {say_steps(self.window, None, noun)}{time}"
        else:
            told = (
                f"looks back about {say_steps(self.reach, self.span, noun)}" if self.reach else "looks at the newest "
            )
            told += "" if self.reach else f"{noun} alone"
        text = f"{subject} {told}: {_percent(self.share)} of what inputs change lies there"
        text += f" (by gradient: {self._by_gradient(noun)})."
        if self.ahead >= _NOTABLE:
            text += f" {_percent(self.ahead)} of the gradient is that of {noun}s that follow."
        return text

    def _by_gradient(self, noun: str) -> str:
        if self.reach_by_gradient is None:
            return "none at all"
        if self.cut_by_gradient:
            return "all of it"
        return say_steps(self.reach_by_gradient, self.span, noun) if self.reach_by_gradient else f"the newest {noun}"

    def _said(self) -> tuple[str, str]:
        return f"{self.of} of {self.sequences:,} sequences, {self.window:,} {noun_of(self.kind)}s back", self.sentence()

    def table(self) -> list[dict[str, Any]]:
        """A row per distance, from the output's own step back."""
        found = zip(self.gradient.tolist(), self.filled.tolist(), strict=True)
        return [{"distance": d, "gradient": slope, "perturbation": change} for d, (slope, change) in enumerate(found)]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON."""
        return {
            "sentence": self.sentence(),
            "of": self.of,
            "sequences": self.sequences,
            "window": self.window,
            "share": self.share,
            "reach": self.reach,
            "cut": self.cut,
            "reach_by_gradient": self.reach_by_gradient,
            "cut_by_gradient": self.cut_by_gradient,
            "ahead": self.ahead,
            "gradient": [float(value) if math.isfinite(value) else None for value in self.gradient],
            "distances": self.distances.tolist(),
            "perturbation": self.perturbation.tolist(),
            "kind": self.kind,
            "span": self.span,
            "unit": self.unit,
        }

    def __str__(self) -> str:
        places = self.distances[:: max(1, len(self.distances) // 10)]
        rows = [f"{int(d):>8,}  {self.gradient[d]:>10.4g}  {self.filled[d]:>12.4g}" for d in places]
        return "\n".join([f"{'distance':>8}  {'gradient':>10}  {'perturbation':>12}", *rows, self.sentence()])


def lookback(
    explained: Explained | Sequence[Explained],
    *,
    share: float = 0.95,
    distances: int | None = None,
    draws: int | None = None,
    seed: int = 0,
    show: bool | None = None,
) -> Lookback:
    """How far back an input still changes an output, by gradient and by perturbation.

    By gradient all distances come out of one backward pass, and it says what small changes do; by perturbation inputs
    are exchanged for those of other steps of these sequences, and it says what changes of real size do. A gate that is
    shut has no gradient, so they may differ. In a long window stretches of inputs are exchanged at once, each for
    another one, that are the wider the farther back, but narrow where the gradient is: so nothing in between is missed.
    (Of a linear network the mean square of what a stretch changes is the sum of what its inputs change.)

    Parameters
    ----------
    explained : of one sequence or several, of the same network: ``[model.explained(X, row=row) for row in range(9)]``
    share : of all influence, what `reach` is to contain
    distances : into how many stretches the window is cut, at most; default: up to 200 steps each by itself, else 40
    draws : exchanges a sequence and distance; default: so many that there are 16 a distance
    seed : of their generator, which is one of its own
    show : whether a bar is shown where it takes longer than a second; None: on a terminal and in a notebook

    Raises
    ------
    ValueError
        Without a sequence, if they have not the same features, `share` is not between 0 and 1, or the output is not
        finite or has no gradient.

    Example
    -------
    >>> values = torch.linspace(-1, 1, 12).view(12, 1) ** 3
    >>> def last_but_two(x):
    ...     return x[:, -3, 0]
    >>> explained = Explained(last_but_two, values, 0 * values, (), "a number", range(12), "numbers", anchor=11)
    >>> lookback(explained).sentence()
    'It looks back about 2 steps: 95 % of what inputs change lies there (by gradient: 2 steps).'
    """
    cases = [explained] if isinstance(explained, Explained) else list(explained)
    _check(cases, share, distances, draws)
    first = cases[0]
    with differentiable():
        generator = np.random.default_rng(seed)
        given = [own(case) for case in cases]
        gradient, ahead, grid, perturbation = _measured(given, distances, draws, generator, show)
    return Lookback(
        gradient,
        grid,
        perturbation,
        share,
        ahead,
        sequences=len(cases),
        of="hidden state" if first.anchor is None else "output",
        kind=first.kind,
        span=next((case.span for case in cases if case.span is not None), None),  # of a single step there is none
        unit=first.unit if first.anchor is not None else "",
    )


def _measured(
    cases: Sequence[Explained],
    distances: int | None,
    draws: int | None,
    generator: np.random.Generator,
    show: bool | None,
) -> tuple[Curve, float, NDArray[np.int64], Curve]:
    """Of a `Lookback`: gradient, ahead, distances and perturbation."""
    pool = torch.cat([case.values for case in cases])
    deviation = pool.double().std(0, correction=0).cpu()
    readings = [_reading(case) for case in cases]
    draws = max(1, _DRAWS // sum(len(reading.anchors) for reading in readings)) if draws is None else draws
    window = 1 + max(max(reading.anchors) for reading in readings)
    gradient, before, after = _Mean(window), 0.0, 0.0
    for reading in readings:
        for anchor, slope in zip(reading.anchors, _gradients(reading, generator), strict=True):
            size = (slope * deviation).norm(dim=-1).numpy()
            gradient.add(np.arange(anchor + 1), size[anchor::-1] ** 2)
            before, after = before + size[: anchor + 1].sum(), after + size[anchor + 1 :].sum()
    edges = _edges(gradient.root(), distances)
    perturbed = _Mean(len(edges) - 1)
    for reading in tracked(readings, "looking back", len(readings), show=show):
        for _ in range(draws):
            perturbed.add(*_changes(reading, edges, pool, generator))
    ahead = float(after / (before + after)) if after else 0.0
    return gradient.root(), ahead, edges[:-1], perturbed.root()


def _check(cases: Sequence[Explained], share: float, distances: int | None, draws: int | None) -> None:
    if not cases:
        raise ValueError("expected at least one sequence to look back over, got none: pass model.explained(X, …)")
    for case in cases:
        check(case)
    widths = sorted({case.values.shape[1] for case in cases})
    if len(widths) > 1:
        raise ValueError(
            f"expected sequences of one network, got some with {widths[0]} and some with {widths[1]} features"
        )
    if any(case.anchor is None for case in cases) and not all(case.anchor is None for case in cases):
        raise ValueError("expected outputs that are all read at a step, or none of them: look back from each by itself")
    if not 0 < share < 1:
        raise ValueError(f"expected share between 0 and 1, got {share}")
    if (distances is not None and distances < 2) or (draws is not None and draws < 1):
        raise ValueError(f"expected at least 2 distances and 1 draw, got {distances} and {draws}")


@dataclass(frozen=True)
class _Reading:
    """Numbers (B, P, K) that a network says at P steps of a sequence, from values (B, T, F)."""

    case: Explained
    run: Callable[[Tensor], Tensor]
    anchors: tuple[int, ...]


def _reading(case: Explained) -> _Reading:
    """The output at its step; or where it has none the hidden state of the top layer at a few, from the middle on."""
    if case.anchor is not None:
        return _Reading(case, lambda values: case.function(values).view(-1, 1, 1), (case.anchor,))
    if not case.trunk:
        raise ValueError("expected an output read at a step, or a network with recurrent layers, got neither")
    rows = np.array(case.rows_of_step or np.ones(len(case.values), int))
    ends = len(case.values) - rows.sum() + rows.cumsum() - 1  # in which row each step of the layers ends
    steps = np.unique(np.linspace(len(ends) // 2, len(ends) - 1, _PLACES).astype(int))
    return _Reading(case, _hidden_at(case, steps.tolist()), tuple(ends[steps].tolist()))


def _hidden_at(case: Explained, steps: list[int]) -> Callable[[Tensor], Tensor]:
    """The top layer's output at some steps, as a function of values."""
    top = case.trunk[-1]

    def run(values: Tensor) -> Tensor:
        seen: list[Tensor] = []

        def forward(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
            output, state = type(top).forward(top, *args, **kwargs)
            seen.append(output)
            return output, state

        with replaced_forward({top: forward}):
            case.function(values)
        hidden = seen[-1][:, steps] if top.batch_first else seen[-1][steps].transpose(0, 1)
        return hidden.reshape(len(values), len(steps), -1)

    return run


def _gradients(reading: _Reading, generator: np.random.Generator) -> Tensor:
    """(P, T, F): root mean square over directions of the K numbers of their derivatives; of one number its own.

    The mean over random directions v of (vᵀJ)² is the sum over the numbers of J² (Hutchinson 1989).
    """
    values = reading.case.values
    with torch.no_grad():
        places, width = reading.run(values.unsqueeze(0)).shape[1:]
    probes = 1 if width == 1 else _PROBES
    # 1 or -1 each: of all directions those with the least spread of the mean
    signs = generator.integers(0, 2, (places, probes, width)) * 2.0 - 1.0 if width > 1 else np.ones((places, 1, 1))
    directions = torch.zeros(places, probes, places, width, dtype=torch.float64)
    directions[range(places), :, range(places)] = torch.as_tensor(signs)
    directions = directions.flatten(0, 1)
    slopes = []
    for here in chunks(len(directions), len(values)):
        some = directions[here].to(values)
        variants = values.repeat(len(some), 1, 1).requires_grad_()
        slopes.append(slope_of(reading.case, (reading.run(variants) * some).sum((1, 2)), variants))
    return torch.cat(slopes).unflatten(0, (places, probes)).square().mean(1).sqrt()


@torch.no_grad()
def _changes(
    reading: _Reading, edges: NDArray[np.int64], pool: Tensor, generator: np.random.Generator
) -> tuple[NDArray[np.int64], Curve]:
    """Stretches, and how much exchanging the inputs of each changes the square of the numbers at a step, by input.

    Every stretch of each of the steps at which numbers are read, as far as the sequence goes back.
    """
    values, anchors = reading.case.values, np.array(reading.anchors)
    place, stretch = np.nonzero(edges[:-1] <= anchors[:, None])
    anchor = anchors[place, None]
    before = reading.run(values.unsqueeze(0)).double()
    found = []
    for here in chunks(len(place), len(values), _STEPS_AT_ONCE):
        back = anchor[here] - np.arange(len(values))
        inside = (back >= edges[stretch[here], None]) & (back < edges[stretch[here] + 1, None])
        variants = values.repeat(len(back), 1, 1)
        count = inside.sum(1)
        fresh = torch.from_numpy(generator.integers(0, len(pool), count.sum()))
        variants[torch.from_numpy(inside).to(values.device)] = pool[fresh.to(pool.device)]
        change = (reading.run(variants).double() - before)[range(len(back)), place[here]].square().sum(1)
        found.append(finite(reading.case, change, "where inputs are exchanged").numpy() / count)
    return stretch, np.concatenate(found)


class _Mean:
    """Root of the mean of squares, by distance."""

    def __init__(self, window: int) -> None:
        self.sums, self.counts = np.zeros(window), np.zeros(window)

    def add(self, places: NDArray[np.int64], squares: Curve) -> None:
        np.add.at(self.sums, places, squares)
        np.add.at(self.counts, places, 1)

    def root(self) -> Curve:
        return np.sqrt(np.divide(self.sums, self.counts, out=np.full_like(self.sums, math.nan), where=self.counts > 0))


def _edges(gradient: Curve, count: int | None) -> NDArray[np.int64]:
    """Where each of at most `count` stretches of distances begins, and the window's end.

    Single distances, or ever wider stretches the farther back; some of them are the single distances among which the
    gradient has its influence (its quantiles).
    """
    window = len(gradient)
    count = (window if window <= _ALL else _STRETCHES) if count is None else count
    if window <= count:
        return np.arange(window + 1)
    peaks = (count - 1) // 6
    wide = np.round(np.geomspace(1, window + 1, count + 1 - 2 * peaks)).astype(np.int64) - 1
    within = np.nan_to_num(gradient).cumsum()
    sharp = np.searchsorted(within, (np.arange(peaks) + 0.5) / max(1, peaks) * within[-1]).clip(0, window - 1)
    return np.unique(np.concatenate([wide, sharp, sharp + 1]))


def _reach(curve: Curve, share: float) -> int | None:
    known = np.nan_to_num(curve)
    within = known.cumsum()
    return int(np.searchsorted(within, share * within[-1])) if within[-1] > 0 else None


def _cut(curve: Curve, share: float) -> bool:
    """Of exp(-d/τ) with exactly `share` of itself within the window W, W/τ = -ln(1 - share), and the value at the end
    is W/τ · (1 - share) / share of the mean: more than that at the end means that there is more beyond."""
    known = curve[np.isfinite(curve)]
    mean, end = known.mean(), known[-max(1, len(known) // 10) :].mean()
    return bool(mean > 0 and end > -math.log1p(-share) * (1 - share) / share * mean)


def _percent(share: float) -> str:
    return f"{round(100 * share, 1):g} %"
