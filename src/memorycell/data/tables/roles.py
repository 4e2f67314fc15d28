"""What each column of a table is for: target, past or known covariate, category, static."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from memorycell.data.log import note
from memorycell.data.tables.arrow import as_texts, to_numpy
from memorycell.data.tables.table import Table, listing

MOST_CATEGORIES = 100
_MOST_DECLARED = 10_000
_SEEN = 10
# What pandas, polars and R call an index that had no name, when it becomes a column.
_INDEX = re.compile(r"unnamed\b.*|index|level_\d+|__index_level_\d+__|row\.?names?|row_?(nr|number|id)|", re.IGNORECASE)
_FIRST = re.compile(r"x|\.\.\.1|#|id|nr|no\.?", re.IGNORECASE)


@dataclass
class Roles:
    """Names of the columns by role; `codes` says of each category column whether it is known ahead."""

    targets: list[str]
    past: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    codes: dict[str, bool] = field(default_factory=dict)
    static: list[str] = field(default_factory=list)
    static_codes: list[str] = field(default_factory=list)
    notes: list[dict] = field(default_factory=list)


def require(table: Table, names: Iterable[str], role: str) -> None:
    """Raise a ValueError that names the columns a table lacks, with the nearest ones it has."""
    missing = [name for name in names if name not in table.columns]
    if not missing:
        return
    near = difflib.get_close_matches(missing[0], table.columns, 3, 0.5)
    lower = [name for name in table.columns if name.lower() == missing[0].lower()]
    left_out = [each["text"] for each in table.notes if each["kind"] == "dropped" and repr(missing[0]) in each["text"]]
    if left_out:
        raise ValueError(f"{table.source}: expected {role} column {missing[0]!r} to hold other values. {left_out[0]}")
    hint = f"did you mean {listing(lower or near)}?" if lower or near else f"it has {listing(table.columns, 12)}"
    raise ValueError(f"{table.source} has no {role} column {listing(missing)}: {hint}")


def find_series(table: Table, series: list[str] | None) -> list[str]:
    """The columns that tell the series apart: the given ones, those that were a frame's index beside its time, or one
    of the customary name unique_id."""
    if series is not None:
        require(table, series, "series")
        if len(set(series)) < len(series):
            raise ValueError(f"series columns are named twice: {listing(series)}")
        return list(series)
    if table.keys:
        return list(table.keys)
    return ["unique_id"] if "unique_id" in table.columns else []


def decide_roles(
    table: Table,
    target: list[str] | None,
    *,
    time: list[str],
    series: list[str],
    known_future: list[str],
    static: list[str],
    categorical: list[str],
    exclude: list[str],
) -> Roles:
    """The role of every column. Declared roles are checked, the rest follow from the columns' types.

    Raises
    ------
    ValueError
        A column that is not there, one with two roles, no target where several could be meant, a target of
        text.
    """
    for names, role in ((known_future, "known-future"), (static, "static"), (categorical, "categorical")):
        require(table, names, role)
    used = {*time, *series, *exclude}
    declared = {*known_future, *static, *categorical, *(target or [])}
    counters = {name for name in table.columns if name not in used | declared and _is_row_counter(table, name)}
    targets = _targets(table, target, used | declared | counters, series)
    _refuse_two_roles(targets, time, series, known_future, static, exclude, categorical)
    roles = Roles(targets)
    for name in table.columns:
        if name in used or name in targets:
            continue
        if name in counters:
            text = f"Column {name!r} was left out: it numbers the rows of a table that this one was taken from."
            roles.notes.append(note("dropped", text))
            continue
        label = name in categorical or table.is_text(name)
        if not label and not table.is_numeric(name):
            roles.notes.append(note("dropped", f"Column {name!r} was left out: it holds further dates."))
            continue
        if name in static:
            (roles.static_codes if label else roles.static).append(name)
        elif label:
            if _worth_coding(table, name, name in categorical or name in known_future, roles.notes):
                roles.codes[name] = name in known_future
        else:
            (roles.known if name in known_future else roles.past).append(name)
    return roles


def _is_row_counter(table: Table, name: str) -> bool:
    """Whether a column is what a frame's index becomes in a file: whole numbers under no name of their own, that rise
    or are all different, with gaps where rows were dropped."""
    unspecific = _INDEX.fullmatch(name) or (name == table.columns[0] and _FIRST.fullmatch(name))
    if not unspecific or not table.is_numeric(name) or len(table) < 3:
        return False
    values = table.numbers(name)
    if values.dtype.kind not in "iuf" or not np.isfinite(values).all() or values.min() < 0:
        return False
    if (values != np.round(values)).any():
        return False
    steps = np.diff(values.astype(np.float64))
    begins = (steps < 0) & (values[1:] <= values.min() + 10)  # tables put one below the other
    rises = begins.sum() <= len(steps) / 10 and (steps > 0)[~begins].all()
    return bool(rises or len(np.unique(values)) == len(values))


def _targets(table: Table, target: list[str] | None, taken: set, series: list[str]) -> list[str]:
    if target is None:
        numeric = [name for name in table.columns if name not in taken and table.is_numeric(name)]
        if series == ["unique_id"] and "y" in numeric:
            return ["y"]
        if len(numeric) == 1:
            return numeric
        odd = [name for name in table.odd if name not in taken]
        if not numeric and odd:
            raise _not_numeric(table, odd[0])
        if not numeric:
            held = listing(table.columns, 12)
            raise ValueError(
                f"{table.source} has no numeric column to forecast (its columns: {held}): check delimiter "
                "and decimal mark"
            )
        raise ValueError(
            f"{table.source} has {len(numeric)} numeric columns ({listing(numeric, 12)}): say which to "
            "forecast with target="
        )
    if not target:
        raise ValueError("expected at least one target column, got an empty list")
    require(table, target, "target")
    for name in target:
        if not table.is_numeric(name):
            raise _not_numeric(table, name)
    if len(set(target)) < len(target):
        raise ValueError(f"target columns are named twice: {listing(target)}")
    return list(target)


def _not_numeric(table: Table, name: str) -> ValueError:
    if name in table.odd:
        count, first = table.odd[name]
        shown = ", ".join(f"{value!r} in {table.where(row)}" for row, value in first)
        same = len({value for _, value in first}) == 1
        remedy = f"mend them, leave them empty, or give na_values={first[0][1]!r:.40}" if same else (
            "mend them, leave them empty, or say what stands for a missing value with na_values="
        )  # fmt: skip
        return ValueError(
            f"target {name!r} of {table.source} is not numeric: {count:,} of {len(table):,} values are no numbers "
            f"({shown}{', …' if count > len(first) else ''}), too many to treat as missing: {remedy}"
        )
    value = next((v for v in table.data.column(name).slice(0, 1000).to_pylist() if v is not None), None)
    kind = "text" if table.is_text(name) else str(table.data.schema.field(name).type)
    spaced = isinstance(value, str) and value.replace(" ", "").isdigit() and " " in value
    remedy = "if those are numbers, give thousands=' '" if spaced else (
        "leave units and words out of it, say how its numbers are written with decimal= and thousands=, or name "
        "another column with target="
    )  # fmt: skip
    return ValueError(
        f"target {name!r} of {table.source} is not numeric: it holds {kind}, such as {str(value)!r:.60}; {remedy}"
    )


def _refuse_two_roles(
    targets: list[str], time: list[str], series: list[str], known: list[str], static: list[str], exclude:
    list[str], categorical: list[str],
) -> None:  # fmt: skip
    groups = {"target": targets, "time": time, "series": series, "known_future": known,
              "static": static, "exclude": exclude}  # fmt: skip
    roles: dict[str, str] = {}
    for role, names in groups.items():
        for name in names:
            if roles.setdefault(name, role) != role:
                raise ValueError(f"column {name!r} cannot be both {roles[name]} and {role}: give it one role")
    for name in categorical:
        if roles.get(name) in ("target", "time", "series", "exclude"):
            raise ValueError(f"column {name!r} cannot be both categorical and {roles[name]}: give it one role")


def _worth_coding(table: Table, name: str, declared: bool, notes: list[dict]) -> bool:
    texts = table.texts(name)
    present = len(texts) - texts.null_count
    count = pc.count_distinct(texts, mode="only_valid").as_py()
    if declared:
        if count > _MOST_DECLARED:
            raise ValueError(
                f"column {name!r} has {count:,} categories, more than {_MOST_DECLARED:,}: group the rare ones"
            )
        return True
    if count <= 1:
        notes.append(note("dropped", f"Column {name!r} was left out: it holds one text only."))
        return False
    if count > MOST_CATEGORIES or present < _SEEN * count:
        text = f"Column {name!r} was left out: {count:,} different texts in {present:,} rows are too many to learn from"
        notes.append(note("dropped", f"{text} (name it in categorical= to keep it)."))
        return False
    return True


def codes_of(texts: pa.ChunkedArray, categories: list[str]) -> NDArray[np.int64]:
    """int64 codes of texts: 1 + their place in `categories`, 0 for missing or unknown ones."""
    places = pc.index_in(texts, as_texts(categories), skip_nulls=True)
    return to_numpy(places, missing=-1).astype(np.int64) + 1
