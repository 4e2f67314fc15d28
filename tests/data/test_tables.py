"""read_table: files good and bad, frames of all kinds."""

import gzip
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from memorycell.data.tables.reading import read_table

WIDE = ",".join(f"c{i}" for i in range(100_000)) + "\n" + ",".join(["1"] * 100_000) + "\n"

BAD = {
    "empty": ("a.csv", b"", "is empty"),
    "blank": ("a.csv", b"\n \n", "is empty"),
    "header only": ("a.csv", b"a,b\n", "header but no rows"),
    "binary": ("a.csv", b"a,b\n\x00\x01", "binary file"),
    "html": ("a.csv", b"<!DOCTYPE html><html></html>", "web page"),
    "json": ("a.csv", b'{"a": 1}', "JSON"),
    "spreadsheet": ("a.csv", b"PK\x03\x04rest", "spreadsheet or zip"),
    "damaged gzip": ("a.csv.gz", b"\x1f\x8bgarbage", "damaged"),
    "ragged": ("a.csv", b"a,b\n1,2\n3,4,5\n", "line 3: expected 2 fields as in the header, got 3"),
    "decimal commas": ("a.csv", b"day,temp\n1,2,5\n2,3,5\n", "decimal commas need another delimiter"),
    "repeated names": ("a.csv", b"a,b,a\n1,2,3\n", "more than one column named 'a'"),
    "many columns": ("a.csv", WIDE.encode(), "100,000 columns"),
    "cp1250": ("a.csv", "a,b\n1,x\n2,žluť\n".encode("cp1250"), "byte 0x9e in line 3.*'cp1250' .Central Europe"),
    "cp1250 far down": ("a.csv", b"a,b\n" + b"1,x\n" * 100_000 + b"2,\x9e\n", "byte 0x9e in line 100,002"),
    "two encodings": ("a.csv", "a,b\n1,é\n".encode() + b"2,\xe9\n", "byte 0xe9 in line 3; lines before it are.*UTF-8"),
    "a quote that is open": (
        "a.csv",
        b'a,b\n1,x\n2,"y\n3,z\n4,w\n',
        r'line 3: a quote \("\) is opened and never closed',
    ),
    "pickle": ("a.pkl", b"\x80\x04\x95\x00\x00", "is a pickle; expected a CSV"),
    "Stata": ("a.dta", b"<stata_dta><header>", "is a Stata file; expected a CSV"),
    "picture": ("a.png", b"\x89PNG\r\n\x1a\n\x00", "is a picture; expected a CSV"),
    "not parquet": ("a.parquet", b"PAR1junk", "not a Parquet file"),
    "empty parquet": ("a.parquet", b"", "is empty"),
}


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("case", BAD)
def test_bad_file(case: str, tmp_path: Path) -> None:
    name, content, message = BAD[case]
    began = time.perf_counter()
    with pytest.raises(ValueError, match=message):
        read_table(write(tmp_path / name, content))
    assert time.perf_counter() - began < 2


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no file .*nothing\.csv"):
        read_table(tmp_path / "nothing.csv")
    with pytest.raises(ValueError, match="is a folder"):
        read_table(str(tmp_path))


GOOD = {
    "plain": b"a,b\n1,2.5\n3,NA\n",
    "crlf without end": b"a,b\r\n1,2.5\r\n3,null",
    "byte order mark": b"\xef\xbb\xbfa,b\n1,2.5\n3,\n",
    "quotes and spaces": b'"a", b\n"1", 2.5\n3,?\n',
    "semicolon, decimal comma": b"a;b\n1;2,5\n3;\n",
    "tab": b"a\tb\n1\t2.5\n3\tNaN\n",
    "bar": b"a|b\n1|2.5\n3|N/A\n",
    "empty last column": b"a,b,\n1,2.5,\n3,,\n",
    "blank lines first": b"\n\na,b\n1,2.5\n3,\n",
    "gzip": gzip.compress(b"a,b\n1,2.5\n3,\n"),
    "two byte order marks": b"\xef\xbb\xbf\xef\xbb\xbfa,b\n1,2.5\n3,\n",
    "a byte order mark spoiled": "\u00ef\u00bb\u00bfa,b\n1,2.5\n3,\n".encode(),
    "single quotes": b"'a','b'\n'1','2.5'\n'3',''\n",
    "quotes behind spaces": b'a, b\n1, "2.5"\n3, ""\n',
    "caret": b"a^b\n1^2.5\n3^\n",
    "tilde": b"a~b\n1~2.5\n3~\n",
    "control-A": b"a\x01b\n1\x012.5\n3\x01\n",
    "utf-16": "a,b\n1,2.5\n3,\n".encode("utf-16"),
    "utf-16 without its mark": "a,b\n1,2.5\n3,\n".encode("utf-16-be"),
}


