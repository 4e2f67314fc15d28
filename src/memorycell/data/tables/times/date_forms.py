"""Ways of writing a date, as regular expressions (RE2's) with a group for each part."""

from __future__ import annotations

import re

# y year, x the one after it, fy the mark of a fiscal one, m month, n its name, d day, j day of the year, a and b day
# and month in either order, q quarter, h half-year, w week, u weekday.
_N = r"(?P<n>[^\d\s.,;:/_'()-]+\.[^\d\s.,;:/_'()-]\.|[^\d\s.,;:/_'()-]{2}[^\d\s.,;:/_'()-]+)"
_Y, _YY, _D, _M = r"(?P<y>\d{4})", r"'?(?P<y>\d{2})", r"(?P<d>\d{1,2})", r"(?P<m>\d{1,2})"
_TH = r"(?:st|nd|rd|th|er|re|e|[ºª°])?"
_OF = r"(?: +(?:de|di|of|del|do)\b\.?)?"
_QUARTER = (
    r"(?:Q|q|T|t|K|k|C|кв|Qtr|qtr|QTR|Quarter|quarter|QUARTER|Quartal|quartal|Trimestre|trimestre|Trim|trim|TRIM|Kvartal|"
    r"kvartal|Kwartaal|kwartaal|kwartał|квартал)\.?"
)
_HALF = (
    r"(?:H|h|S|s|HY|HJ|Hj|Half|half|half-year|"
    r"Halbjahr|halbjahr|Sem|sem|Semester|semester|Semestre|semestre|SEM|полугодие)\.?"
)
_WEEK = r"(?:W|w|KW|kw|Kw|WK|Wk|wk|CW|Week|week|Woche|woche|Sem|sem|Semaine|semaine|S|Uge|uge|Vecka|vecka|v|V)\.?"
_SEP = r"[-/_. ]*"
_FY = r"(?:(?P<fy>(?:FY|AY|fy|Fiscal [Yy]ear|FISCAL YEAR)[-_ ]?'?)|CY[-_ ]?)"
_NTH = r"(?:\.|st|nd|rd|th|er|ère|e|[ºª°]|-?й|o|\.o)?"

# A zone: an offset, "UTC+1", a name such as CET; what stands in brackets behind it says it again.
_ZONE = r"\(?(?P<z>(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?|Z|z|[A-Z]{3,5})?\)?(?: ?\([^()]*\)|\[[^\[\]]*\])?"
CLOCK = (
    r"(?:(?:T|t|_|:|,? +(?:(?:at|um|kl\.?|om|à|às|alle) +)?)"
    r"(?P<H>\d{1,2})(?:[:.hH](?P<M>\d{2}))?(?:[:.](?P<S>\d{2})(?:[.,:](?P<f>\d{1,9})\d*)?)?"
    rf"\s*(?P<p>[AaPp])?(?:\.? ?[Mm]\.?)?(?: ?(?:Uhr|uhr|[Hh]rs?|HRS|[Hh]))?\s*{_ZONE})?"
)
_HAN_CLOCK = (
    r"(?:[T ]*(?P<p>[上下午오][午前後전후])? ?(?P<H>\d{1,2})[:时時點点시] ?"
    r"(?:(?P<M>\d{1,2})[:分분]? ?(?:(?P<S>\d{1,2})[秒초]?)?)?)?"
)
_PRESSED = r"[Tt _-]?(?P<H>[012]\d)(?:(?P<M>[0-5]\d)(?:(?P<S>[0-5]\d)(?P<f>\d{3})?)?)?(?P<z>Z|[+-]\d{2}:?\d{2})?"
DAYS = {
    "year-month-day": rf"{_Y}[-/. ]{_M}[-/. ]{_D}\.?",
    "yearmonthday": r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})",
    "numbers": r"(?P<a>\d{1,2})(?P<s>[-/.])(?P<b>\d{1,2})[-/.](?P<y>\d{4}|\d{2})",
    "day month-name year": rf"{_D}{_NTH}{_OF}[-. /,]*{_N}\.?{_OF}[-., /]*{_Y}",
    "day month-name year of two digits": rf"{_D}{_NTH}[-. /]*{_N}\.?[-., /]*{_YY}",
    "month-name day year": rf"{_N}\.?[- ]*{_D}{_TH}[-, ]+{_Y}",
    "year month-name day": rf"{_Y}[-. /,]*{_N}\.?[-. /,]*{_D}",
    "year, month and day in Han or Hangul": r"(?P<y>\d{4}) ?[年년] ?(?P<m>\d{1,2}) ?[月월] ?(?P<d>\d{1,2}) ?[日일]",
}
SPANS = {
    "year and the next": rf"{_FY}?{_Y} ?[-/] ?(?P<x>\d{{4}}|\d{{2}})",
    "year-month": rf"{_Y}[-/. :]{_M}",
    "yearMmonth": r"(?P<y>\d{4})[-: ]?[Mm](?P<m>\d{1,2})",
    "month-year": r"[Mm]?(?P<m>\d{1,2})[-/. ](?P<y>\d{4})",
    "month-name year": rf"{_N}\.?{_OF}[-., /']*{_Y}",
    "month-name year of two digits": rf"{_N}\.?[-., /]*{_YY}",
    "year month-name": rf"{_Y}[-., /]*{_N}\.?",
    "year and quarter": rf"{_FY}?{_Y}{_SEP}(?:{_QUARTER}{_SEP}(?P<q>[1-4])|(?P<q2>[1-4]){_NTH}{_SEP}{_QUARTER})",
    "quarter and year": rf"(?:{_QUARTER}{_SEP}(?P<q>[1-4])|(?P<q2>[1-4]){_NTH}{_SEP}{_QUARTER}){_OF}{_SEP}{_FY}?{_Y}",
    "quarter and year of two digits": (
        rf"(?:{_QUARTER}{_SEP}(?P<q>[1-4])|(?P<q2>[1-4]){_NTH}{_SEP}{_QUARTER}){_OF}[-/_. ']*{_FY}?(?P<y>\d{{2}})"
    ),
    "year and half-year": rf"{_Y}{_SEP}(?:{_HALF}{_SEP}(?P<h>[12])|(?P<h2>[12]){_NTH}{_SEP}{_HALF})",
    "half-year and year": rf"(?:{_HALF}{_SEP}(?P<h>[12])|(?P<h2>[12]){_NTH}{_SEP}{_HALF}){_OF}{_SEP}{_Y}",
    "half-year and year of two digits": (
        rf"(?:{_HALF}{_SEP}(?P<h>[12])|(?P<h2>[12]){_NTH}{_SEP}{_HALF})[-/_. ']*(?P<y>\d{{2}})"
    ),
    "year and week": rf"{_Y}{_SEP}{_WEEK}{_SEP}(?P<w>\d{{1,2}})(?:-?(?P<u>[1-7]))?",
    "week and year": rf"{_WEEK}{_SEP}(?P<w>\d{{1,2}})[-/_. ,]+{_Y}",
    "year and day of the year": rf"{_Y}[-/.](?P<j>\d{{3}})",
    "year and month in Han or Hangul": r"(?P<y>\d{4}) ?[年년] ?(?P<m>\d{1,2}) ?[月월]",
    "year and quarter in Han or Hangul": r"(?P<y>\d{4}) ?[年년] ?第?(?P<q>[1-4一二三四]) ?(?:季度|季|四半期|분기)",
    "year": rf"{_FY}?{_Y}[年년]?",
    "fiscal year of two digits": rf"{_FY}{_YY}",
    "fiscal year of two digits and quarter": rf"{_FY}{_YY}{_SEP}{_QUARTER}{_SEP}(?P<q>[1-4])",
    "year of two digits and week": rf"{_YY}[-_ ]?(?:W|w|KW|kw|CW|cw|WK|wk)[-_ ]?(?P<w>\d{{2}})",
}
WEEKS = {"year-week": rf"{_Y}[-/. ]?(?P<w>\d{{2}})", "week-year": rf"(?P<w>\d{{1,2}})[-/. ]{_Y}"}
# Those that say which day: words beside a month or a year may be part of it (Spring 2010), beside a day they are not.
WITH_DAYS = (*DAYS, "yearmonthday with its clock", "month-name day clock year")
# Where the column's name says so, or where no more than four numbers come and fill the years.
QUARTERS = {
    "year-quarter": rf"{_Y}[-/.: ]?0?(?P<q>[1-4])",
    "quarter-year": rf"0?(?P<q>[1-4])[-/. ]{_Y}",
}
MONTHS_PRESSED = {"yearmonth": r"(?P<y>\d{4})(?P<m>\d{2})"}


