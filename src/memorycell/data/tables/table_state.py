"""A fitted TableCodec as plain JSON, and back with nothing taken on trust."""

from __future__ import annotations

from typing import Any

import numpy as np

from memorycell.data.codec import Json, checked, is_count, is_list, is_name, is_number, is_positive
from memorycell.data.scaling import FILLS
from memorycell.data.tables.columns import Coded, Number
from memorycell.data.tables.files.how import check_remembered
from memorycell.data.tables.table import MOST_COLUMNS
from memorycell.data.tables.table_fields import TableFields
from memorycell.data.tables.times.calendar import split_name
from memorycell.data.tables.times.date_reading import DateReading
from memorycell.data.tables.times.frequency import Frequency
from memorycell.data.tables.timing import AGGREGATES

_VERSION = 2
_FIRST_VERSION = 1  # what has nothing that is new in 2 is read by every version
_MOST_SERIES = 1_000_000
_LISTS = ("known_future", "static", "categorical", "exclude")


def codec_state(codec: TableFields) -> Json:
    """See `TableCodec.to_json`."""
    if not hasattr(codec, "ids_"):
        raise ValueError("this TableCodec is not fitted yet: call fit first")
    options = {name: getattr(codec, name) for name in ("target", "time", "series", *_LISTS, "calendar", "fill")}
    options["freq"] = None if codec.freq is None else codec.freq.to_json()
    options["series"] = _one(codec.series)
    options |= _time_options(codec) | {"lower": codec.lower, "upper": codec.upper}
    learned: Json = {
        "target_names": codec.target_names_,
        "time": codec.time_,
        "as_read": codec.as_read_,
        "dated": codec.dated_,
        "series": _one(codec.series_),
        "series_text": codec.series_text_,
        "short": codec.short_,
        "bounds": [list(bound) for bound in codec.bounds_],
        "frequency": codec.frequency_.to_json(),
        "ids": codec.ids_,
        "center": codec.center_.tolist(),
        "scale": codec.scale_.tolist(),
        "pooled": [list(pair) for pair in codec.pooled_],
        "calendar": codec.calendar_,
        "reading": codec.reading_.learnings(),
        "notes": [{"kind": str(n["kind"]), "text": str(n["text"])} for n in codec.notes_],
    }
    for key in ("targets", "past", "known", "static"):
        columns = getattr(codec, f"{key}_")
        learned[key] = [[c.name, c.center, c.scale, c.fill, c.masked] for c in columns]
    for key in ("codes", "static_codes"):
        learned[key] = [[c.name, c.categories, c.known] for c in getattr(codec, f"{key}_")]
    version = _VERSION if _is_new(codec, options) else _FIRST_VERSION
    return {"codec": "TableCodec", "version": version, "options": options, "learned": learned}


def _time_options(codec: TableFields) -> Json:
    """What the user said of times, of what versions before 2 know nothing; only where it was said."""
    plain = DateReading()
    told = {name: getattr(codec.reading, name) for name in ("dayfirst", "format", "timezone")}
    told = {name: value for name, value in told.items() if value != getattr(plain, name)}
    found: Json = {"reading": told} if told else {}
    if codec.aggregate != "none":
        found["aggregate"] = codec.aggregate
    return {**found, "holidays": codec.holidays} if codec.holidays else found


def _is_new(codec: TableFields, options: Json) -> bool:
    """Whether a version before 2 would read times another way than this one."""
    frequency, reading = codec.frequency_, codec.reading_
    plain = frequency.zone is None and not frequency.wall and frequency.open is None
    asked = {"reading", "aggregate", "holidays"} & options.keys()
    return bool(not plain or reading.order or reading.unit or reading.century or asked)


def codec_fields(state: Any) -> tuple[Json, Json]:
    """Constructor arguments and learned attributes of a stored codec, all checked; ValueError otherwise."""
    checked(state, "codec", lambda name: name == "TableCodec", "'TableCodec'")
    version = checked(state, "version", lambda v: is_count(v) and v > 0, "a version number")
    if version > _VERSION:
        raise ValueError(
            f"the stored codec is of version {version}, newer than this memorycell reads: update memorycell"
        )
    return _options(checked(state, "options", lambda v: isinstance(v, dict), "an object")), _learned(
        checked(state, "learned", lambda v: isinstance(v, dict), "an object")
    )


def _options(state: Json) -> Json:
    names = is_list(is_name, most=MOST_COLUMNS)
    options: Json = {key: checked(state, key, names, "a list of column names") for key in _LISTS}
    for key in ("target", "time"):
        options[key] = checked(state, key, lambda v: v is None or names(v), "a list of column names")
    for key in ("lower", "upper"):
        options[key] = checked({key: None, **state}, key, _is_told, "a bound, or a mapping from targets to bounds")
    options["series"] = _series(state)
    options["calendar"] = checked(state, "calendar", lambda v: isinstance(v, bool), "true or false")
    options["fill"] = checked(state, "fill", lambda v: isinstance(v, str) and v in FILLS, f"one of {FILLS}")
    told = DateReading.from_json(state.get("reading"), None)
    options |= {
        "dayfirst": "auto" if told.dayfirst is None else told.dayfirst,
        "date_format": told.format,
        "timezone": told.timezone,
    }
    options["aggregate"] = checked({"aggregate": "none", **state}, "aggregate", AGGREGATES.__contains__, "a known one")
    days = is_list(lambda day: isinstance(day, str) and len(day) == 10, most=100_000)
    options["holidays"] = checked({"holidays": [], **state}, "holidays", days, "a list of dates")
    freq = checked(state, "freq", lambda v: v is None or isinstance(v, dict), "a frequency")
    options["freq"] = None if freq is None else Frequency.from_json(freq)
    return options