@pytest.mark.parametrize("case", GOOD)
def test_good_file(case: str, tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "a.csv", GOOD[case]))
    assert table.columns == ["a", "b"]
    np.testing.assert_array_equal(table.numbers("a"), [1, 3])
    np.testing.assert_array_equal(table.numbers("b"), [2.5, np.nan])
    said = " ".join(entry["text"] for entry in table.notes)
    assert ("decimal comma" in said) == ("comma" in case)


def test_encoding_and_options(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a,b\n1,é\n".encode("latin-1"))
    assert read_table(path, encoding="latin-1").texts("b").to_pylist() == ["é"]
    path = write(tmp_path / "b.csv", "a:b\n1:2\n")
    assert read_table(path, delimiter=":").columns == ["a", "b"]
    for said, between in {"::": "::", "\\t": "\t", "tab": "\t", "\\s+": "  ", "||": "||"}.items():
        path = write(tmp_path / "b.csv", f"a{between}b\n1{between}2\n")
        assert read_table(path, delimiter=said).data.to_pydict() == {"a": [1], "b": [2]}
    with pytest.raises(ValueError, match="delimiter of one character"):
        read_table(path, delimiter="")
    with pytest.raises(ValueError, match="unknown encoding"):
        read_table(path, encoding="klingon")


QUOTED = {  # a line of a file, and what its second field is
    "doubled": (b'1,"say ""hi"""\n', 'say "hi"'),
    "with backslashes": (rb'1,"say \"hi\", he"' + b"\n", 'say "hi", he'),
    "single": (b"1,it's\n", "it's"),
    "inches": (b'1,5" pipe\n', '5" pipe'),
    "a folder": (rb'1,"C:\new\"' + b"\n", "C:\\new\\"),
}


@pytest.mark.parametrize("case", QUOTED)
def test_quotes(case: str, tmp_path: Path) -> None:
    line, text = QUOTED[case]
    assert read_table(write(tmp_path / "a.csv", b"a,b\n" + line + b"2,x\n")).texts("b")[0].as_py() == text


def test_single_quotes_around_delimiters(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "a.csv", "'date','y','c'\n'2024-01-01','1,5','it''s'\n'2024-01-02','2','b'\n"))
    assert table.numbers("y").tolist() == [1.5, 2] and table.texts("c").to_pylist() == ["it's", "b"]
    table = read_table({"code": ["'007", "'012"], "y": ["'1.5'", "'2'"]})
    assert table.texts("code").to_pylist() == ["007", "012"] and table.numbers("y").tolist() == [1.5, 2]


def test_no_header_line(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "a.csv", "2020-01-01,1.5\n2020-01-02,2.5\n"))
    assert table.columns == ["x0", "x1"] and len(table) == 2
    assert "no header line" in table.notes[0]["text"]


def test_single_column_keeps_its_empty_lines(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "a.csv", "temp\n1\n\n3\n"))
    np.testing.assert_array_equal(table.numbers("temp"), [1, np.nan, 3])


def test_type_that_changes_far_down(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "a.csv", "t,u\n" + "1,1\n" * 50_000 + "?0.2,1.5\n"))
    assert table.numbers("u")[-1] == 1.5 and np.isnan(table.numbers("t")[-1])
    assert "'?0.2' in line 50,002" in table.notes[0]["text"]


def test_odd_values(tmp_path: Path) -> None:
    few = read_table(write(tmp_path / "a.csv", "t\n" + "1.5\n" * 50 + "x\n"))
    assert np.isnan(few.numbers("t")[-1]) and "'x' in line 52" in few.notes[0]["text"]
    many = read_table(write(tmp_path / "b.csv", "t\n" + "1.5\n1.5\nx\n" * 50))
    assert not many.is_numeric("t") and many.odd["t"][0] == 50 and not many.notes
    assert read_table({"id": ["001", "002"]}).is_text("id")


def test_series_in_rows(tmp_path: Path) -> None:
    text = '"V1","V2","V3","V4"\n"H1","1","2","3"\n"H2","4",NA,NA\n'
    table = read_table(write(tmp_path / "m4.csv", text))
    assert table.data.to_pydict() == {
        "unique_id": ["H1", "H1", "H1", "H2"],
        "ds": [1, 2, 3, 1],
        "y": [1, 2, 3, 4],
    }
    assert "is a series" in table.notes[0]["text"]


COLUMNS = {"when": pd.date_range("2024-01-01", periods=3), "a": [1.0, np.nan, 3.0], "b": ["x", "y", "x"]}


