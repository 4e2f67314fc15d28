"""Gradient flow: how much of an error at the last step arrives so many steps before it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.figures import Figures
from memorycell.insight.evaluating import check, differentiable, own, slopes_of
from memorycell.insight.explained import Explained
from memorycell.insight.spans import say_steps
from memorycell.insight.tracing import replaced_forward
from memorycell.kernels import reference
from memorycell.kernels.drawing import Drawing
from memorycell.kernels.reference import Noise, State
from memorycell.layers import GRU, LSTM, RNN
from memorycell.layers.base import Recurrent
from memorycell.layers.draws import Draws, draw
from memorycell.layers.inputs import Given, read
from memorycell.layers.running import together
from memorycell.layers.stepping import step_stack

Curve = NDArray[np.float64]
_CELLS: dict[str, Any] = {"RNN": RNN, "LSTM": LSTM, "GRU": GRU}
_PARTS = ("hidden", "cell")


@dataclass(frozen=True, eq=False, repr=False)
class Flow(Figures):
    """The gradient in one part of a layer's state against the distance in time.

    Attributes
    ----------
    name : str
        "LSTM", or as given.
    part : "hidden" or "cell"
    norms : float64 (R, K)
        Norm of the gradient k = 0, 1, … steps before the end, of R runs: seeds times sequences; NaN where a sequence
        is shorter.
    """

    name: str
    part: str
    norms: Curve

    @property
    def label(self) -> str:
        """What it is called in a table: "LSTM, cell"."""
        return f"{self.name}, {self.part}"

    @property
    def median(self) -> Curve:
        """(K,): over the runs."""
        return np.nanmedian(self.norms, axis=0)

    def spread(self, share: float = 0.8) -> tuple[Curve, Curve]:
        """(K,) each: between which `share` of the runs lie."""
        low, high = np.nanquantile(self.norms, [(1 - share) / 2, (1 + share) / 2], axis=0)
        return low, high

    @property
    def factors(self) -> Curve:
        """(R,): by what each run's norm is multiplied from a step to the one before.

        The slope of a line through its logarithm, from k = 1 on: at 0 there is nothing but the read-out. NaN where less
        than two norms are left that are not zero.
        """
        return np.array([_factor(run) for run in self.norms])

    @property
    def factor(self) -> float:
        """The median of `factors`: below 1 the gradient vanishes, above it explodes."""
        known = self.factors[np.isfinite(self.factors)]
        return float(np.median(known)) if len(known) else math.nan

    def _said(self) -> tuple[str, str]:
        runs, steps = self.norms.shape
        return f"{self.label}, {runs:,} runs over {steps:,} steps: times {self.factor:.4g} a step", ""

    def table(self) -> list[dict[str, Any]]:
        """A row per distance from the end: the median of the runs, and between what 80 % of them lie."""
        low, high = self.spread()
        return [
            {"name": self.name, "part": self.part, "steps_before_the_end": k, "median": m, "low": a, "high": b}
            for k, (m, a, b) in enumerate(zip(self.median.tolist(), low.tolist(), high.tolist(), strict=True))
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON; what is not a finite number is None."""
        low, high = self.spread()
        return {
            "name": self.name,
            "part": self.part,
            "runs": len(self.norms),
            "factor": _plain([self.factor])[0],
            "factors": _plain(self.factors),
            "median": _plain(self.median),
            "low": _plain(low),
            "high": _plain(high),
        }


