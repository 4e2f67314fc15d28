"""Where a table begins and ends in a file, and what stands above, below and between its rows."""

import io

import pytest

from memorycell.data.tables.reading import read_table

DAYS = [f"2024-01-{day:02d}" for day in range(1, 21)]
ROWS = "".join(f"{day},{i}.5,{i * 2}\n" for i, day in enumerate(DAYS))
GERMAN = "".join(f"{day[8:]}.01.2024;{i},5;{i * 2}\n" for i, day in enumerate(DAYS))

BEGINS = {  # a file; the names; words of a note
    "plain": ("date,temp,wind\n" + ROWS, ["date", "temp", "wind"], ""),
    "titles": ("Weather of the year\n\ndate,temp,wind\n" + ROWS, ["date", "temp", "wind"], "'Weather of the year'"),
    "titles with delimiters": ("A; B\nof Köln, Bonn\n\ndate,temp,wind\n" + ROWS, ["date", "temp", "wind"], "left out"),
    "as wide as the table": ("Place,Köln,x\n\ndate,temp,wind\n" + ROWS, ["date", "temp", "wind"], "Line 1"),
    "pairs": ("Ort;Köln;\nHöhe;12 m;\nDatum;a;b\n" + GERMAN, ["Datum", "a", "b"], "'Ort, Köln'"),
    "padded titles": ("Report,,\n,,\ndate,temp,wind\n" + ROWS, ["date", "temp", "wind"], "'Report'"),
    "comments": ("# by hand\n# for a, b\ndate,temp,wind\n" + ROWS, ["date", "temp", "wind"], "2 lines above"),
    "a commented header": ("# date,temp,wind\n" + ROWS, ["date", "temp", "wind"], ""),
    "comments and no header": ("# by hand\n" + ROWS, ["x0", "x1", "x2"], "no header line"),
    "comments between": ("date,temp,wind\n" + ROWS.replace(DAYS[5], "# new sensor\n" + DAYS[5]), None, "first line 7"),
    "sep=": ("sep=;\r\ndate;temp;wind\r\n" + GERMAN, ["date", "temp", "wind"], "names the delimiter"),
    "sep= of tabs": ("sep=\\t\ndate\ttemp\twind\n" + ROWS.replace(",", "\t"), None, "names the delimiter"),
    "sep= in quotes": ('"sep=;"\ndate;temp;wind\n' + GERMAN, None, "names the delimiter"),
    "a line break in a name": ('date,"temp\n[°C]",wind\n' + ROWS, ["date", "temp [°C]", "wind"], ""),
    "no header, one missing": (ROWS.replace("0.5", "NA", 1), ["x0", "x1", "x2"], "no header line"),
    "no header, one empty": (ROWS.replace("0.5", "", 1), ["x0", "x1", "x2"], "no header line"),
    "no header, German": (GERMAN, ["x0", "x1", "x2"], "no header line"),
    "no header, words": ("".join(f"{d},{'AB'[i % 2]},{i}.5\n" for i, d in enumerate(DAYS)), ["x0", "x1", "x2"], "no"),
    "years as names": ("country,1990,1991\nA,1,2\nB,3,4\n", ["country", "1990", "1991"], ""),
    "depths as names": ("date,0.5,1.5\n" + ROWS, ["date", "0.5", "1.5"], ""),
    "units": ("date,temp,wind\n,°C,m/s\n" + ROWS, ["date", "temp", "wind"], "Line 2 of the open file holds units"),
    "units in all": ("date,temp,wind\n-,[degC],[m s-1]\n" + ROWS, ["date", "temp", "wind"], "holds units"),
    "units and kinds": ("date,temp,wind\nTS,°C,m/s\n,Avg,Avg\n" + ROWS, ["date", "temp", "wind"], "Line 3"),
    "TOA5": ("TOA5,CR1000,x\nTIMESTAMP,a,b\nTS,C,%\n,Avg,Avg\n" + ROWS, ["TIMESTAMP", "a", "b"], "'TOA5, CR1000, x'"),
    "levels": (",temp,temp\n,min,max\ndate,,\n" + ROWS, ["date", "min", "max"], "Line 1"),
    "levels, one of them alike": ("Price,Close,High\nTicker,X,X\nDate,,\n" + ROWS, ["Date", "Close", "High"], ""),
    "groups of names": ("date,Temp,\n,min,max\n" + ROWS, ["date", "Temp min", "Temp max"], "part of"),
    "old Macintosh": (("date,temp,wind\n" + ROWS).replace("\n", "\r"), ["date", "temp", "wind"], ""),
    "blank lines first": ("\n \n\ndate,temp,wind\n" + ROWS, ["date", "temp", "wind"], ""),
    "a total": ("date,temp,wind\n" + ROWS + "Total,200.0,380\n", ["date", "temp", "wind"], "'Total, 200.0, 380'"),
    "a sum, German": ("Datum;a;b\n" + GERMAN + "\nSumme;;380\n", ["Datum", "a", "b"], "below the table"),
    "empty rows at the end": ("date,temp,wind\n" + ROWS + ",,\n" * 7, ["date", "temp", "wind"], "7 rows"),
    "a footnote": ("date,temp,wind\n" + ROWS + "\nSource: the office, 2024\n", ["date", "temp", "wind"], "left out"),
    "a footnote without a gap": ("date,temp,wind\n" + ROWS + "Source: the office\n", None, "'Source: the office'"),
    "the header again": ("date,temp,wind\n" + ROWS + "date,temp,wind\n", ["date", "temp", "wind"], "line 22"),
    "a comma behind each row": ("date,temp,wind\n" + ROWS.replace("\n", ",\n"), ["date", "temp", "wind"], ""),
    "names of rows, as R writes": (
        '"date","temp","wind"\n' + "".join(f'"{i}",{row}\n' for i, row in enumerate(ROWS.splitlines(), 1)),
        ["unnamed 1", "date", "temp", "wind"], "",
    ),
    "spaces": ("date temp wind\n" + ROWS.replace(",", "   "), ["date", "temp", "wind"], "separated by spaces"),
    "UTF-16": (("date\ttemp\twind\n" + ROWS.replace(",", "\t")).encode("utf-16"), None, "UTF-16"),
}  # fmt: skip


