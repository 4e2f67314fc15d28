"""Zones: wall clock times of a zone to UTC and back, across the changes of clocks; the rules are zoneinfo's."""

from __future__ import annotations

import datetime
import re
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
from numpy.typing import NDArray

_DAY = 86_400
_FIXED = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}):?(\d{2})?")
# Asked first where only offsets are known, which several zones share.
_USUAL = (
    "Europe/Berlin", "Europe/London", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles",
    "America/Halifax", "America/St_Johns", "Europe/Athens", "Europe/Moscow", "Australia/Sydney", "Australia/Adelaide",
    "Australia/Lord_Howe", "Pacific/Auckland", "America/Sao_Paulo", "America/Santiago", "Asia/Jerusalem",
    "Africa/Casablanca",
)  # fmt: skip


def check_zone(name: str) -> str:
    """The name of a zone as it is stored: of the IANA database, "UTC", or an offset such as "+05:30".

    Example
    -------
    >>> check_zone("Europe/Berlin"), check_zone("z"), check_zone("UTC+1")
    ('Europe/Berlin', 'UTC', '+01:00')
    """
    text = str(name).strip()
    if text.upper() in ("UTC", "Z", "GMT", "ETC/UTC", "+00:00"):
        return "UTC"
    found = _FIXED.fullmatch(text)
    if found and int(found[2]) < 15 and int(found[3] or 0) < 60:
        return f"{found[1]}{int(found[2]):02d}:{found[3] or '00'}"
    try:
        ZoneInfo(text)
    except Exception:  # zoneinfo raises many kinds for names that are none
        known = {zone.lower(): zone for zone in available_timezones()}
        city = next((zone for low, zone in sorted(known.items()) if low.endswith("/" + text.lower())), None)
        hint = known.get(text.lower()) or city or "Europe/Berlin"
        raise ValueError(
            f"expected timezone= to be a name such as {hint!r}, 'UTC' or an offset such as '+01:00', got {name!r:.60}"
        ) from None
    return text


def tzinfo_of(zone: str) -> datetime.tzinfo:
    """The tzinfo of a zone's name."""
    found = _FIXED.fullmatch(zone)
    if found:
        return datetime.timezone(datetime.timedelta(seconds=_fixed(zone)))
    return datetime.UTC if zone == "UTC" else ZoneInfo(zone)


def moves(zone: str | None) -> bool:
    """Whether the clocks of a zone are ever changed, as far as this century goes."""
    if zone is None or zone == "UTC" or _FIXED.fullmatch(zone):
        return False
    return bool(any(len(_changes(zone, year)[0]) for year in range(1970, 2040)))


def to_local(utc: NDArray, zone: str | None) -> NDArray:
    """Wall clock times (datetime64[ns]) of times in UTC.

    Example
    -------
    >>> to_local(np.array(["2024-07-01T10", "2024-12-01T10"], "datetime64[ns]"), "Europe/Berlin").astype("M8[h]")
    array(['2024-07-01T12', '2024-12-01T11'], dtype='datetime64[h]')
    """
    if zone is None or zone == "UTC" or not len(utc):
        return utc
    times, offsets = _table(zone, utc)
    if not len(times):
        return utc + np.timedelta64(int(offsets[0]), "s")
    at = np.searchsorted(times, utc, side="right")
    return utc + offsets.astype("timedelta64[s]").astype("timedelta64[ns]")[at]


def to_utc(local: NDArray, zone: str | None, later: NDArray[np.bool_] | bool = False) -> NDArray:
    """Times in UTC of wall clock times: of an hour that comes twice the first, or where `later` the second.

    An hour that clocks skip counts on from the time before: 02:30 is then 03:30.
    """
    if zone is None or zone == "UTC" or not len(local):
        return local
    times, offsets = _table(zone, local)
    shift = offsets.astype("timedelta64[s]").astype("timedelta64[ns]")
    if not len(times):
        return local - shift[0]
    wide, narrow = np.maximum(shift[:-1], shift[1:]), np.minimum(shift[:-1], shift[1:])
    # Up to the change the old offset holds: it is reached last by the clock that is ahead.
    at = np.searchsorted(times + wide, local, side="right")
    if np.any(later):
        again = np.searchsorted(times + narrow, local, side="right")
        at = np.where(np.asarray(later) & twice(local, zone), again, at)
    return local - shift[at]


def twice(local: NDArray, zone: str) -> NDArray[np.bool_]:
    """Which wall clock times come twice, as clocks are put back."""
    return _within(local, zone, -1)


def skipped(local: NDArray, zone: str) -> NDArray[np.bool_]:
    """Which wall clock times never come, as clocks are put forward."""
    return _within(local, zone, 1)


def _within(local: NDArray, zone: str, sign: int) -> NDArray[np.bool_]:
    times, offsets = _table(zone, local)
    inside = np.zeros(len(local), bool)
    steps = np.diff(offsets)
    if not (np.sign(steps) == sign).any():
        return inside
    chosen = np.sign(steps) == sign
    before = offsets[:-1][chosen].astype("timedelta64[s]")
    after = offsets[1:][chosen].astype("timedelta64[s]")
    starts, ends = times[chosen] + np.minimum(before, after), times[chosen] + np.maximum(before, after)
    at = np.searchsorted(starts, local, side="right") - 1
    inside = at >= 0
    inside[inside] = local[inside] < ends[at[inside]]
    return inside


