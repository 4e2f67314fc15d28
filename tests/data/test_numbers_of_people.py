"""Numbers as people write them: read over whole columns, said, and never made of what is none."""

import io

import numpy as np
import pandas as pd
import pytest

from memorycell.data.tables.reading import read_table
from memorycell.data.tables.table import Table

ISO = [f"2024-01-{day:02d}" for day in range(1, 29)]
GERMAN = [f"{day:02d}.01.2024" for day in range(1, 29)]


def table_of(cells: list[str], dates: list[str] = ISO, mark: str = ",", **how) -> Table:
    """A file with these cells in column y, again and again."""
    rows = (f'{day}{mark}"{cells[i % len(cells)]}"\n' for i, day in enumerate(dates))
    return read_table(io.StringIO(f"date{mark}y\n{''.join(rows)}"), **how)


def said(table: Table) -> str:
    return " ".join(entry["text"] for entry in table.notes)


NUMBERS = {  # what is written, in what file; as what it is read, and a word of the note
    "points between thousands": (["985", "1.004", "12.500"], GERMAN, ";", [985, 1004, 12500], "thousands"),
    "the same in a file of commas": (["985", "1.004", "990"], ISO, ",", [985, 1004, 990], "decimal='.'"),
    "twice": (["1.234.567", "5"], ISO, ",", [1234567, 5], "thousands"),
    "commas": (["3,104", "985", "12,001"], ISO, ",", [3104, 985, 12001], "thousands"),
    "both marks": (["2.081,66", "3,5", "12"], GERMAN, ";", [2081.66, 3.5, 12], "thousands with a point"),
    "both marks, English": (["2,081.66", "3.5", "12"], ISO, ",", [2081.66, 3.5, 12], "thousands with a comma"),
    "India": (["12,34,567", "1,000"], ISO, ",", [1234567, 1000], "thousands"),
    "spaces": (["1 234,5", "3,25"], GERMAN, ";", [1234.5, 3.25], "thousands with a space"),
    "no-break spaces": (["1\u00a0234", "950"], GERMAN, ";", [1234, 950], "thousands with a space"),
    "narrow no-break spaces": (["1\u202f234,5", "3"], GERMAN, ";", [1234.5, 3], "thousands with a space"),
    "Switzerland": (["1'234.50", "3.00"], GERMAN, ";", [1234.5, 3], "thousands with an apostrophe"),
    "Switzerland, typographic": (["1\u2019234.50", "3.00"], GERMAN, ";", [1234.5, 3], "thousands"),
    "decimal commas alone": (["1,5", "2,25"], ISO, ",", [1.5, 2.25], "decimal comma"),
    "euros": (["1.200,50 €", "3,00 €"], GERMAN, ";", [1200.5, 3], "amounts in €"),
    "dollars": (["$1,200.50", "-$3"], ISO, ",", [1200.5, -3], "amounts in $"),
    "pounds": (["£5", "£7.25"], ISO, ",", [5, 7.25], "amounts in £"),
    "francs": (["CHF 1'200.00", "CHF 3.50"], ISO, ",", [1200, 3.5], "amounts in CHF"),
    "percent": (["12,5 %", "3 %"], GERMAN, ";", [12.5, 3], "as written, 12 % is 12"),
    "percent, English": (["12.5%", "3%"], ISO, ",", [12.5, 3], "as written"),
    "brackets": (["(3.5)", "4"], ISO, ",", [-3.5, 4], "with brackets are negative"),
    "brackets around money": (["($1,200)", "$7"], ISO, ",", [-1200, 7], "with brackets are negative"),
    "a minus behind": (["3.50-", "4.00"], ISO, ",", [-3.5, 4], "a minus behind them"),
    "the minus of books": (["\u22123.5", "4"], ISO, ",", [-3.5, 4], ""),
    "powers": (["1,5e3", "2,5"], GERMAN, ";", [1500, 2.5], "decimal comma"),
    "formulas": (['=""3.5""', '=""4""'], ISO, ",", [3.5, 4], ""),
    "plain": (["1.5", "-2", ".5", "1e3"], ISO, ",", [1.5, -2, 0.5, 1000], ""),
    "three decimals": (["0.985", "1.004", "12.500"], ISO, ",", [0.985, 1.004, 12.5], ""),
    "three decimals or none": (["2", "1.004", "3", "2.125"], ISO, ",", [2, 1.004, 3, 2.125], "thousands='.'"),
    "no cents": (["1.200,-", "900,-"], GERMAN, ";", [1200, 900], "thousands"),
    "no cents, with a currency": (["12,- €", "9,50 €"], GERMAN, ";", [12, 9.5], "'€'"),
    "more currencies": (["Rs. 1,200.50", "Rs. 900.00"], ISO, ",", [1200.5, 900], "amounts in Rs."),
    "units": (["12 kg", "13.5 kg"], ISO, ",", [12, 13.5], "holds numbers in kg: read without it"),
    "units without a space": (["25°C", "-3.5°C"], ISO, ",", [25, -3.5], "holds numbers in °C"),
    "units of units": (["3,5 µg/m3", "4 µg/m3"], GERMAN, ";", [3.5, 4], "µg/m3"),
    "units with thousands": (["1.004 kWh", "985 kWh"], GERMAN, ";", [1004, 985], "in kWh"),
    "units behind some": (["12 kg", "13", "14.5 kg."], ISO, ",", [12, 13, 14.5], "'kg', 'kg.' stand behind 19 of 28"),
    "one or many": (["1 day", "2 days"], ISO, ",", [1, 2], "in day"),
    "magnitudes": (["1.2K", "3M", "500"], ISO, ",", [1200, 3e6, 500], "K, M behind a number are magnitudes"),
    "a magnitude": (["-1.25B", "2B"], ISO, ",", [-1.25e9, 2e9], "is its magnitude: '-1.25B'"),
    "magnitudes of words": (["1,5 Mio. €", "2 Mrd. €"], GERMAN, ";", [1.5e6, 2e9], "Mio., Mrd."),
    "bounds": (["<0.5", "0.7", "> 100"], ISO, ",", [0.5, 0.7, 100], "na_values='<0.5'"),
    "about": (["~12", "13"], ISO, ",", [12, 13], "approximate"),
    "footnotes": (["12*", "13", "14", "15 [1]", "16"], ISO, ",", [12, 13, 14, 15, 16], "'*', '[1]' stand behind 11"),
    "flags of offices": (
        ["12.5 p", "13", "14", "15", "16 e"],
        ISO,
        ",",
        [12.5, 13, 14, 15, 16],
        "'p', 'e' stand behind",
    ),
    "powers of Fortran": (["1.5D-03", "2.5D+01"], ISO, ",", [0.0015, 25], ""),
    "digits of Arabic": (["١٢٫٥", "١٣"], ISO, ",", [12.5, 13], ""),
    "wide digits": (["１２．５", "１３"], ISO, ",", [12.5, 13], ""),
    "infinite": (["inf", "-Infinity", "3.5", "4", "5"], ISO, ",", [np.inf, -np.inf, 3.5, 4, 5], ""),
    "above a thousand without marks": (["1234.567", "1.004"], ISO, ",", [1234.567, 1.004], ""),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_numbers_are_read_and_said(case: str) -> None:
    cells, dates, mark, numbers, words = NUMBERS[case]
    table = table_of(cells, dates, mark)
    read = [numbers[i % len(numbers)] for i in range(len(dates))]
    np.testing.assert_allclose(table.numbers("y"), read, rtol=1e-15)
    assert words in said(table)
    assert words or "'y'" not in said(table)
    frame = read_table({"y": [cells[i % len(cells)].replace('""', '"') for i in range(28)]})
    if case not in ("powers", "points between thousands", "the same in a file of commas"):
        np.testing.assert_allclose(frame.numbers("y"), read, rtol=1e-15)


TEXTS = {
    "telephone": ["555 123 4500", "555 123 4501"],
    "telephone, in threes": ["555 123 450", "555 123 451"],
    "telephone, abroad": ["+491701234567", "+491701234568"],
    "versions": ["1.2.0", "1.2.1"],
    "addresses": ["192.168.1.1", "192.168.1.20"],
    "ranges": ["10-20", "20-30"],
    "fractions": ["1/2", "3/4"],
    "leading zeros": ["007", "042"],
    "leading zeros, spaced": ["012 345", "100 456"],
    "long": ["12345678901234567890", "12345678901234567891"],
    "grades": ["1-", "2", "2-", "3"],
    "two units": ["12 kg", "13 g"],
    "bounds alone": ["<5", ">65"],
    "ordinals": ["1st", "2nd", "3rd", "1st"],
    "ordinals of one kind": ["5th", "6th"],
    "credit and debit": ["100 CR", "50 DR"],
    "sizes": ["10 x 20", "12 x 30"],
    "clocks": ["9 am", "10 am"],
    "two currencies": ["5 €", "6 $"],
    "list items": ["(1)", "(2)"],
    "codes": ["A1", "B2"],
}


@pytest.mark.parametrize("case", TEXTS)
def test_what_is_no_number_stays_as_it_is_written(case: str) -> None:
    cells = TEXTS[case]
    for table in (table_of(cells), read_table({"y": [cells[i % len(cells)] for i in range(28)]})):
        assert table.is_text("y")
        assert table.texts("y").to_pylist()[: len(cells)] == cells


@pytest.mark.parametrize("word", ["unavailable", "(null)", "\\N", "No data", "n.d.", "M", "1.#IND", "####"])
def test_words_for_none_among_numbers(word: str) -> None:
    table = table_of([word, "20.5", "21.5"])
    assert np.isnan(table.numbers("y")[0]) and table.numbers("y")[1] == 20.5
    assert f"10 values stand for a missing one ({word!r}; first in line 2)" in said(table)
    assert table_of([word, "on", "off"]).texts("y")[0].as_py() == word


def test_several_units_are_named() -> None:
    assert "holds several units ('kg', 'g'): read as text" in said(table_of(["12 kg", "13.5 g"]))


def test_the_unit_is_remembered() -> None:
    first = table_of(["12 kg", "13.5 kg"])
    assert first.reading == {"marks": {"y": [".", "", "kg"]}}
    assert table_of(["12", "13.5"], as_read=first.reading).numbers("y")[1] == 13.5
    with pytest.raises(ValueError, match="'12 g' is in 'g', and the model was fitted with this column in 'kg'"):
        table_of(["12 g", "13.5 g"], as_read=first.reading)
    money = table_of(["$3.50", "$4"]).reading
    assert table_of(["5 USD", "6 USD"], as_read=money).numbers("y")[0] == 5
    with pytest.raises(ValueError, match="is in '€', and the model was fitted with this column in '\\$'"):
        table_of(["5 €", "6 €"], as_read=money)


def test_one_way_of_writing_a_column() -> None:
    table = table_of(
        ["1.5", "2.25", "3.75", "4.5", "5.25", "6.5", "7.5", "8.5", "9.5", "1,5", "2.5", "3.5", "4.25", "9.25"]
    )
    assert np.isnan(table.numbers("y")[9]) and table.numbers("y")[0] == 1.5
    assert "2 values of 28 are not a number ('1,5' in line 11" in said(table)


@pytest.mark.parametrize(
    ("how", "number"), [({}, 1.2), ({"thousands": "."}, 1200), ({"decimal": "."}, 1.2), ({"decimal": ","}, 1200)]
)
def test_where_both_are_possible_one_is_taken_and_said(how: dict, number: float) -> None:
    cells = ["1.200", "2.345"]
    table = table_of(cells, **how)
    assert table.numbers("y")[0] == number
    assert ("thousands='.'" in said(table)) == (not how)
    german = table_of(cells, GERMAN, ";")
    assert german.numbers("y")[0] == 1200 and "decimal='.'" in said(german)
    other = "date;x;y\n" + "".join(f"{day};1,5;1.{200 + i}\n" for i, day in enumerate(GERMAN))
    assert read_table(io.StringIO(other)).numbers("y")[0] == 1200  # x says what a comma is
    table = read_table(io.StringIO(other + "31.01.2024;2,5;1201\n"))  # also beside a number without a mark
    assert table.numbers("y")[[0, -1]].tolist() == [1200, 1201] and "decimal='.'" in said(table)


@pytest.mark.parametrize("how", [{"decimal": "x"}, {"thousands": "x"}, {"decimal": ",", "thousands": ","}])
def test_marks_that_cannot_be(how: dict) -> None:
    with pytest.raises(ValueError, match=r"expected (decimal|thousands)"):
        table_of(["1"], **how)


def test_marks_between_thousands_that_come_late() -> None:
    rows = "".join(f"{100 + i % 800}\n" for i in range(70_000)) + "1.004\n998\n"
    table = read_table(io.StringIO(f"y\n{rows}"))
    assert table.numbers("y")[-2:].tolist() == [1004, 998] and "thousands" in said(table)


def test_what_stands_for_missing_is_said() -> None:
    table = table_of(["#DIV/0!", "1.5", "#N/A", "-", "2.5", "n/a", "#REF!", "#VALUE!"])
    assert np.isnan(table.numbers("y")).sum() == 21 and table.is_numeric("y")
    assert "21 values stand for a missing one ('#DIV/0!', '#N/A', '-', 'n/a', …; first in line 2)" in said(table)
    silent = table_of(["NA", "1.5", "", "null"])
    assert np.isnan(silent.numbers("y")).sum() == 21 and not silent.notes


SENTINELS = {
    "-999": (["3.5", "4.5", "-999"], True),
    "-9999": (["3", "4", "-9999", "5"], True),
    "9999": (["3.5", "4.5", "9999"], True),
    "-99.9": (["1.5", "1.25", "-99.9"], True),
    "1e20": (["3.5", "4.5", "1e20"], True),
    "32767": (["3", "4", "32767"], True),
    "near others": (["-999", "-998", "-500"], False),
    "of a wide range": (["999", "10", "500"], False),
    "no custom": (["3.5", "4.5", "-777"], False),
}


@pytest.mark.parametrize("case", SENTINELS)
def test_far_off_values_that_repeat_are_named_and_kept(case: str) -> None:
    cells, named = SENTINELS[case]
    table = table_of(cells)
    assert ("na_values=" in said(table)) == named
    assert not np.isnan(table.numbers("y")).any()
    once = read_table({"y": [*np.linspace(1, 2, 30), float(cells[-1])]})
    assert "na_values=" not in said(once)


def test_na_values() -> None:
    table = table_of(["3.5", "-999.0", "4", "missing"], na_values=["missing", -999])
    assert np.isnan(table.numbers("y")).sum() == 14 and not table.notes
    assert table.reading == {"na_values": ["missing", -999]}
    frame = pd.DataFrame({"a": [1, -999, 3], "b": ["x", "none", "y"], "c": np.float32([1.5, -999, 2])})
    read = read_table(frame, na_values=[-999, "none"])
    assert np.isnan(read.numbers("a")).tolist() == [False, True, False] == np.isnan(read.numbers("c")).tolist()
    assert read.texts("b").to_pylist() == ["x", None, "y"]
    with pytest.raises(ValueError, match="expected na_values as texts or numbers"):
        read_table(frame, na_values=[None])


@pytest.mark.parametrize("far", [0, 90_000])
@pytest.mark.parametrize("first", [True, False])
def test_leading_zeros_anywhere_make_names(far: int, first: bool) -> None:
    codes = [*(f"{10_000 + i}" for i in range(far)), "00700", "04200"]
    rows = (f"{code},{i}\n" if first else f"{i},{code}\n" for i, code in enumerate(codes))
    table = read_table(io.StringIO(("code,y\n" if first else "y,code\n") + "".join(rows)))
    assert table.texts("code").to_pylist()[-2:] == ["00700", "04200"] and table.is_numeric("y")


def test_names_keep_their_text() -> None:
    rows = "station,y\n" + "1.10,1\n1.1,2\n1e5,3\nNA,4\n"
    assert read_table(io.StringIO(rows), text=["station"]).texts("station").to_pylist() == ["1.10", "1.1", "1e5", "NA"]
    whole = read_table(io.StringIO("station,y\n7,1\n42,2\n"), text=["station"])
    assert whole.numbers("station").tolist() == [7, 42]
    words = read_table(io.StringIO("land,y\n" + "NA,1\nFR,2\nnone,3\nnull,4\n,5\n"))
    assert words.texts("land").to_pylist() == ["NA", "FR", "none", "null", None]


def test_what_was_read_is_remembered() -> None:
    first = table_of(["985", "1.004", "990"], na_values="x")
    assert first.reading == {"na_values": ["x"], "marks": {"y": [",", "."]}}
    again = table_of(["1.200", "1.234"], as_read=first.reading)
    assert again.numbers("y")[:2].tolist() == [1200, 1234]
    plain = table_of(["985", "990"], as_read=first.reading)
    assert plain.numbers("y")[:2].tolist() == [985, 990] and plain.is_numeric("y")
    with pytest.raises(ValueError, match=r"'y' of .*line 2: '1.5' is no number as this column was written .*decimal="):
        table_of(["1.5", "2.5"], as_read=first.reading)
    assert table_of(["1.5", "2.5"], as_read=first.reading, decimal=".").numbers("y")[0] == 1.5