def _learned(state: Json) -> Json:
    names = is_list(is_name, most=MOST_COLUMNS)
    targets = checked(state, "target_names", lambda v: names(v) and v, "a list of column names")
    ids = checked(state, "ids", lambda v: is_list(is_name, most=_MOST_SERIES)(v) and v, "a list of series names")
    k, dated = len(targets), checked(state, "dated", lambda v: isinstance(v, bool), "true or false")
    rows = is_list(is_list(is_number, k), len(ids))
    positive = is_list(is_list(is_positive, k), len(ids))
    learned: Json = {
        "target_names_": targets,
        "ids_": ids,
        "time_": checked(state, "time", names, "a list of column names"),
        "as_read_": check_remembered(state.get("as_read", {})),
        "dated_": dated,
        "series_": _series(state),
        "frequency_": Frequency.from_json(checked(state, "frequency", lambda v: isinstance(v, dict), "a frequency")),
        "center_": np.array(checked(state, "center", rows, f"{len(ids)} × {k} numbers"), np.float64),
        "scale_": np.array(checked(state, "scale", positive, f"{len(ids)} × {k} numbers above 0"), np.float64),
        "calendar_": checked(state, "calendar", lambda v: _is_calendar(v) and (dated or not v), "calendar features"),
        "notes_": checked(state, "notes", is_list(_is_note, most=10_000), "a list of notes"),
    }
    learned["reading_"] = DateReading.from_json(None, state.get("reading"))
    text = checked({"series_text": [], **state}, "series_text", names, "a list of column names")
    learned["series_text_"] = text if "series_text" in state else learned["series_"]
    bounds = checked({"bounds": [[None, None]] * k, **state}, "bounds", is_list(_is_bound, k), f"{k} pairs of bounds")
    learned["bounds_"] = [tuple(None if end is None else float(end) for end in bound) for bound in bounds]
    several = is_list(is_name, most=_MOST_SERIES)
    learned["short_"] = checked({"short": [], **state}, "short", several, "a list of series names")
    pooled = checked(state, "pooled", is_list(_is_pair, k), f"{k} pairs of level and spread")
    learned["pooled_"] = [(float(level), float(spread)) for level, spread in pooled]
    irregular = learned["frequency_"].kind == "irregular"
    if (not irregular and (learned["frequency_"].kind == "step") == dated) or len(set(ids)) < len(ids):
        raise ValueError("the stored codec is damaged: its frequency or series do not fit its times")
    for key in ("targets", "past", "known", "static"):
        columns = checked(state, key, is_list(_is_number_column, most=MOST_COLUMNS), "a list of fitted columns")
        learned[f"{key}_"] = [Number(n, float(c), float(s), float(f), m) for n, c, s, f, m in columns]
    for key in ("codes", "static_codes"):
        columns = checked(state, key, is_list(_is_code_column, most=MOST_COLUMNS), "a list of category columns")
        learned[f"{key}_"] = [Coded(*column) for column in columns]
    if [column.name for column in learned["targets_"]] != targets:
        raise ValueError("the stored codec is damaged: its fitted targets are not its target names")
    return learned


def _is_bound(value: Any) -> bool:
    fits = isinstance(value, list) and len(value) == 2 and all(end is None or is_number(end) for end in value)
    return fits and (None in value or value[0] < value[1])


def _is_told(value: Any) -> bool:
    """What may be told of bounds."""
    if isinstance(value, dict):
        return all(is_name(name) and not isinstance(each, dict) and _is_told(each) for name, each in value.items())
    return value is None or value == "auto" or is_number(value)


def _one(names: list[str] | None) -> Any:
    """As older versions write it where they can: None, or the name of one column."""
    return None if not names else names[0] if len(names) == 1 else names


def _series(state: Json) -> list[str]:
    names = is_list(is_name, most=MOST_COLUMNS)
    found = checked(state, "series", lambda v: v is None or is_name(v) or names(v), "a column name or several")
    return [] if found is None else [found] if isinstance(found, str) else found


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and is_number(value[0]) and is_positive(value[1])


def _is_note(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == {"kind", "text"} and all(map(is_name, value.values()))


def _is_calendar(value: Any) -> bool:
    if not is_list(is_name, most=100)(value):
        return False
    try:
        return len({split_name(name) for name in value}) == len(value)
    except ValueError:
        return False


def _is_number_column(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 5:
        return False
    name, center, scale, fill, masked = value
    return is_name(name) and is_number(center) and is_positive(scale) and is_number(fill) and isinstance(masked, bool)


def _is_code_column(value: Any) -> bool:
    if not isinstance(value, list) or len(value) != 3:
        return False
    name, categories, known = value
    names = is_list(is_name, most=100_000)
    return is_name(name) and names(categories) and len(set(categories)) == len(categories) and isinstance(known, bool)