def zone_of_offsets(utc: NDArray, offsets: NDArray[np.int64]) -> str | None:
    """A zone whose clocks showed these offsets (seconds) at these times, the usual ones first; None if none did."""
    seen, first = np.unique(offsets, return_index=True)
    if len(seen) == 1:
        return offset_name(int(seen[0]))
    sample = np.unique(np.concatenate([first, np.linspace(0, len(utc) - 1, min(len(utc), 500)).astype(np.int64)]))
    probe, want = utc[sample], offsets[sample]
    for zone in dict.fromkeys((*_USUAL, *sorted(available_timezones()))):
        some = datetime.datetime.fromtimestamp(int(probe[0].astype("datetime64[s]").astype(np.int64)), tzinfo_of(zone))
        if (some.utcoffset() or datetime.timedelta()).total_seconds() != want[0]:
            continue
        if ((to_local(probe, zone) - probe) == want.astype("timedelta64[s]")).all() and (
            (to_local(utc, zone) - utc) == offsets.astype("timedelta64[s]")
        ).all():
            return zone
    return None


def zone_of_midnights(utc: NDArray) -> str | None:
    """A zone of which times in UTC are all midnights, before and after its clocks changed; None if there is none.

    Example
    -------
    >>> zone_of_midnights(np.array(["2024-03-30T23", "2024-03-31T22"], "datetime64[ns]"))
    'Europe/Berlin'
    """
    for part in (utc[:1000], utc):
        known = part[~np.isnat(part)]
        clocks = np.unique(known - known.astype("datetime64[D]")).astype(np.int64)
        if not 1 <= len(clocks) <= 2:
            return None
    if len(clocks) < 2 or clocks[1] - clocks[0] != 3600 * 10**9:
        return None
    for zone in dict.fromkeys((*_USUAL, *sorted(available_timezones()))):
        local = to_local(known[:1000], zone)
        if (local == local.astype("datetime64[D]")).all():
            local = to_local(known, zone)
            if (local == local.astype("datetime64[D]")).all():
                return zone
    return None


def offset_name(seconds: int) -> str:
    """ "+01:00" of 3,600 seconds; "UTC" of none."""
    minutes = abs(seconds) // 60
    return "UTC" if not minutes else f"{'-' if seconds < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


def aware(utc: NDArray, zone: str) -> NDArray[Any]:
    """Times of UTC as datetimes of the zone, in an array of objects; microseconds are the finest they tell."""
    info = tzinfo_of(zone)
    out = np.empty(utc.shape, object)
    flat = out.reshape(-1)
    for i, value in enumerate(utc.reshape(-1).astype("datetime64[us]").tolist()):
        flat[i] = None if value is None else value.replace(tzinfo=datetime.UTC).astimezone(info)
    return out


def zone_of(values: NDArray) -> str | None:
    """The zone of an array that `aware` made; None for any other."""
    first = values.reshape(-1)[0] if values.dtype == object and values.size else None
    info = first.tzinfo if isinstance(first, datetime.datetime) else None
    if info is None:
        return None
    if isinstance(info, ZoneInfo):
        return str(info.key)
    return offset_name(int((info.utcoffset(None) or datetime.timedelta()).total_seconds()))


def as_utc(values: NDArray) -> NDArray:
    """datetime64[us] in UTC of an array that `aware` made."""
    plain = [each.astimezone(datetime.UTC).replace(tzinfo=None) for each in values.reshape(-1)]
    return np.array(plain, "datetime64[us]").reshape(values.shape)


def _fixed(zone: str) -> int:
    sign, hours, minutes = _FIXED.fullmatch(zone).groups()  # type: ignore[union-attr]
    return (-1 if sign == "-" else 1) * (int(hours) * 3600 + int(minutes or 0) * 60)


def _table(zone: str, times: NDArray) -> tuple[NDArray, NDArray[np.int64]]:
    """When clocks changed around `times` (datetime64[ns], UTC), and the offsets (s) before, between and after."""
    if zone == "UTC" or _FIXED.fullmatch(zone):
        return np.empty(0, "datetime64[ns]"), np.array([0 if zone == "UTC" else _fixed(zone)])
    known = times[~np.isnat(times)]
    if not len(known):
        known = np.zeros(1, "datetime64[ns]")
    low = max(1678, int(known.min().astype("datetime64[Y]").astype(int)) + 1969)
    high = min(2261, int(known.max().astype("datetime64[Y]").astype(int)) + 1971)
    parts = [_changes(zone, year) for year in range(low, high + 1)]
    moments = np.concatenate([np.array(part[0], np.int64) for part in parts])
    offsets = np.concatenate([[parts[0][1][0]], *(np.array(part[1][1:], np.int64) for part in parts)]).astype(np.int64)
    return moments.astype("datetime64[s]").astype("datetime64[ns]"), offsets


@lru_cache(maxsize=4096)
def _changes(zone: str, year: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Seconds since 1970 at which the offset changes within a year, and the offsets before and after each."""
    info = ZoneInfo(zone)
    start = int((np.datetime64(str(year)) - np.datetime64("1970")).astype("timedelta64[D]").astype(int))
    end = int((np.datetime64(str(year + 1)) - np.datetime64("1970")).astype("timedelta64[D]").astype(int))
    moments: list[int] = []
    offsets = [_offset(info, start * _DAY)]
    for day in range(start, end, 4):
        low, high = day * _DAY, min(day + 4, end) * _DAY
        after = _offset(info, high)
        while after != offsets[-1]:
            first, last = low, high
            while last - first > 1:
                middle = (first + last) // 2
                first, last = (middle, last) if _offset(info, middle) == offsets[-1] else (first, middle)
            moments.append(last)
            offsets.append(_offset(info, last))
            low = last
    return tuple(moments), tuple(offsets)


def _offset(info: datetime.tzinfo, second: int) -> int:
    moment = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(seconds=second)
    return int((moment.astimezone(info).utcoffset() or datetime.timedelta()).total_seconds())
