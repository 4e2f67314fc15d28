"""What a forecaster says at one date, ready to be explained."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.batch import Batch
from memorycell.data.tables.encoded import EncodedTable, eligible_origins
from memorycell.data.tables.series import asked_series
from memorycell.data.tables.steps import StepDataset
from memorycell.data.tables.times.calendar import say_date
from memorycell.data.tables.times.zones import tzinfo_of
from memorycell.data.tables.windows import WindowDataset
from memorycell.insight.asking import AT_ONCE, check_trace_size, class_index, nothing, repeated, some_rows
from memorycell.insight.explained import Explained
from memorycell.insight.tracing import ModelTrace, trace_network
from memorycell.jobs.forecasting.carried import CarriedForecaster
from memorycell.jobs.forecasting.ends import able_series
from memorycell.jobs.forecasting.network import EncoderDecoder, SegmentForecaster
from memorycell.jobs.forecasting.reading import TableSamples
from memorycell.networks.base import State

_STEPS = 4096  # of a carried state at a time

_EXACT = (
    "The decomposition of one recurrent layer is exact, the ridge regression beside it too; a curved read-out is "
    "taken by its integrated gradient."
)


def explained(
    model: Any,
    samples: TableSamples,
    *,
    at: Any = None,
    row: int | None = None,
    series: Any = None,
    target: str | None = None,
    step: int = 1,
) -> Explained:
    """See `Forecaster.explained`."""
    encoded, origin = located(model, samples, at, series, row)
    k = 0 if target is None else class_index(encoded.target_names, target, "targets")
    if isinstance(step, bool) or not isinstance(step, int | np.integer) or not 1 <= step <= model.horizon:
        raise ValueError(f"expected a step from 1 to the horizon of {model.horizon}, got {step!r}")
    return _explained(model, encoded, origin, k, int(step))


def _explained(model: Any, encoded: EncodedTable, origin: int, k: int, step: int) -> Explained:
    """The forecast of target k from a row of the encoded table, so many steps ahead."""
    network = model.network_.eval()
    s = _series(encoded, origin)
    rows = np.arange(max(int(encoded.offsets[s]), origin - model.window_ + 1), origin + 1)
    batch, state = _batch(model, encoded, rows)
    past = batch.inputs["past"][0]
    scale, center = float(encoded.scale[s, k]), float(encoded.center[s, k])

    def function(values: Tensor) -> Tensor:
        point = _point(network, _with_past(batch, values), repeated(state, len(values)))
        return point[:, step - 1, k] * scale + center

    parts, level, spread = _beside(network, batch, past, step - 1, k)
    name = "mean of the series" if network.normalize == "none" else "level of the window"
    trunk, dates, names = _trunk(network), encoded.wall(encoded.dates[rows]), list(encoded.target_names)
    with torch.no_grad():
        held = _held(encoded, k, float(function(past[None])[0]))
    said = _said(encoded, origin, names[k], step) + held
    return Explained(
        function, past, nothing(past, trunk), trunk, said, list(dates), "numbers",
        features=list(encoded.past_names), parts={n: part * spread * scale for n, part in parts.items()},
        constants={name: level * scale + center},
        shown=encoded.target.double().numpy()[rows] * encoded.scale[s] + encoded.center[s],
        channels=names, anchor=len(rows) - 1, rows_of_step=_rows_of_step(network), span=_seconds(dates),
        exact=_EXACT,
    )  # fmt: skip


def trace(
    model: Any,
    samples: TableSamples,
    at: Any = None,
    series: Any = None,
    path: str | os.PathLike[str] | None = None,
    force: bool = False,
) -> ModelTrace:
    """See `Forecaster.trace`."""
    encoded, origin = located(model, samples, at, series)
    network = model.network_.eval()
    first = int(encoded.offsets[_series(encoded, origin)])
    carried = model.state == "carried"
    # A carried state has seen the whole series; to files all of it is traced.
    start = first if carried and path is not None else max(first, origin - model.window_ + 1)
    rows = np.arange(start, origin + 1)
    if path is None:
        check_trace_size(1, len(rows), network)
    batch, state = _batch(model, encoded, rows)
    labels = _labels_of_steps(network, encoded.wall(encoded.dates[rows]))
    with model.at_work():
        return trace_network(
            network,
            lambda: _point(network, batch, state),
            trunk=[network.rnn],
            labels=[labels],
            path=path,
            force=force,
        )


def some_explained(model: Any, table: Any) -> list[Explained]:
    """See `Insight.some_explained`: one step ahead, from dates all over the table."""
    samples = model.asked(table)
    encoded = samples.observed(model.codec_, model.horizon)
    # With a carried state, too, from where there is a window to look back over.
    origins = eligible_origins(encoded, model.window_, model.horizon)
    if not len(origins):  # only its end can be forecast from
        return [explained(model, samples)]
    return [_explained(model, encoded, int(origins[place]), 0, 1) for place in some_rows(len(origins))]


def traces(model: Any, table: Any) -> Iterator[ModelTrace]:
    """Traces of every series: of windows side by side, or of a carried state from the first row to the last."""
    samples = model.asked(table)
    encoded = samples.observed(model.codec_, model.horizon)
    if not len(eligible_origins(encoded, model.window_, model.horizon)):  # only its end can be forecast from
        yield trace(model, samples)
        return
    network = model.network_.eval()
    for run in (_along if model.state == "carried" else _windows)(model, encoded):
        with model.at_work():
            yield trace_network(network, run, trunk=[network.rnn])


def _windows(model: Any, encoded: EncodedTable) -> Iterator[Callable[[], Any]]:
    device = next(model.network_.parameters()).device
    # From the end of each series back, as far as what must be known of the steps after it is.
    ends = [
        np.arange(first + rows - model.horizon - 1, first + model.window_ - 2, -model.window_)
        for first, rows in zip(encoded.offsets[:-1], encoded.observed_rows, strict=True)
    ]
    origins = np.concatenate(ends)
    dataset = WindowDataset(encoded, model.window_, model.horizon, origins)
    for places in torch.arange(len(origins)).split(AT_ONCE):
        yield partial(model.network_, dataset.gather(places).to(device))


def _along(model: Any, encoded: EncodedTable) -> Iterator[Callable[[], Any]]:
    network = model.network_
    device = next(network.parameters()).device
    for first, rows in zip(encoded.offsets[:-1], encoded.observed_rows, strict=True):
        if not rows:
            continue
        steps = StepDataset(encoded, model.horizon, np.array([first]))
        state: list[State] = [None]

        def run(batch: Batch, state: list[State] = state) -> None:
            _, _, state[0] = network.run(batch, state[0])

        for part in torch.arange(int(first), int(first + rows)).split(_STEPS):
            yield partial(run, steps.gather_steps(part[None]).to(device))


def located(
    model: Any, samples: TableSamples, at: Any = None, series: Any = None, row: int | None = None
) -> tuple[EncodedTable, int]:
    """The table as the model sees it, and the row asked for; nothing need be known of a future that is not asked for.

    Raises
    ------
    ValueError
        As `origin_of`, for both `at` and `row`, and where the future is asked for and known-future columns have no
        values.
    """
    if at is not None and row is not None:
        raise ValueError("expected at= or row=, got both: they name the same thing")
    at = row if at is None else at
    if at is not None and samples.lacking(model.codec_, model.horizon):
        encoded = samples.observed(model.codec_, model.horizon)
        return encoded, origin_of(model, encoded, at, series, after=model.horizon)
    encoded = samples.ahead(model.codec_, model.horizon)
    return encoded, origin_of(model, encoded, at, series)


def series_index(encoded: EncodedTable, series: Any) -> int:
    """Where a series that is asked for stands; ValueError where there is none of that name."""
    series = asked_series(series)
    if len(encoded.ids) == 1 and series != encoded.ids[0]:
        raise ValueError(f"expected no series=, as the table holds a single one, got {series!r}")
    return class_index(encoded.ids, series, "series")


def origin_of(model: Any, encoded: EncodedTable, at: Any, series: Any, *, after: int = 0) -> int:
    """The row of the encoded table that is the last one seen: `at` is a date, a row of its series, or None for the end.

    after : rows that there must be after it

    Raises
    ------
    ValueError
        For a date or row outside of what can be forecast from, or a series that is not there.
    """
    carried = model.state == "carried"
    able = able_series(encoded, 1 if carried else model.window_)
    s = int(able.argmax()) if series is None else series_index(encoded, series)
    first, count = int(encoded.offsets[s]), int(encoded.observed_rows[s])
    possible = eligible_origins(encoded, 1 if carried else model.window_, after)
    possible = possible[(possible >= first) & (possible < first + count)]
    if not able[s] or not len(possible):
        raise ValueError(_no_origin(model, encoded, s, count, bool(able[s]), after))
    dates = encoded.wall(encoded.dates[possible])
    if at is None:
        return int(possible[-1])
    zone = None if encoded.frequency is None else encoded.frequency.zone
    row = _row(at, encoded.wall(encoded.dates[first : first + count]), zone)
    if row is None or first + row < possible[0] or first + row > possible[-1]:
        asked = f"row {at}" if isinstance(at, int | np.integer) else at
        whole = "" if carried else f"; the first has a whole window of {model.window_} behind it"
        ahead = f"; beyond, give the known-future columns of {after} rows to come" if after else ""
        raise ValueError(
            f"expected a date to forecast from, {say_date(dates[0])} to {say_date(dates[-1])} (rows "
            f"{possible[0] - first} to {possible[-1] - first} of its regular steps{whole}{ahead}), got {asked}"
        )
    return first + row


def _no_origin(model: Any, encoded: EncodedTable, s: int, count: int, able: bool, after: int) -> str:
    """Why there is no row of a series to forecast from."""
    several = len(encoded.ids) > 1
    of = f" in series {encoded.ids[s]!r}" if several else ""
    if not able and (model.state == "carried" or count >= model.window_):
        return f"expected values of {', '.join(encoded.target_names)} to forecast from, got none{of}"
    least = model.window_ + (after if able else 0)
    other = "ask for another one with series=, as its forecast is the level of its last values"
    remedy = other if several else "give more of the past"
    return f"expected at least {least} rows (the window) to forecast from, got {count}{of}: {remedy}"


def _row(at: Any, dates: NDArray, zone: str | None = None) -> int | None:
    """The row of a date, or the last before it; None outside of the dates."""
    if isinstance(at, int | np.integer) and not isinstance(at, bool):
        return int(at) + (len(dates) if at < 0 else 0)
    if dates.dtype.kind != "M":
        try:
            return _row(int(str(at)), dates)
        except ValueError:
            raise ValueError(f"expected a step number, as this table has no dates, got {at!r}") from None
    wanted = _date(at, zone)
    if wanted is None:
        raise ValueError(f"expected a date without time zone, such as {say_date(dates[-1])}, got {str(at)!r}")
    if not dates[0] <= wanted <= dates[-1]:
        return None
    return int(np.searchsorted(dates, wanted, side="right")) - 1


def _date(at: Any, zone: str | None = None) -> np.datetime64 | None:
    """A date as the table's are; None for what is none, and for one with a time zone, which they have not."""
    at = at if zone is None else _on_clock(at, zone)
    text = at.replace(" ", "T") if isinstance(at, str) else at
    if getattr(at, "tzinfo", None) is not None or (isinstance(at, str) and re.search(r"\d(Z|[+-]\d\d:?\d\d)$", at)):
        return None
    try:
        wanted = np.datetime64(text, "ns")
    except (ValueError, TypeError):
        return None
    return None if np.isnat(wanted) else wanted


