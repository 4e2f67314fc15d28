"""What a forecaster says of itself in words: in lists, on cards, on pages."""

from __future__ import annotations

from typing import Any

import numpy as np

from memorycell.data.lines import listing


class Worded:
    """The part of `Forecaster` that tells what it is and has seen."""

    codec_: Any
    network_: Any
    plan_: Any
    horizon: int
    state: str
    cell: str
    quantiles: Any
    n_parameters_: int
    splits_: dict[str, Any]
    ends_: Any

    @property
    def window_(self) -> int:
        """Steps that are looked back on."""
        return self.plan_["window"]

    @property
    def target_names_(self) -> list[str]:
        """What is forecast."""
        return list(self.codec_.target_names_)

    @property
    def train_end_(self) -> Any:
        """The last row that training has seen, a date or a step number; of many series a dict by their names."""
        ends = self.ends_
        return {name: _stamp(end) for name, end in ends.items()} if isinstance(ends, dict) else _stamp(ends)

    def reads(self) -> str:
        """ "tables"."""
        return "tables"

    def headline(self) -> str:
        """ "forecasts temp 3 steps ahead from the last 6"."""
        return f"forecasts {self._what()} {_steps(self.horizon)} ahead from the last {self.window_:,}"

    def purpose(self) -> str:
        """ "forecasts temp, 3 steps ahead"."""
        return f"forecasts {self._what()}, {_steps(self.horizon)} ahead"

    def _what(self) -> str:
        return listing(self.target_names_)

    def network_text(self) -> str:
        """The network in one line: cells, sizes, parameters."""
        network = self.network_
        kind = "carried" if self.state == "carried" else self.plan_["network"]
        name = "" if kind == "lstm" else f", network {kind}"
        deep = "" if network.num_layers == 1 else f", {network.num_layers} layers"
        return f"{network.cell} of {network.hidden_size} units{deep}{name}: {self.n_parameters_:,} parameters"

    def rows(self) -> list[tuple[str, str]]:
        """Names and values of what a person asks first."""
        codec, back = self.codec_, f"{_steps(self.window_)} of {self.codec_.frequency_}"
        if self.state == "carried":
            back = f"all rows so far (trained on {_steps(self.window_)} at a time)"
        levels = ", ".join(f"{level * 100:g} %" for level in self.quantiles)
        columns = "column" if len(codec.series_) == 1 else "columns"
        several = f"{len(codec.ids_):,}, told apart by {columns} {listing(codec.series_)}" if codec.series_ else ""
        return [
            ("forecasts", f"{self._what()}, {_steps(self.horizon)} ahead"),
            ("looks back on", back),
            ("series", several if codec.series_ else "one"),
            ("network", self.network_text()),
            ("intervals", f"quantiles at {levels}, adjusted on rows that training had not seen"),
            ("last row seen", self._last_seen()),
        ]

    def data_rows(self) -> list[tuple[str, str]]:
        """Names and values of what there is to say of the training data, for the model card."""
        return [
            (name, f"targets from {' to '.join(self._shown(date) for date in span)}")
            for name, span in self.splits_.items()
        ]

    def _last_seen(self) -> str:
        """The last row that training has seen; the latest where series end on different dates."""
        end = self.train_end_
        return self._shown(max(end.values()) if isinstance(end, dict) else end)

    def _shown(self, date: Any) -> str:
        """A date on the clocks of its zone; a step number in the table's own units."""
        date = _stamp(date) if isinstance(date, str) else date
        if isinstance(date, np.datetime64):
            return date_text(self.codec_.frequency_.local(np.array([date], "datetime64[ns]"))[0])
        return str(self.codec_.in_units(np.array([date]))[0])

    def _own_facts(self) -> dict[str, Any]:
        codec = self.codec_
        return {
            "targets": self.target_names_,
            "horizon": int(self.horizon),
            "window": int(self.window_),
            "state": self.state,
            "cell": self.cell,
            "quantiles": [float(level) for level in self.quantiles],
            "frequency": str(codec.frequency_),
            "time": list(codec.time_),
            "series_column": codec.series_[0] if len(codec.series_) == 1 else codec.series_ or None,
            "series": len(codec.ids_),
            "splits": {name: list(span) for name, span in self.splits_.items()},
            "train_end": self._last_seen(),
        }


def date_text(date: Any) -> str:
    """A date without the parts that are zero.

    Example
    -------
    >>> date_text(np.datetime64("2024-03-01T00:00:00")), date_text("2024-03-01T00:00:00.000000000"), date_text(7)
    ('2024-03-01', '2024-03-01', '7')
    """
    if not isinstance(date, np.datetime64):
        return str(date).removesuffix("T00:00:00.000000000")
    return str(np.datetime_as_string(date, unit="s")).replace("T", " ").removesuffix(" 00:00:00")


def _steps(count: int) -> str:
    return f"{count:,} {'step' if count == 1 else 'steps'}"


def _stamp(text: str) -> int | np.datetime64:
    """A date or step number as it was, of its text."""
    return int(text) if text.lstrip("-").isdigit() else np.datetime64(text)