@pytest.mark.parametrize("case", BEGINS)
def test_a_table_is_found_in_its_file(case: str) -> None:
    content, names, words = BEGINS[case]
    table = read_table(io.BytesIO(content if isinstance(content, bytes) else content.encode()))
    assert table.columns == (names or ["date", "temp", "wind"])
    said = " ".join(entry["text"] for entry in table.notes)
    assert words in said
    if case == "years as names":
        return
    assert len(table) == len(DAYS)
    assert table.is_numeric(table.columns[-1])
    last = table.numbers(table.columns[-1])
    assert last[-1] in (38, 19.5) and last[1] in (2, 1.5)


def test_lines_are_counted_as_the_file_counts_them() -> None:
    rows = ROWS.replace(DAYS[3], f"# a\n# b\n{DAYS[3]}")
    table = read_table(io.StringIO("My title\n\ndate,temp,wind\n" + rows))
    assert [table.where(row) for row in (0, 2, 3, 19)] == ["line 4", "line 6", "line 9", "line 25"]


REFUSED = {
    "a name too few": ("day,temp\n1,2,5\n2,3,5\n", "expected 2 fields as in the header, got 3"),
    "cut short": ("date,temp,wind\n" + ROWS + "2024-02-0", "line 22: expected 3 fields"),
    "cut short in a number": ("date,temp,wind\n" + ROWS + "2024-02-01,3", "line 22: expected 3 fields"),
    "titles and no names": ("My weather\n" + ROWS, "expected 1 fields as in the header, got 3"),
    "names twice": ("date,y,y\n" + ROWS, "more than one column named 'y'"),
    "nothing but empty rows": ("date,temp,wind\n,,\n,,\n", "only empty rows"),
    "too many skipped": ("date,temp\n", "has 1 lines: expected skip_rows to leave some"),
    "a PDF": ("%PDF-1.7\n", "PDF"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_decided_is_refused(case: str) -> None:
    content, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        read_table(io.StringIO(content), skip_rows=1 if "skipped" in case else None)


def test_skip_rows_and_header_are_obeyed() -> None:
    table = read_table(io.StringIO("junk,junk,junk\nx,y,z\n" + ROWS), skip_rows=2)
    assert table.columns == ["x0", "x1", "x2"] and len(table) == 20
    assert read_table(io.StringIO(ROWS), header=True).columns == ["2024-01-01", "0.5", "0"]
    named = read_table(io.StringIO("2020,2021\n1,2\n"), header=False)
    assert named.columns == ["x0", "x1"] and named.reading == {"header": False}
    with pytest.raises(ValueError, match="expected skip_rows of 0 or more"):
        read_table(io.StringIO(ROWS), skip_rows=-1)


def test_texts_are_no_titles_and_no_footnotes() -> None:
    rows = 'text,label\n"so good, a\nfilm",1\nbad,0\n"Source: me",1\n"Total",0\n'
    table = read_table(io.StringIO(rows), samples=True)
    assert table.texts("text").to_pylist() == ["so good, a\nfilm", "bad", "Source: me", "Total"]
    sums = read_table(io.StringIO("item,n\napples,1\npears,2\nTotal,3\n"))
    assert len(sums) == 3  # where rows have words, so may the last