@dataclass(frozen=True, eq=False, repr=False)
class GradientFlow(Figures):
    """How gradients flow back through several cells, on the same data and from the same loss.

    Attributes
    ----------
    flows : tuple of Flow
        Of an LSTM two: its hidden state, and its cell, the constant error carousel.
    hidden_size, seeds, sequences : int
    """

    flows: tuple[Flow, ...]
    hidden_size: int
    seeds: int
    sequences: int

    def __getitem__(self, key: str | tuple[str, str]) -> Flow:
        """``flow["GRU"]``, ``flow["LSTM", "cell"]``.

        Raises
        ------
        KeyError
            If it was not looked at.
        """
        name, part = (key, "hidden") if isinstance(key, str) else key
        for flow in self.flows:
            if (flow.name, flow.part) == (name, part):
                return flow
        raise KeyError(f"expected one of {'; '.join(flow.label for flow in self.flows)}, got {name}, {part}")

    def sentence(self) -> str:
        """What becomes of the gradient in each, in words."""
        return "; ".join(f"{flow.label}: {_fate(flow)}" for flow in self.flows) + "."

    def _said(self) -> tuple[str, str]:
        return f"{self.hidden_size:,} units, {self.seeds} seeds, {self.sequences:,} sequences", self.sentence()

    def table(self) -> list[dict[str, Any]]:
        """The rows of each flow."""
        return [row for flow in self.flows for row in flow.table()]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain JSON."""
        return {
            "sentence": self.sentence(),
            "hidden_size": self.hidden_size,
            "seeds": self.seeds,
            "sequences": self.sequences,
            "flows": [flow.to_dict() for flow in self.flows],
        }

    def __str__(self) -> str:
        steps = max(flow.norms.shape[1] for flow in self.flows)
        places = sorted({0, *(10**k for k in range(9) if 10**k < steps), steps - 1})
        width = max(20, *(len(flow.label) for flow in self.flows))
        rows = [f"{'steps before the end':<{width}}" + "".join(f"  {k:>9,}" for k in places) + "     a step"]
        for flow in self.flows:
            norms = "".join(f"  {flow.median[k]:>9.2g}" for k in places)
            rows.append(f"{flow.label:<{width}}{norms}  × {flow.factor:>7.4g}")
        return "\n".join(rows)


def gradient_flow(
    sequences: Tensor | NDArray[Any] | Sequence[Any],
    cells: Sequence[str] = ("RNN", "LSTM", "GRU"),
    *,
    radii: Sequence[float] = (),
    layers: Mapping[str, Recurrent] | None = None,
    hidden_size: int = 64,
    forget_bias: float | None = None,
    seeds: int = 3,
    seed: int = 0,
) -> GradientFlow:
    """The gradient of one loss at the last step with respect to the states before it, for several cells side by side.

    The loss is the hidden state after the last step along a random unit vector, the same for all cells; its gradient in
    h and c of each step, with all paths that lead on from there, comes from one backward pass, in float64. In an RNN it
    is multiplied by W_hhᵀ diag(φ') a step, and so vanishes or explodes (Hochreiter 1991; Bengio, Simard & Frasconi
    1994; Pascanu, Mikolov & Bengio 2013, §2); along the cell of an LSTM by the forget gate, which can stay near 1
    (Hochreiter & Schmidhuber 1997; Gers et al. 2000).

    Parameters
    ----------
    sequences : (B, T, F), or B of (T, F)
        Numbers, scaled: the data.
    cells : of "RNN", "LSTM", "GRU"
        Layers as they are initialised.
    radii : of the spectral radius of W_hh
        Further RNNs as they are initialised, with W_hh scaled to it: below 1 the gradient vanishes, above it may
        explode; where tanh saturates it takes more than a little above 1.
    layers : by name
        Trained ones, of one direction. Of a stack the states of all layers count together.
    hidden_size, forget_bias : of those that are not given
    seeds : initialisations, and read-outs
    seed : of the first one; torch's own generator is left as it was

    Raises
    ------
    ValueError
        For an unknown cell, no sequences, sequences of other widths than the layers', or a layer of two directions.

    Example
    -------
    >>> flow = gradient_flow(torch.randn(4, 60, 3, generator=torch.Generator().manual_seed(0)), forget_bias=3.0)
    >>> flow["LSTM", "cell"].factor > 0.9 > flow["RNN"].factor
    True
    """
    data = _grouped(sequences)
    wrong = [cell for cell in cells if cell not in _CELLS]
    if wrong or seeds < 1 or not (cells or radii or layers):
        raise ValueError(f"expected cells of RNN, LSTM, GRU, and a seed at least, got {list(cells)} and seeds={seeds}")
    flows: list[Flow] = []
    for name, build in _builders(data[0].shape[-1], cells, radii, layers or {}, hidden_size, forget_bias).items():
        runs = [_of_seed(build, data, number) for number in range(seed, seed + seeds)]
        flows += [Flow(name, part, np.concatenate([run[part] for run in runs])) for part in runs[0]]
    return GradientFlow(tuple(flows), hidden_size, seeds, sum(group.shape[1] for group in data))


def _builders(
    features: int,
    cells: Sequence[str],
    radii: Sequence[float],
    layers: Mapping[str, Recurrent],
    hidden_size: int,
    forget_bias: float | None,
) -> dict[str, Callable[[], Recurrent]]:
    """What makes each layer anew, by name."""
    builders: dict[str, Callable[[], Recurrent]] = {}
    for cell in cells:
        options = {"forget_bias": forget_bias} if cell == "LSTM" else {}
        builders[cell] = partial(_CELLS[cell], features, hidden_size, **options)
    builders |= {f"RNN of radius {radius:g}": partial(_scaled, features, hidden_size, radius) for radius in radii}
    for name, layer in layers.items():
        _check_given(name, layer, features)
        builders[f"{name}, trained" if name in builders else name] = partial(copy.deepcopy, layer)
    return builders


def _grouped(sequences: Any) -> list[Tensor]:
    """Sequences of one length together, (T, B, F) each."""
    by_length: dict[int, list[Tensor]] = {}
    for sequence in sequences:
        one = torch.as_tensor(sequence).detach().to("cpu", torch.float64)
        if one.ndim != 2 or not len(one) or not bool(one.isfinite().all()):
            raise ValueError(
                f"expected sequences of finite numbers (steps, features), got one of shape {tuple(one.shape)}: "
                "scale them and fill their gaps first"
            )
        by_length.setdefault(len(one), []).append(one)
    widths = sorted({one.shape[1] for group in by_length.values() for one in group})
    if len(widths) != 1:
        raise ValueError(f"expected sequences of one width, got {widths or 'none'}: pass (batch, steps, features)")
    return [torch.stack(group, 1) for group in by_length.values()]


def _check_given(name: str, layer: Recurrent, features: int) -> None:
    if not isinstance(layer, Recurrent):
        raise TypeError(f"expected a layer of memorycell as {name!r}, got {type(layer).__name__}: see accelerate()")
    if layer.bidirectional:
        raise ValueError(f"expected a layer of one direction as {name!r}, got bidirectional=True: it has no last step")
    if layer.input_size != features:
        raise ValueError(f"expected sequences of {layer.input_size} features, as {name!r} reads, got {features}")


def _scaled(features: int, hidden_size: int, radius: float) -> Recurrent:
    """An RNN with its W_hh multiplied so that its largest eigenvalue has this modulus."""
    layer = RNN(features, hidden_size, dtype=torch.float64)
    with torch.no_grad():
        weight = layer.get_parameter("weight_hh_l0")
        weight.mul_(radius / torch.linalg.eigvals(weight).abs().max())
    return layer


def _of_seed(build: Callable[[], Recurrent], data: Sequence[Tensor], seed: int) -> dict[str, Curve]:
    """Norms (B, K) of each part of the state, of all sequences."""
    with Drawing(seed):
        layer = build().to("cpu", torch.float64).eval().requires_grad_(False)
    vector = torch.randn(layer.state_widths()[0], dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    longest = max(len(group) for group in data)
    found: dict[str, list[Curve]] = {}
    for group in data:
        for part, norms in _norms(layer, group, vector / vector.norm()).items():
            padding = ((0, 0), (0, longest - len(group)))
            found.setdefault(part, []).append(np.pad(norms, padding, constant_values=math.nan))
    return {part: np.concatenate(rows) for part, rows in found.items()}


def _norms(layer: Recurrent, x: Tensor, vector: Tensor) -> dict[str, Curve]:
    """From x (T, B, F) the norms (B, T) of d (vector · h_T) / d state, by part, from the last step back."""
    zone_c, zone_h = layer.zone
    weights = layer.weights()
    noise = [Noise(None, zone_h or None, zone_c or None)] * len(weights)
    widths = layer.state_widths()
    states = [tuple(x.new_zeros(x.shape[1], w).requires_grad_() for w in widths) for _ in weights]
    after: list[list[State]] = []  # by step, then layer
    with torch.enable_grad():
        for step in x:
            _, states = step_stack(layer.cell, step, states, weights, noise, (), False)
            after.append(states)
        loss = (states[-1][0] @ vector).sum()
        flat = [part for step in reversed(after) for state in step for part in state]
        slopes = torch.autograd.grad(loss, flat, materialize_grads=True)
    squares = torch.stack([slope.square().sum(1) for slope in slopes]).view(len(x), len(weights), len(widths), -1)
    return {part: squares[:, :, k].sum(1).sqrt().T.numpy() for k, part in enumerate(_PARTS[: len(widths)])}


def _factor(norms: Curve) -> float:
    away = np.arange(len(norms))
    known = np.isfinite(norms) & (norms > 0) & (away > 0)
    if known.sum() < 2:
        return math.nan
    return float(np.exp(np.polyfit(away[known], np.log(norms[known]), 1)[0]))


def _fate(flow: Flow) -> str:
    if not math.isfinite(flow.factor):
        return "nothing arrives"
    left = flow.factor ** flow.norms.shape[1]
    if 0.1 <= left <= 10:
        return f"is carried on, × {flow.factor:.4g} a step"
    steps = math.log(2) / abs(math.log(flow.factor))
    return f"{'vanishes, halved' if left < 1 else 'explodes, doubled'} every {say_steps(max(1.0, steps))}"


def _plain(values: Any) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]


@dataclass(frozen=True, eq=False, repr=False)
class StateGradient(Figures):
    """The gradient of an output in the states of one layer and direction, by step.

    Attributes
    ----------
    module : int
        Which of the recurrent layers of the network, from the input up.
    call : int
        Which of its runs, where one layer runs more than once: over the past, then over the horizon.
    layer, direction : int
        Within it.
    hidden, cell : float64 (T,)
        Norm of the gradient at each step of that layer, in which all paths that lead on from there have their part;
        None where there is no cell.
    """

    module: int
    call: int
    layer: int
    direction: int
    hidden: Curve
    cell: Curve | None

    def _said(self) -> tuple[str, str]:
        call = f", run {self.call}" if self.call else ""
        return (
            f"module {self.module}, layer {self.layer}, direction {self.direction}{call}, {len(self.hidden):,} steps",
            "",
        )

    def table(self) -> list[dict[str, Any]]:
        """A row per step."""
        cell = [math.nan] * len(self.hidden) if self.cell is None else self.cell.tolist()
        found = zip(self.hidden.tolist(), cell, strict=True)
        return [{"step": step, "hidden": h, "cell": c} for step, (h, c) in enumerate(found)]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        cell = None if self.cell is None else _plain(self.cell)
        place = {"module": self.module, "call": self.call, "layer": self.layer, "direction": self.direction}
        return place | {"hidden": _plain(self.hidden), "cell": cell}


def gradient_flow_of(explained: Explained) -> tuple[StateGradient, ...]:
    """The gradient of a trained model's output in the states of its recurrent layers, at every step of a sequence.

    One backward pass through the equations, step by step, in the model's own precision.

    Raises
    ------
    ValueError
        For a sequence without steps, values that are no numbers, layers that draw masks, or an output that is not
        finite or has no finite gradient.

    Example
    -------
    >>> layer = LSTM(3, 8, batch_first=True)
    >>> values = torch.zeros(5, 3)
    >>> unit = Explained(lambda x: layer(x)[0][:, -1, 0], values, values, (layer,), "a unit", range(5), "numbers")
    >>> (gradient,) = gradient_flow_of(unit)
    >>> gradient.hidden.shape, float(gradient.hidden[-1])
    ((5,), 1.0)
    """
    check(explained)
    with differentiable():
        return tuple(_state_gradients(own(explained)))


def _state_gradients(explained: Explained) -> Iterator[StateGradient]:
    seen: list[tuple[int, int, int, int, list[State]]] = []

    def watched(number: int, layer: Recurrent) -> Callable[..., Any]:
        def forward(
            x: Any, state: Any = None, *, lengths: Any = None, embedding: Any = None, hx: Any = None
        ) -> tuple[Any, Any]:
            given = read(layer, x, hx if state is None else state, lengths, embedding).looked_up()
            output, finals, states = _stepped(layer, given, draw(layer, given.steps, given.batch, given.x))
            call = len({run for module, run, *_ in seen if module == number})
            seen.extend((number, call, *divmod(k, layer.directions), each) for k, each in enumerate(states))
            return given.give_back(output), given.give_back_state(together(finals))

        return forward

    with replaced_forward({layer: watched(number, layer) for number, layer in enumerate(explained.trunk)}):
        numbers = explained.function(explained.values.unsqueeze(0).requires_grad_())
    flat = [part for *_, states in seen for state in states for part in state]
    slopes = iter(slopes_of(explained, numbers, flat) if flat else ())
    for module, call, depth, direction, states in seen:
        norms = np.array([[next(slopes).norm().item() for _ in state] for state in states])
        cell = norms[:, 1] if norms.shape[1] > 1 else None
        yield StateGradient(module, call, depth, direction, norms[:, 0], cell)


def _stepped(layer: Recurrent, given: Given, draws: Draws) -> tuple[Tensor, list[State], list[list[State]]]:
    """What `reference.run_stack` gives, and the state after each step, by layer and direction, from which all that
    follows was computed."""
    weights = draws.masked(layer.weights())
    initial = list(zip(*(part.unbind(0) for part in given.initial()), strict=True))
    x, finals, records = given.padded(), [], []
    for number in range(layer.num_layers):
        outputs = []
        for k in range(number * layer.directions, (number + 1) * layer.directions):
            state, steps = initial[k], x.unbind(0)
            states, shown = [state] * len(steps), [x] * len(steps)
            order = range(len(steps)) if k % layer.directions == 0 else reversed(range(len(steps)))
            for t in order:
                there = None if given.lengths is None else (given.lengths > t).long()
                shown[t], state, _ = reference.run(
                    layer.cell, steps[t].unsqueeze(0), state, weights[k], lengths=there, noise=draws.noise[k]
                )
                states[t] = state
            outputs.append(torch.cat(shown))
            finals.append(state)
            records.append(states)
        x = torch.cat(outputs, -1)
        mask = draws.between[number] if number < len(draws.between) else None
        x = x if mask is None else x * mask
    return x, finals, records