@pytest.mark.parametrize("kind", ["pandas", "polars", "lazy", "pyarrow", "dict", "index", "parquet", "csv"])
def test_frames_of_all_kinds_are_equal(kind: str, tmp_path: Path) -> None:
    frame = pd.DataFrame(COLUMNS)
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_csv(tmp_path / "a.csv", index=False)
    sources = {
        "pandas": frame,
        "polars": pl.from_pandas(frame),
        "lazy": pl.from_pandas(frame).lazy(),
        "pyarrow": pa.table(frame),
        "dict": COLUMNS,
        "index": frame.set_index("when"),
        "parquet": tmp_path / "a.parquet",
        "csv": tmp_path / "a.csv",
    }
    table = read_table(sources[kind])
    assert table.columns == ["when", "a", "b"]
    np.testing.assert_array_equal(table.numbers("a"), [1, np.nan, 3])
    assert table.texts("b").to_pylist() == ["x", "y", "x"]
    assert read_table(table) is table


def test_arrays() -> None:
    assert read_table(np.arange(3)).columns == ["y"]
    table = read_table(np.arange(6.0).reshape(3, 2))
    np.testing.assert_array_equal(table.numbers("x1"), [1, 3, 5])
    with pytest.raises(ValueError, match=r"got shape \(2, 2, 2\)"):
        read_table(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="100,000 columns"):
        read_table(np.zeros((2, 100_000)))
    with pytest.raises(ValueError, match="no rows"):
        read_table(np.zeros(0))


def test_frames_with_oddities() -> None:
    dated = pd.Series([1.0, 2.0], index=pd.period_range("2024-01", periods=2, freq="M"))
    assert read_table(dated).columns == ["date", "y"]
    assert read_table(pd.DataFrame({"a": [1, 2, 3]}).iloc[[0, 2]]).columns == ["a"]
    mixed = read_table(pd.DataFrame({"a": [*range(20), "x"]}))
    assert mixed.is_numeric("a") and np.isnan(mixed.numbers("a")[-1])
    coded = read_table(pd.DataFrame({"a": pd.Categorical(["u", "v"])}))
    assert coded.texts("a").to_pylist() == ["u", "v"]
    nested = read_table(pl.DataFrame({"a": [1, 2], "l": [[1], [2]]}))
    assert nested.columns == ["a"] and "left out" in nested.notes[0]["text"]
    with pytest.raises(ValueError, match="more than one column named 'a'"):
        read_table(pd.DataFrame(np.zeros((2, 2)), columns=["a", "a"]))
    with pytest.raises(ValueError, match="differ in length"):
        read_table({"a": [1], "b": [1, 2]})
    with pytest.raises(TypeError, match="got set"):
        read_table({1, 2})


def test_parquet_with_too_many_columns(tmp_path: Path) -> None:
    parquet.write_table(pa.table({f"c{i}": [1] for i in range(1001)}), tmp_path / "a.parquet")
    with pytest.raises(ValueError, match="1,001 columns"):
        read_table(tmp_path / "a.parquet")


def test_reading_a_file_loads_neither_pandas_nor_torch(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "date,t\n2024-01-01,1\n2024-01-02,2\n")
    code = (
        "import sys; from memorycell.data.tables.reading import read_table;"
        "from memorycell.data.tables.times.dates import find_time;"
        f"find_time(read_table({str(path)!r})); sys.exit('pandas' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_lists_of_numbers_are_arrays():
    assert read_table([1, 2.5, 3]).numbers("y").tolist() == [1, 2.5, 3]
    assert read_table([[1, 2], [3, 4]]).columns == ["x0", "x1"]
    for wrong in (["a", "b"], [[1], [2, 3]]):
        with pytest.raises(ValueError, match="expected a list of numbers"):
            read_table(wrong)


def test_a_short_line_among_line_ends_of_several_kinds_is_named(tmp_path):
    path = tmp_path / "mixed.csv"
    path.write_bytes(b"day,y\n2024-01-01,1\n2024-01-02,2\r3\n2024-01-04,4\n")
    with pytest.raises(ValueError, match=r"mixed\.csv, line 4: expected 2 fields as in the header, got 1 \('3'\)"):
        read_table(path)


def test_levels_of_column_names_become_one():
    levels = pd.MultiIndex.from_tuples([("temp", "min"), ("temp", "max"), ("wind", "mean")])
    frame = pd.DataFrame(np.arange(9.0).reshape(3, 3), pd.date_range("2024-01-01", periods=3), levels)
    assert read_table(frame).columns == ["date", "temp min", "temp max", "wind mean"]
    prices = pd.MultiIndex.from_tuples([("Close", "X"), ("High", "X")], names=["Price", "Ticker"])
    assert read_table(pd.DataFrame(np.zeros((2, 2)), columns=prices)).columns == ["Close", "High"]
