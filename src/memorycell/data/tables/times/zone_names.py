"""Names of zones beside times: UTC+1, CET, EST; those of several zones (CST, IST) are asked about."""

from __future__ import annotations

import datetime
import re
from functools import lru_cache

from memorycell.data.tables.times.zones import tzinfo_of

_HOURS = {
    "UTC": 0, "GMT": 0, "Z": 0, "UT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2, "EET": 2,
    "EEST": 3, "MSK": 3, "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9,
    "AKDT": -8, "HST": -10, "NST": -3.5, "NDT": -2.5, "JST": 9, "KST": 9, "HKT": 8, "SGT": 8, "PKT": 5, "NPT": 5.75,
    "WIB": 7, "AWST": 8, "ACST": 9.5, "ACDT": 10.5, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13, "SAST": 2, "EAT": 3,
    "CAT": 2, "WAT": 1, "BRT": -3, "ART": -3, "CLT": -4, "CLST": -3,
}  # fmt: skip
_SEVERAL = {
    "CST": ("America/Chicago", "Asia/Shanghai"), "IST": ("Asia/Kolkata", "Asia/Jerusalem", "Europe/Dublin"),
    "BST": ("Europe/London", "Asia/Dhaka"), "AST": ("America/Halifax", "Asia/Riyadh"), "GST": ("Asia/Dubai",),
}  # fmt: skip
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])(\d{1,2}?)(?::?(\d{2}))?")


def seconds_ahead(name: str, zone: str | None, others: set[str]) -> int:
    """Seconds that a zone written beside a time is ahead of UTC.

    Parameters
    ----------
    name : str
        "+01:00", "UTC+1", "Z", "CET", ...
    zone : str, optional
        The zone that times are known to be of; its own names come first.
    others : set of str
        All names of the column: beside CDT, CST is that of America.

    Raises
    ------
    ValueError
        For a name that is of no zone, or of several.

    Example
    -------
    >>> seconds_ahead("UTC+5:30", None, set()), seconds_ahead("IST", "Asia/Kolkata", set())
    (19800, 19800)
    """
    offset = _OFFSET.fullmatch(name)
    if offset:
        return (-1 if offset[1] == "-" else 1) * (int(offset[2]) * 3600 + int(offset[3] or 0) * 60)
    text = name.upper()
    own = _names_of(zone).get(text) if zone else None
    if own is not None:
        return own
    if text in _HOURS:
        return int(_HOURS[text] * 3600)
    if text == "CST" and "CDT" in others:
        return -6 * 3600
    if text == "BST" and "GMT" in others:
        return 3600
    if text in _SEVERAL:
        zones = _SEVERAL[text]
        examples = " or ".join(f'timezone="{each}"' for each in zones)
        raise ValueError(
            f"{name!r} stands for several time zones: say which with {examples}, or write offsets (+01:00)"
        )
    raise ValueError(
        f'{name!r} is no time zone that is known: say it with timezone=, such as timezone="Europe/Berlin", and leave '
        "it out of the values, or write offsets (+01:00)"
    )


@lru_cache(maxsize=64)
def _names_of(zone: str) -> dict[str, int]:
    """What the clocks of a zone call themselves through a year, and how far they are ahead."""
    info = tzinfo_of(zone)
    found: dict[str, int] = {}
    for month in range(1, 13):
        moment = datetime.datetime(2024, month, 1, tzinfo=info)
        ahead = moment.utcoffset()
        if ahead is not None and moment.tzname():
            found[str(moment.tzname()).upper()] = int(ahead.total_seconds())
    return found
