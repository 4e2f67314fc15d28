"""Forecasting networks: from a window of the past, and what is known of the future, to points and quantiles.

All of them share the normalisation of the window, the features, the head and a linear path beside the recurrent one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from memorycell import layers
from memorycell.data.batch import Batch
from memorycell.data.tables.encoded import EncodedTable
from memorycell.data.tables.table_codec import TableCodec
from memorycell.jobs.forecasting.linear_path import PENALTIES, LinearPath
from memorycell.networks.base import Loss, Network, State
from memorycell.networks.heads.quantiles import QuantileHead

CELLS = ("RNN", "LSTM", "GRU")
NORMALISATIONS = ("none", "level", "scale")


@dataclass(frozen=True)
class TableShape:
    """Widths of the inputs that a table yields (see `EncodedTable`)."""

    targets: int
    past: int
    known: int = 0
    code_sizes: tuple[int, ...] = ()
    static: int = 0
    static_code_sizes: tuple[int, ...] = ()

    @classmethod
    def of(cls, encoded: EncodedTable) -> TableShape:
        return cls(
            targets=encoded.target.shape[1],
            past=encoded.past.shape[1],
            known=encoded.known.shape[1],
            code_sizes=tuple(encoded.code_sizes),
            static=encoded.static.shape[1],
            static_code_sizes=tuple(encoded.static_code_sizes),
        )

    @classmethod
    def read_by(cls, codec: TableCodec) -> TableShape:
        """The widths that a fitted codec yields."""
        numbers, ahead = [*codec.targets_, *codec.past_], [*codec.calendar_, *codec.known_]
        masks = sum(column.masked for column in [*numbers, *codec.known_])
        return cls(
            targets=len(codec.targets_),
            past=len(numbers) + len(ahead) + masks,
            known=len(ahead),
            code_sizes=tuple(len(column.categories) + 1 for column in codec.codes_),
            static=len(codec.static_),
            static_code_sizes=tuple(len(column.categories) + 1 for column in codec.static_codes_),
        )


class Embeddings(nn.Module):
    """One embedding per categorical column, side by side: codes (..., C) → (..., width)."""

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        widths = [min(16, 1 + round(size**0.5)) for size in sizes]
        self.tables = nn.ModuleList(nn.Embedding(*pair) for pair in zip(sizes, widths, strict=True))
        self.width = sum(widths)

    def forward(self, codes: Tensor) -> Tensor:
        return torch.cat([table(codes[..., j]) for j, table in enumerate(self.tables)], dim=-1)


class ForecastNetwork(Network):
    """What the forecasting networks share; subclasses implement `_normalised(…) -> (B, H, K, 1 + Q)`.

    Parameters
    ----------
    shape : TableShape
    window, horizon : int
        Steps that go in and come out.
    levels : quantile levels; point : "squared" (mean) or "absolute" (median)
    cell : "LSTM", "GRU" or "RNN"
    hidden_size, num_layers : of the recurrent layers
    dropout : on the features that leave the recurrent layers, and between them
    recurrent_dropout : on h_{t-1}, one mask a window (Gal & Ghahramani 2016)
    normalize : "none", "level" or "scale"
        What is taken out of each window and put back into its forecast: nothing; the last value of each target, so
        that a drifting level does no harm; the last value and the window's standard deviation.
    linear : bool
        A ridge regression beside the recurrent network, which then learns what it leaves. See `LinearPath`.
    """

    # Whether all targets are forecast from one state. Else each target is a sequence of its own, which must not see the
    # levels of the others.
    joint = True
    rnn: Any  # the recurrent layer over the past, which every subclass makes

    def __init__(
        self,
        shape: TableShape,
        window: int,
        horizon: int,
        *,
        levels: Sequence[float],
        point: str = "squared",
        cell: str = "LSTM",
        hidden_size: int = 32,
        num_layers: int = 1,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        normalize: str = "none",
        linear: bool = False,
    ) -> None:
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"expected cell to be one of {CELLS}, got {cell!r}")
        if normalize not in NORMALISATIONS:
            raise ValueError(f"expected normalize to be one of {NORMALISATIONS}, got {normalize!r}")
        self._config = {
            "shape": asdict(shape), "window": window, "horizon": horizon, "levels": list(levels), "point": point,
            "cell": cell, "hidden_size": hidden_size, "num_layers": num_layers, "dropout": dropout,
            "recurrent_dropout": recurrent_dropout, "normalize": normalize, "linear": linear,
        }  # fmt: skip
        self.shape, self.window, self.horizon = shape, window, horizon
        self.cell, self.hidden_size, self.num_layers = cell, hidden_size, num_layers
        self.normalize = normalize
        self.recurrent_dropout = recurrent_dropout
        self.head = QuantileHead(levels, point)
        self.embed = Embeddings(shape.code_sizes) if shape.code_sizes else None
        self.embed_static = Embeddings(shape.static_code_sizes) if shape.static_code_sizes else None
        self.drop = layers.Dropout(dropout)
        self.between = dropout if num_layers > 1 else 0.0
        self.linear = None
        if linear:
            self.linear = LinearPath(window, horizon, shape.known, shape.targets, shared=not self.joint)

    def config(self) -> dict[str, Any]:
        return dict(self._config)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """See `Network.from_config`."""
        shape: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list | tuple) else value for name, value in config["shape"].items()
        }
        return cls(**{**config, "shape": TableShape(**shape)})

    # Widths of what `_features` returns.

    @property
    def static_width(self) -> int:
        return self.shape.static + (self.embed_static.width if self.embed_static else 0)

    @property
    def past_width(self) -> int:
        level = self.shape.targets if self.normalize == "level" and self.joint else 0
        return self.shape.past + level + (self.embed.width if self.embed else 0) + self.static_width

    @property
    def future_width(self) -> int:
        return self.shape.known + (self.embed.width if self.embed else 0)

    def recurrent(self, input_size: int) -> nn.Module:
        """The recurrent layer of this network's cell and regularisation."""
        variants = {"recurrent_dropout": self.recurrent_dropout} if self.recurrent_dropout else {}
        return getattr(layers, self.cell)(
            input_size, self.hidden_size, self.num_layers, batch_first=True, dropout=self.between, **variants
        )

    def output(self, features: int, elements: int) -> nn.Linear:
        """A linear layer to `elements` forecasts that starts from the head's initial quantiles."""
        linear = nn.Linear(features, elements * self.head.n_outputs)
        with torch.no_grad():
            linear.weight.mul_(0.5)
            linear.bias.copy_(self.head.initial_bias().repeat(elements))
            if self.linear is not None:
                linear.weight[:: self.head.n_outputs] = 0  # the point starts at the ridge regression's
        return linear

    def flops_per_step(self, batch: Batch) -> float:
        """Forward operations of a step of the recurrent layer over the past: what the choice of threads goes by."""
        return 2.0 * len(batch) * sum(p.numel() for p in self.rnn.parameters())

    def loss(self, batch: Batch, state: State = None) -> Loss:
        raw, level, spread = self._run(batch)
        targets, weights = batch.truth, batch.weights
        if level is not None:
            targets = targets - level
        if spread is None:
            return Loss(*self.head.loss(raw, replace(batch, targets=targets)))
        # The loss is taken where the window has unit spread, and weighted back to the scale of the series.
        count = float(targets.numel()) if weights is None else weights.sum()
        scaled = spread.expand_as(targets) if weights is None else weights * spread
        return Loss(self.head.loss(raw, replace(batch, targets=targets / spread, weights=scaled))[0], count)

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Point (B, H, K) and quantiles (B, H, K, Q), in the scaled units of the table."""
        raw, level, spread = self._run(batch)
        point, quantiles = self.head.predict(raw)
        if spread is not None:
            point, quantiles = point * spread, quantiles * spread.unsqueeze(-1)
        if level is not None:
            point, quantiles = point + level, quantiles + level.unsqueeze(-1)
        return point, quantiles

    def _run(self, batch: Batch) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """What the head reads (B, H, K, 1 + Q), and the level and spread (B, 1, K) that were taken out."""
        past = batch.inputs["past"]
        if self.normalize == "none" and self.linear is None:
            return self._normalised(batch, past, None), None, None
        targets, level, spread = self._normalise(past)
        if level is not None:
            past = torch.cat([targets, past[..., self.shape.targets :]], dim=-1)
        raw = self._normalised(batch, past, level)
        if self.linear is not None:
            # Added to the point alone: the quantiles are built around it.
            ahead = self.linear(targets, self._known_ahead(batch))
            raw = raw + functional.pad(ahead.unsqueeze(-1), (0, self.head.n_outputs - 1))
        return raw, level, spread

    def fit_linear(
        self, batches: Iterable[Batch], held_out: Iterable[Batch] = (), penalties: Sequence[float] = PENALTIES
    ) -> float | None:
        """Solve the ridge regression on windows without missing targets; returns its penalty, None if there is none."""
        if self.linear is None:
            return None
        return self.linear.fit(map(self._sample, batches), map(self._sample, held_out), penalties)

    def _sample(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        targets, level, spread = self._normalise(batch.inputs["past"])
        ahead = batch.targets
        if ahead is None:
            raise ValueError("expected batches with targets to fit the linear path, got one without")
        if level is not None:
            ahead = ahead - level if spread is None else (ahead - level) / spread
        known = self._known_ahead(batch)
        if batch.weights is not None:
            whole = (batch.weights > 0).all(dim=2).all(dim=1)
            targets, known, ahead = targets[whole], known[whole], ahead[whole]
        return targets, known, ahead

    def _known_ahead(self, batch: Batch) -> Tensor:
        """What is known of the steps ahead, (B, H, P); P may be 0."""
        if self.shape.known:
            return batch.inputs["known"][:, -self.horizon :]
        return batch.inputs["past"].new_empty(len(batch), self.horizon, 0)

    def _normalise(self, past: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The targets of the window (B, W, K) without their level and spread, and those."""
        targets = past[..., : self.shape.targets]
        if self.normalize == "none":
            return targets, None, None
        level, spread = self._level(past)
        return (targets - level if spread is None else (targets - level) / spread), level, spread

    def _level(self, past: Tensor) -> tuple[Tensor, Tensor | None]:
        """Level (B, 1, K) and spread (B, 1, K) or None, of each window."""
        targets = past[..., : self.shape.targets]
        level = targets[:, -1:]
        if self.normalize == "level":
            return level, None
        # A window that hardly moves must not blow up the forecast: a hundredth of the series' own deviation at least.
        return level, targets.std(dim=1, keepdim=True, unbiased=False).clamp(min=0.01)

    def _features(self, batch: Batch, past: Tensor, level: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Features of the past (B, W, past_width) and of the future (B, H, future_width) or None."""
        parts, ahead = [past], []
        if level is not None and self.normalize == "level" and self.joint:
            # Clipped to the range seen in training, so that a level that has drifted away cannot mislead.
            parts.append(level.clamp(-2.0, 2.0).expand(-1, past.shape[1], -1))
        if self.shape.known:
            ahead.append(batch.inputs["known"][:, -self.horizon :])
        if self.embed is not None:
            embedded = self.embed(batch.inputs["codes"])
            parts.append(embedded[:, : past.shape[1]])
            ahead.append(embedded[:, -self.horizon :])
        static = self._static(batch)
        if static is not None:
            parts.append(static.unsqueeze(1).expand(-1, past.shape[1], -1))
        joined = torch.cat(parts, dim=-1) if len(parts) > 1 else past
        return joined, torch.cat(ahead, dim=-1) if ahead else None

    def _static(self, batch: Batch) -> Tensor | None:
        parts = [batch.inputs["static"]] if self.shape.static else []
        if self.embed_static is not None:
            parts.append(self.embed_static(batch.inputs["static_codes"]))
        return torch.cat(parts, dim=-1) if parts else None

    def _normalised(self, batch: Batch, past: Tensor, level: Tensor | None) -> Tensor:
        raise NotImplementedError


class StackedForecaster(ForecastNetwork):
    """Recurrent layers over the window; each step ahead is read from their last state and what is known of it."""

    def __init__(self, shape: TableShape, window: int, horizon: int, **options: Any) -> None:
        super().__init__(shape, window, horizon, **options)
        self.rnn = self.recurrent(self.past_width)
        self.read = nn.Linear(self.hidden_size, self.hidden_size)
        self.ahead = nn.Linear(self.future_width, self.hidden_size, bias=False) if self.future_width else None
        self.position = nn.Parameter(0.1 * torch.randn(horizon, self.hidden_size)) if horizon > 1 else None
        self.out = self.output(self.hidden_size, shape.targets)

    def _normalised(self, batch: Batch, past: Tensor, level: Tensor | None) -> Tensor:
        features, future = self._features(batch, past, level)
        output, _ = self.rnn(features)
        hidden = self.read(self.drop(output[:, -1])).unsqueeze(1)
        if self.position is not None:
            hidden = hidden + self.position
        if self.ahead is not None:
            hidden = hidden + self.ahead(future)
        raw = self.out(functional.gelu(hidden))
        return raw.view(-1, self.horizon, self.shape.targets, self.head.n_outputs)


class EncoderDecoder(ForecastNetwork):
    """An encoder over the window and a decoder over the horizon that starts from the encoder's final state.

    The decoder is fed what is known of each step ahead and its position, not its own forecasts: direct, so that
    errors do not feed on themselves.
    """

    def __init__(self, shape: TableShape, window: int, horizon: int, **options: Any) -> None:
        super().__init__(shape, window, horizon, **options)
        self.rnn = self.recurrent(self.past_width)
        self.position = nn.Parameter(0.1 * torch.randn(horizon, 8))
        self.decoder = self.recurrent(8 + self.future_width)
        self.out = self.output(self.hidden_size, shape.targets)

    def _normalised(self, batch: Batch, past: Tensor, level: Tensor | None) -> Tensor:
        features, future = self._features(batch, past, level)
        _, state = self.rnn(features)
        ahead = self.position.expand(len(past), -1, -1)
        decoded, _ = self.decoder(ahead if future is None else torch.cat([ahead, future], dim=-1), state)
        return self.out(self.drop(decoded)).view(-1, self.horizon, self.shape.targets, self.head.n_outputs)


class SegmentForecaster(ForecastNetwork):
    """Whole segments of the window as the steps of a recurrent layer: long windows and horizons in a few steps.

    Each target is a sequence of its own (weights shared, an embedding tells them apart). A segment of the past is one
    step of the encoder; every segment ahead is decoded in parallel by one step from the encoder's final state and the
    segment's position (Lin et al. 2023, SegRNN, arXiv 2308.11200, sec. 3). Covariates and calendar enter with their
    segment.

    segment : steps per segment; need divide neither window nor horizon (the oldest remainder of the window is left to
        the linear path, the last segment ahead is cut).
    """

    joint = False

    def __init__(self, shape: TableShape, window: int, horizon: int, *, segment: int, **options: Any) -> None:
        super().__init__(shape, window, horizon, **options)
        if not 1 <= segment <= window:
            raise ValueError(f"expected a segment of 1 to window={window} steps, got {segment}")
        self._config["segment"] = segment
        self.segment = segment
        self.segments_in, self.segments_out = window // segment, -(-horizon // segment)
        hidden, half = self.hidden_size, self.hidden_size // 2
        self.embed_segment = nn.Linear(segment, hidden)
        covariates = self.past_width - shape.targets - self.static_width
        self.embed_covariates = nn.Linear(segment * covariates, hidden, bias=False) if covariates else None
        self.rnn = self.recurrent(hidden)
        self.position = nn.Parameter(torch.randn(self.segments_out, half))
        self.channel = nn.Parameter(torch.randn(shape.targets, hidden - half))
        self.ahead = nn.Linear(segment * self.future_width, half, bias=False) if self.future_width else None
        self.static = nn.Linear(self.static_width, hidden - half, bias=False) if self.static_width else None
        self.out = self.output(hidden, segment)

    def flops_per_step(self, batch: Batch) -> float:
        return super().flops_per_step(batch) * self.shape.targets  # each target is a row of its own

    def _normalised(self, batch: Batch, past: Tensor, level: Tensor | None) -> Tensor:
        rows, targets, used = len(past), self.shape.targets, self.segments_in * self.segment
        own = past[:, -used:, :targets].transpose(1, 2).reshape(rows * targets, self.segments_in, self.segment)
        steps = self.embed_segment(own)
        features, future = self._features(batch, past, level)
        if self.embed_covariates is not None:
            others = features[:, -used:, targets : self.past_width - self.static_width]
            others = self.embed_covariates(others.reshape(rows, self.segments_in, -1))
            steps = (steps.view(rows, targets, self.segments_in, -1) + others.unsqueeze(1)).flatten(0, 1)
        _, state = self.rnn(functional.relu(steps))
        queries = self._queries(batch, rows, future)
        decoded, _ = self.rnn(queries, _repeat_rows(state, self.segments_out))
        raw = self.out(self.drop(decoded))
        raw = raw.view(rows, targets, self.segments_out * self.segment, self.head.n_outputs)
        return raw[:, :, : self.horizon].transpose(1, 2)

    def _queries(self, batch: Batch, rows: int, future: Tensor | None) -> Tensor:
        """One decoder input per row, target and segment ahead: (rows · targets · segments_out, 1, hidden)."""
        targets, ahead = self.shape.targets, self.segments_out
        position = self.position
        if self.ahead is not None and future is not None:
            missing = ahead * self.segment - self.horizon
            future = functional.pad(future, (0, 0, 0, missing)).reshape(rows, ahead, -1)
            position = (position + self.ahead(future)).unsqueeze(1)
        channel = self.channel.unsqueeze(1)
        static = self._static(batch)
        if static is not None and self.static is not None:
            channel = channel + self.static(static)[:, None, None]
        size = (rows, targets, ahead, -1)
        return torch.cat([position.expand(size), channel.expand(size)], dim=-1).reshape(-1, 1, self.hidden_size)


def _repeat_rows(state: State, times: int) -> State:
    if isinstance(state, tuple):
        return tuple(_repeat_rows(part, times) for part in state)
    return state.repeat_interleave(times, dim=1)


NETWORKS: dict[str, type[ForecastNetwork]] = {
    "lstm": StackedForecaster,
    "encoder-decoder": EncoderDecoder,
    "segment": SegmentForecaster,
}
