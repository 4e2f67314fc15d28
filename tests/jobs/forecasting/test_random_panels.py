"""Panels of any make: series of all lengths, with gaps, named by anything. Whatever is refused is so in one line."""

import datetime
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memorycell import Forecaster

KEYS = {
    "integers": lambda i: 3 + i, "texts": lambda i: f"{i:03d}", "days": lambda i: datetime.date(2020, 1, 1 + i),
    "truths": lambda i: bool(i), "numbers": lambda i: i + 0.5,
}  # fmt: skip
SETTINGS = {"window": 4, "epochs": 1, "hidden_size": 2, "verbose": False, "refit": False, "linear": False}


@st.composite
def panels(draw: st.DrawFn) -> tuple[pd.DataFrame, set]:
    """A table, and the keys of its series that have fewer rows than a window and a horizon."""
    kind = draw(st.sampled_from(sorted(KEYS)))
    lengths = draw(st.lists(st.integers(0, 60), min_size=1, max_size=2 if kind == "truths" else 4))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    parts, short = [], set()
    for place, rows in enumerate(lengths):
        y = 10.0 * place + rng.normal(size=rows)
        if rows:
            y[rng.random(rows) < draw(st.sampled_from([0.0, 0.1, 0.6, 1.0]))] = np.nan
        start = np.datetime64("2024-01-01") + draw(st.integers(0, 30))
        key = KEYS[kind](place)
        parts.append(pd.DataFrame({"key": [key] * rows, "day": start + np.arange(rows), "y": y}))
        if rows < 6:
            short.add(key)
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return table.sample(frac=1, random_state=0) if draw(st.booleans()) else table, short


def _learned(table: pd.DataFrame, state: str) -> Forecaster | None:
    try:
        return Forecaster(horizon=2, series="key", state=state, **SETTINGS).fit(table, "y")
    except ValueError as error:
        assert "\n" not in str(error) and len(str(error)) > 20
        return None


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=panels(), state=st.sampled_from(["window", "carried"]))
def test_random_panels(drawn: tuple[pd.DataFrame, set], state: str, tmp_path: Path) -> None:
    table, short = drawn
    forecaster = _learned(table, state)
    if forecaster is None:
        return
    found = forecaster.predict()
    assert sorted(map(str, found["key"].unique())) == sorted(map(str, table["key"].unique()))
    numbers = found.filter(regex="^y")
    named = found["note"].ne("") if "note" in found else pd.Series(False, found.index)
    assert np.isfinite(numbers[~named]).all(axis=None)
    path = tmp_path / "m.safetensors"
    forecaster.save(path, force=True)
    pd.testing.assert_frame_equal(Forecaster.load(path).predict(table), found)
    others = table[~table["key"].isin(list(short))]
    if len(others) == len(table) or len(others["key"].unique()) < 2:
        return
    # Without those that are too short all others are forecast to the bit as with them.
    alone = _learned(others, state)
    assert alone is not None
    with warnings.catch_warnings():
        expected = alone.predict().set_index("key").filter(regex="^y")
    among = found[~found["key"].isin(list(short))].set_index("key").filter(regex="^y")
    usable = [key for key in expected.index.unique() if not named[found["key"] == key].any()]
    if len(set(usable)) > 1:
        pd.testing.assert_frame_equal(among.loc[usable].sort_index(), expected.loc[usable].sort_index())