def _on_clock(at: Any, zone: str) -> Any:
    """A time that has a zone as the clocks of `zone` show it; any other as it is."""
    try:
        moment = datetime.datetime.fromisoformat(at) if isinstance(at, str) else at
    except ValueError:
        return at
    if getattr(moment, "tzinfo", None) is None:
        return at
    return moment.astimezone(tzinfo_of(zone)).replace(tzinfo=None)


def _series(encoded: EncodedTable, origin: int) -> int:
    return int(np.searchsorted(encoded.offsets, origin, side="right")) - 1


def _batch(model: Any, encoded: EncodedTable, rows: NDArray[np.int64]) -> tuple[Batch, State]:
    """The steps `rows` as the network reads them, and of a carried state what it is before them."""
    network, origin = model.network_, rows[-1:]
    device = next(network.parameters()).device
    if model.state != "carried":
        window = WindowDataset(encoded, model.window_, model.horizon, origin)
        return window.gather(torch.zeros(1, dtype=torch.int64)).to(device), None
    steps = StepDataset(encoded, model.horizon, origin)
    state: State = None
    first = int(encoded.offsets[_series(encoded, int(origin[0]))])
    with torch.no_grad():
        for part in torch.arange(first, int(rows[0])).split(_STEPS):
            if len(part):
                _, _, state = network.run(steps.gather_steps(part[None]).to(device), state)
        batch = steps.gather_steps(torch.from_numpy(rows)[None]).to(device)
        return batch, network.init_state(batch) if state is None else state


