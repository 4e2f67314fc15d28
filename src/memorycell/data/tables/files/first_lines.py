"""Where a table begins in a file: titles and comments above it, its header, lines of units below that, and its end."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from memorycell.data.log import note
from memorycell.data.tables.files.leading_zeros import is_part_of_date
from memorycell.data.tables.files.numbers import ERRORS, WRITTEN
from memorycell.data.tables.table import NULLS, listing

MOST_TITLES = 50
_MOST_HEADERS = 4
_NOTHING = frozenset((*NULLS, *ERRORS))
_CLOCK = r"([T ]+\d{1,2}[:.]\d{2}([:.]\d{2}([.,]\d+)?)?\s*([AaPp]\.?[Mm]\.?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?)?"
_DATE = re.compile(
    rf"\s*(\d{{4}}[-/.]\d{{1,2}}([-/.]\d{{1,2}})?|\d{{1,2}}[-/.]\d{{1,2}}[-/.](\d{{4}}|\d{{2}})|\d{{8}}){_CLOCK}\s*"
)
_FRACTION = re.compile(r"\s*[+-]?\d*[.,]\d+\s*")
_NUMBER = re.compile(WRITTEN)
_COMMENT = ("#", "%", "//")
_TOTALS = frozenset(
    "total totals sum sums summe gesamt gesamtsumme insgesamt total: sum: summe: gesamt: grand average mean mittelwert "
    "durchschnitt somme totale suma média media moyenne subtotal razem итого всего 合計 总计 합계 toplam totaal summa"
    .split()
) | {"grand total", "grand total:", "sub-total", "total general", "total général", "total generale"}  # fmt: skip
_TIMES = re.compile(
    r"(date|time|timestamp|datetime|day|month|week|year|quarter|period|ds$|datum|zeit|tag|monat|jahr|fecha|hora|mes|data|"
    r"heure|jour|mois|ann[ée]e|dato|tid|päivä|datahora|дата|время|日付|日期|时间|時間)",
    re.IGNORECASE,
)
_CONTINENT = re.compile(r"\s*\d{1,2}\.\d{1,2}\.(\d{4}|\d{2})\b.*")


@dataclass
class Begin:
    """Where a table begins among its first records.

    Attributes
    ----------
    names : of the columns
    header : whether a line named them
    first : the place of the first row of values among the records
    notes : what was left out, in sentences
    """

    names: list[str]
    header: bool
    first: int
    notes: list[dict] = field(default_factory=list)


def is_number(cell: str) -> bool:
    """Whether a cell holds a number as people write them."""
    return _NUMBER.fullmatch(cell.strip()) is not None


def is_date(cell: str) -> bool:
    """Whether a cell holds a date of digits."""
    return _DATE.fullmatch(cell) is not None


def is_value(cell: str) -> bool:
    """Whether a cell holds a number or a date of digits."""
    return is_number(cell) or is_date(cell)


def is_named_like_time(name: str) -> bool:
    """Whether a column is called like a date, a time or a part of them."""
    return _TIMES.match(name.strip()) is not None or is_part_of_date(name)


def is_empty(cell: str) -> bool:
    """Whether a cell is empty, or says that its value is missing."""
    return cell.strip() in _NOTHING


def is_continental(cell: str) -> bool:
    """Whether a date has points between day, month and year."""
    return _CONTINENT.fullmatch(cell) is not None


def width_of(records: Sequence[Sequence[str]]) -> int:
    """How many fields a record of the table has: the most frequent count, the larger of two."""
    counts = Counter(len(record) for record in records)
    return max(counts, key=lambda width: (counts[width], width))


def find_begin(
    records: Sequence[Sequence[str]],
    lines: Sequence[int],
    source: str,
    header: bool | None = None,
    *,
    samples: bool = False,
    titles: bool = True,
) -> Begin:
    """Where the table begins.

    Parameters
    ----------
    records : the fields of the first records
    lines : the line of the file that each begins in
    source : what messages call the file
    header : whether a line names the columns; None: what the records say
    samples : whether a record is a sample: no line of units is looked for
    titles : whether lines above the header are looked for

    Raises
    ------
    ValueError
        Where names and rows have different numbers of fields.

    Example
    -------
    >>> records = [["My data"], ["date", "temp"], ["", "°C"], ["2024-01-01", "3.5"], ["2024-01-02", "4"]]
    >>> begin = find_begin(records, [1, 3, 4, 5, 6], "a.csv")
    >>> begin.names, begin.first, begin.notes[0]["text"]
    (['date', 'temp'], 3, "1 line above the table of a.csv was left out ('My data').")
    >>> begin.notes[1]["text"]
    "Line 4 of a.csv holds units or further names, no values: left out ('°C')."
    """
    width = width_of(records[1:] or records)
    at = _skip_titles(records, width, samples) if titles else 0
    notes = []
    if at:
        shown = listing(_shown(record) for record in records[:at] if _filled(record))
        were = "1 line" if at == 1 else f"{at} lines"
        notes.append(
            note("read", f"{were} above the table of {source} {'was' if at == 1 else 'were'} left out ({shown}).")
        )
    first = list(records[at])
    if first and first[0].lstrip().startswith("#") and len(first) > 1:
        first[0] = first[0].lstrip().lstrip("#").strip()
    body = records[at + 1 :]
    block = 1 if samples or header is False else _block([first, *body], width)
    if header is None and block == 1:
        header = not _is_data(first, body, samples)
    if header is False:
        names = ["y"] if len(first) == 1 else [f"x{i}" for i in range(len(first))]
        notes.append(note("read", f"{source} has no header line: its columns are called {listing(names)}."))
        return Begin(names, False, at, notes)
    used = [first, *body[: block - 1]]
    above = 0
    if block > 1:
        above = _above_the_names(used, lines[at : at + block], _columns_of_values(records[at + block :], width))
    names, chosen = _names(used[above:])
    chosen = chosen + above if chosen >= 0 else -1
    for place in range(block):
        if place < above:
            said = f"Line {lines[at + place]:,} of {source} is above the table: left out ({_shown(used[place])!r})."
            notes.append(note("read", said))
        elif place != chosen:
            shown = listing(cell.strip() for cell in records[at + place] if cell.strip())
            said = (
                f"Line {lines[at + place]:,} of {source} holds units or further names, no values: left out ({shown})."
            )
            if chosen < 0:
                said = f"Line {lines[at + place]:,} of {source} is part of the columns' names ({shown})."
            notes.append(note("read", said))
    return Begin(names, True, at + block, notes)


def _shown(record: Sequence[str]) -> str:
    text = ", ".join(cell.strip() for cell in record if cell.strip())
    return text if len(text) < 40 else text[:38] + " …"


def _filled(record: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in record)


def _skip_titles(records: Sequence[Sequence[str]], width: int, samples: bool) -> int:
    """The place of the first record that belongs to the table: names, or values where nothing names the columns."""
    if width == 1:
        first = next((i for i, record in enumerate(records) if not record[0].lstrip().startswith("#")), 0)
        return first if not samples else 0
    at = 0 if samples else _behind_short_lines(records, width)
    for record in records[at:MOST_TITLES]:
        short = len(record) != width and (len(record) == 1 or record[0].lstrip().startswith(_COMMENT))
        padded = width > 2 and len(record) == width and _filled(record) <= 1 and not samples
        if not (short or padded or _is_remark(records, at, width)):
            break
        at += 1
    if at == 0 or at >= min(len(records), MOST_TITLES) or len(records[at]) != width:
        return _further(records, width)
    named = not any(is_value(cell) for cell in records[at]) and _filled(records[at]) > 1
    remarks = all(record[0].lstrip().startswith(_COMMENT) for record in records[:at])
    return at if named or remarks else 0


def _behind_short_lines(records: Sequence[Sequence[str]], width: int) -> int:
    """The place of the names behind lines of one field, which titles are, though some are as wide as the table."""
    for at in range(min(len(records) - 2, 10), 0, -1):
        record = records[at]
        if len(record) == width and len(records[at - 1]) == 1 and not any(map(is_value, record)):
            return at if _filled(record) > 1 else 0
    return 0


def _further(records: Sequence[Sequence[str]], width: int) -> int:
    """The first record as wide as the table, if it names the columns; else 0, and the width is an error."""
    if len(records[0]) == width:
        return 0
    for at, record in enumerate(records[:MOST_TITLES]):
        if len(record) == width:
            return at if _filled(record) > 1 and not any(is_value(cell) for cell in record) else 0
    return 0


def _is_remark(records: Sequence[Sequence[str]], at: int, width: int) -> bool:
    """A comment as wide as the table by chance: names follow it."""
    if not records[at][0].lstrip().startswith(_COMMENT) or at + 1 >= len(records):
        return False
    after = records[at + 1]
    if after[0].lstrip().startswith(_COMMENT):
        return True
    return len(after) == width and not any(is_value(cell) for cell in after) and _filled(after) > 1


def _columns_of_values(body: Sequence[Sequence[str]], width: int) -> list[int]:
    """The columns that hold numbers or dates for the most part."""
    rows = [record for record in body[-60:] if len(record) == width]
    found = []
    for column in range(width):
        cells = [row[column] for row in rows if not is_empty(row[column])]
        if cells and sum(map(is_value, cells)) >= 0.8 * len(cells):
            found.append(column)
    return found


def _block(records: Sequence[Sequence[str]], width: int) -> int:
    """How many records at the beginning name the columns: none of their cells is a value where values follow."""
    if width < 2 or len(records) < 3 or width > 2000:
        return 1
    valued = _columns_of_values(records[2:], width)
    count = 0
    for record in records[:_MOST_HEADERS]:
        if len(record) != width:
            break
        cells = [record[column] for column in valued]
        if any(is_value(cell) for cell in cells) or all(is_empty(cell) for cell in cells):
            break
        count += 1
    return max(1, min(count, len(records) - 1))


def _above_the_names(block: Sequence[Sequence[str]], lines: Sequence[int], valued: Sequence[int]) -> int:
    """How many lines of a block are titles: those before an empty line, and before the one that names a time."""
    above = max((i + 1 for i in range(len(block) - 1) if lines[i + 1] - lines[i] > 1), default=0)
    named = [
        i
        for i, line in enumerate(block)
        if 2 * _filled(line) > len(line)
        and any(_TIMES.match(line[column].strip()) for column in valued if column < len(line))
    ]
    return max(above, named[0]) if len(named) == 1 else above


def _names(block: Sequence[Sequence[str]]) -> tuple[list[str], int]:
    """Names from one or several lines, and which line they are; -1 for all of them together."""
    lines = [[_one_line(cell) for cell in record] for record in block]
    alone = next((line[0] for line in lines[1:] if line[0] and not any(line[1:])), "")
    chosen = max(range(len(lines)), key=lambda i: (len({cell for cell in lines[i] if cell}), -i))
    names = list(lines[chosen])
    given = [name for name in names if name]
    if alone and len(lines) > 1 and any(lines[-1]) and not any(lines[-1][1:]):  # levels, as pandas writes them
        levels = [line for line in lines[:-1] if len(set(line[1:])) > 1] or lines[:1]
        names = [" ".join(dict.fromkeys(cell for cell in column if cell)) for column in zip(*levels, strict=True)]
        chosen = lines.index(levels[0]) if len(levels) == 1 else -1
    elif len(lines) > 1 and (len(set(given)) < len(given) or _over(lines, chosen)):
        filled = [_carried(line) if i == 0 else line for i, line in enumerate(lines)]
        names = [" ".join(dict.fromkeys(cell for cell in column if cell)) for column in zip(*filled, strict=True)]
        names[0], chosen = lines[0][0] or names[0], -1
    if alone:
        names[0] = alone
    return [name or f"unnamed {i + 1}" for i, name in enumerate(names)], chosen


def _over(lines: list[list[str]], chosen: int) -> bool:
    """Whether the first line names groups of columns, with empty cells behind each name, and the next the columns."""
    first, second = lines[0], lines[1]
    gaps = sum(not cell for cell in first[1:])
    return chosen < 2 and 0 < gaps < len(first) - 1 and all(second[1:]) and any(first[1:])


def _carried(line: list[str]) -> list[str]:
    filled, last = [], ""
    for place, cell in enumerate(line):
        last = cell or (last if place else "")
        filled.append(last)
    return filled


def _one_line(cell: str) -> str:
    return " ".join(cell.split())


def _is_data(first: Sequence[str], body: Sequence[Sequence[str]], samples: bool) -> bool:
    """Whether the first record holds values rather than names."""
    values = [cell for cell in first if not is_empty(cell)]
    told = [cell for cell in values if is_date(cell) or _FRACTION.fullmatch(cell) or cell.strip()[:1] in "+-"]
    if values and all(is_value(cell) for cell in values):
        # A line of years over a table is a header; a first row of readings has a fraction, a sign or a date.
        return not body or len(first) == 1 or any(not cell.strip().isdigit() for cell in values)
    if samples or not told or not body:
        return False
    rows = [record for record in body[:100] if len(record) == len(first)]
    for column, cell in enumerate(first):
        below = [row[column] for row in rows if not is_empty(row[column])]
        if is_value(cell):
            same = is_date if is_date(cell) else is_value
            if sum(map(same, below)) < 0.8 * len(below):
                return False
        elif not is_empty(cell) and cell.strip() not in {each.strip() for each in below}:
            return False
    return True


def is_total(record: Sequence[str], above: Sequence[Sequence[str]]) -> bool:
    """Whether a last record sums up: it says so where the records above have dates or numbers.

    Example
    -------
    >>> is_total(["Total", "30"], [["2024-01-01", "10"], ["2024-01-02", "20"]]), is_total(["c", "1"], [["a", "2"]])
    (True, False)
    """
    for column, cell in enumerate(record):
        if cell.strip():
            told = cell.strip().casefold() in _TOTALS
            values = [row[column] for row in above if len(row) == len(record)]
            return told and bool(values) and sum(map(is_value, values)) >= 0.8 * len(values)
    return False


def is_apart(record: Sequence[str], above: Sequence[Sequence[str]]) -> bool:
    """Whether a record has a word in its first cell where the records above have dates or numbers."""
    values = [row[0] for row in above]
    first = record[0] if record else ""
    return (
        bool(values) and sum(map(is_value, values)) >= 0.8 * len(values) and not is_value(first) and not is_empty(first)
    )


def is_footnote(record: Sequence[str], width: int) -> bool:
    """Whether a last record is words below a table: one cell where the table has several."""
    filled = [cell.strip() for cell in record if cell.strip()]
    if width < 2 or len(filled) != 1 or (len(record) == width and record[0].strip() != filled[0]):
        return False
    words = filled[0]
    return words.startswith(_COMMENT) or (
        len(words.split()) > 1 and not is_value(words) and any(map(str.isalpha, words))
    )