def forms() -> dict[str, str]:
    """All forms by name, in the order in which they are tried; each is the pattern of a whole value."""
    found = {name: DAYS[name] + CLOCK for name in ("year-month-day", "yearmonthday")}
    found["yearmonthday with its clock"] = DAYS["yearmonthday"] + _PRESSED
    found["numbers"] = DAYS["numbers"] + CLOCK
    parts = {name: pattern for name, pattern in SPANS.items() if "month-name" not in name}
    clocks = {name: _HAN_CLOCK if "Han" in name else CLOCK for name in DAYS}
    found |= {**parts, **{name: pattern + clocks[name] for name, pattern in DAYS.items() if name not in found}, **SPANS}
    found["month-name day clock year"] = (
        rf"{_N} +{_D} (?P<H>\d\d):(?P<M>\d\d)(?::(?P<S>\d\d))?(?: (?P<z>[A-Z]{{3,5}}))? {_Y}"
    )
    return {**found, **WEEKS, **QUARTERS, **MONTHS_PRESSED}


FORMS = forms()
# In front of a day may stand its name or other words, and behind it.
_WORD = r"(?:[Ww]eek (?:of|ending|commencing|beginning)|[^\d\s,.]{1,15})"
WEEKDAY, WEEKDAY_FIRST = rf"^{_WORD}[.,:]* +", "weekday, "
WEEKDAY_BEHIND, WEEKDAY_LAST = (
    r",? *(?:\([^\d\s()]{1,15}\)|（[^\d\s（）]{1,15}）| [^\d\s,.()]{1,15}\.?)$",
    "weekday last, ",
)
# And the end of a span of time, of which the beginning counts: 01.01.2024 00:00 - 01.01.2024 01:00.
SPAN_END, SPAN = r"(?:\s+(?:-|–|—|to|until|bis)\s+\S|/\d{4}-\d).*$", "span, "
# Forms of digits alone, which could as well be something else, are taken only where the column's name says so.
ONLY_IF_NAMED = ("year-week", "week-year", "yearmonth")
QUARTER_NAME = re.compile(r"(^|[^a-z])(year)?(quarter|quartal|qtr|trimestre|kwartaal|kvartal)|(^|[^a-z])(year|y)?q$")
WEEK_NAME = re.compile(r"(^|[^a-z])(week|kw|woche|semaine|wk|calweek|isoweek|yearweek|vecka|uge)")