def _with_past(batch: Batch, values: Tensor) -> Batch:
    """As many rows as `values` (B, T, F) has, alike but for what was seen."""
    inputs = {name: value.expand(len(values), *value.shape[1:]) for name, value in batch.inputs.items()}
    return Batch({**inputs, "past": values})


def _point(network: Any, batch: Batch, state: State) -> Tensor:
    """The point forecast after the last step, (B, H, K), scaled."""
    if state is None:
        return network(batch)[0]
    return network.forecast(batch, state)[0][:, -1]


def _beside(network: Any, batch: Batch, past: Tensor, step: int, k: int) -> tuple[dict[str, Tensor], float, float]:
    """What each step adds by the ridge regression (T,), where windows are normalised; their level and spread."""
    if isinstance(network, CarriedForecaster):
        return {}, float(past[-1, k]) if network.normalize == "level" else 0.0, 1.0
    targets, level, spread = network._normalise(batch.inputs["past"])
    parts = {}
    if network.linear is not None:
        path = network.linear
        parts["ridge"] = path.weight[0 if path.shared else k, step, : path.window] * targets[0, :, k]
    taken = 0.0 if level is None else float(level[0, 0, k])
    return parts, taken, 1.0 if spread is None else float(spread[0, 0, k])


def _trunk(network: Any) -> tuple[Any, ...]:
    return (network.rnn, network.decoder) if isinstance(network, EncoderDecoder) else (network.rnn,)


def _rows_of_step(network: Any) -> tuple[int, ...] | None:
    """Of whole segments the rows of each; the rows before the first, which only the ridge reads, are not in it."""
    if not isinstance(network, SegmentForecaster):
        return None
    return (network.segment,) * network.segments_in


def _labels_of_steps(network: Any, dates: NDArray) -> NDArray:
    """The date of each step of the layer: of a segment, its first."""
    if not isinstance(network, SegmentForecaster):
        return dates
    return dates[-network.segments_in * network.segment :: network.segment]


def _seconds(dates: NDArray) -> float | None:
    if dates.dtype.kind != "M" or len(dates) < 2:
        return None
    return float(np.median(np.diff(dates).astype("timedelta64[ns]").astype(np.int64))) / 1e9


def _held(encoded: EncodedTable, k: int, number: float) -> str:
    """That a forecast is held at a bound, where it is: explained is what the network says."""
    low, high = (-np.inf, np.inf) if encoded.limits is None else encoded.limits[:, k]
    return "" if low <= number <= high else f", before it is held at {low if number < low else high:g}"


def _said(encoded: EncodedTable, origin: int, target: str, step: int) -> str:
    row = origin + step
    s = _series(encoded, origin)
    of = f" of {encoded.ids[s]}" if len(encoded.ids) > 1 else ""
    inside = row < encoded.offsets[s + 1]
    shown = [say_date(date) for date in encoded.wall(encoded.dates[[origin, row if inside else origin]])]
    when = f" ({shown[1]})" if inside and encoded.dates.dtype.kind == "M" else ""
    return f"{target}{of}, {step} {'step' if step == 1 else 'steps'} after {shown[0]}{when}"
