"""What tables are read from: packed files, workbooks, JSON, pipes, open files and remote paths."""

import bz2
import datetime
import gzip
import http.server
import io
import json
import lzma
import os
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather
from workbooks import workbook

from memorycell.data.labels.reading import read_labelled
from memorycell.data.samples import Source
from memorycell.data.tables import reading
from memorycell.data.tables.reading import read_table

TEXT = b"date,y\n2024-01-01,1.5\n2024-01-02,2.5\n"


def zipped(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def tarred(text: bytes) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        member = tarfile.TarInfo("data/a.csv")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    return content.getvalue()


def zstd(content: bytes) -> bytes:
    return pa.compress(content, codec="zstd", asbytes=True)


PACKED = {
    "gz": gzip.compress(TEXT),
    "zip": zipped({"a.csv": TEXT}),
    "zip with more": zipped({"a.csv": TEXT, "__MACOSX/a.csv": b"x", "folder/": b""}),
    "zip with a note": zipped({"a.csv": TEXT, "readme.txt": b"about", "._a.csv": b"x"}),
    "zip of gz": zipped({"a.csv.gz": gzip.compress(TEXT)}),
    "tar": tarred(TEXT),
    "tar.gz": gzip.compress(tarred(TEXT)),
    "lz4": pa.compress(TEXT, codec="lz4", asbytes=True),
    "lzma": lzma.compress(TEXT, format=lzma.FORMAT_ALONE),
    "bz2": bz2.compress(TEXT),
    "xz": lzma.compress(TEXT),
    "zst": zstd(TEXT),
}


@pytest.mark.parametrize("case", PACKED)
def test_packed_files(case: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv.packed"
    path.write_bytes(PACKED[case])
    table = read_table(path)
    assert table.columns == ["date", "y"] and table.numbers("y").tolist() == [1.5, 2.5]


def test_archives_of_several(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped({"a.csv": TEXT, "b.csv": TEXT.replace(b"y", b"z")}))
    with pytest.raises(ValueError, match=r"holds 2 files \('a.csv', 'b.csv'\).*choose it with sheet='a.csv'"):
        read_table(path)
    assert read_table(path, sheet="b.csv").columns == ["date", "z"]
    path.write_bytes(zipped({}))
    with pytest.raises(ValueError, match="an archive without files"):
        read_table(path)
    path.write_bytes(PACKED["zip"][:-30])
    with pytest.raises(ValueError, match="damaged"):
        read_table(path)


DAYS = [datetime.date(2024, 1, day) for day in range(1, 13)]
PLAIN = [["date", "y", "who"], *([day, i + 0.5, "007"] for i, day in enumerate(DAYS))]


def test_workbooks_keep_the_types_of_their_cells() -> None:
    table = read_table(io.BytesIO(workbook(Data=PLAIN)))
    assert pa.types.is_timestamp(table.data.schema.field("date").type)
    assert table.data.column("date")[0].as_py() == datetime.datetime(2024, 1, 1)
    assert table.numbers("y").tolist() == [i + 0.5 for i in range(12)]
    assert table.texts("who").to_pylist()[0] == "007"
    assert table.where(0) == "line 2" and not table.notes


SHEETS = {
    "a title": ([["My report"], [], *PLAIN], "'My report'"),
    "begun further right": ([[None, *row] for row in [[], *PLAIN]], ""),
    "units": ([PLAIN[0], [None, "°C", None], *PLAIN[1:]], "holds units"),
    "a total": ([*PLAIN, ["Total", 72.0, None]], "below the table"),
    "errors": ([*PLAIN[:5], [DAYS[4], "#DIV/0!", "007"], *PLAIN[6:]], ""),
}


@pytest.mark.parametrize("case", SHEETS)
def test_sheets_as_people_have_them(case: str) -> None:
    rows, words = SHEETS[case]
    table = read_table(io.BytesIO(workbook(Data=rows)))
    assert table.columns == ["date", "y", "who"] and len(table) == 12 and table.is_numeric("y")
    assert words in " ".join(entry["text"] for entry in table.notes)
    assert np.isnan(table.numbers("y")).sum() == (case == "errors")


def test_which_sheet() -> None:
    content = workbook(Empty=[], One=PLAIN, Two=[["a"], [1], [2]])
    first = read_table(io.BytesIO(content))
    assert (
        first.columns[0] == "date"
        and "3 sheets ('Empty', 'One', 'Two'): 'One' was read; sheet=" in first.notes[0]["text"]
    )
    for sheet in ("Two", 2):
        table = read_table(io.BytesIO(content), sheet=sheet)
        assert table.columns == ["a"] and table.reading == {"sheet": sheet}
    for sheet, message in {
        "Three": "has no sheet 'Three': it has 'Empty'",
        7: "expected 0 to 2",
        "Empty": "is empty",
    }.items():
        with pytest.raises(ValueError, match=message):
            read_table(io.BytesIO(content), sheet=sheet)
    with pytest.raises(ValueError, match=r"damaged|workbook"):
        read_table(io.BytesIO(content[:-40]))


def test_without_their_readers_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "python_calamine", None)
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    with pytest.raises(ModuleNotFoundError, match=r"memorycell\[excel\]"):
        read_table(io.BytesIO(workbook(Data=PLAIN)))
    with pytest.raises(ModuleNotFoundError, match=r"memorycell\[remote\]"):
        read_table("s3://bucket/a.csv")


RECORDS = [{"t": "2024-01-01", "y": 1.5}, {"t": "2024-01-02", "y": None}, {"t": "2024-01-03", "y": 3}]
JSON = {
    "records": json.dumps(RECORDS),
    "lines": "\n".join(map(json.dumps, RECORDS)),
    "columns": json.dumps({"t": [r["t"] for r in RECORDS], "y": [1.5, None, 3]}),
    "of pandas": pd.DataFrame(RECORDS).to_json(),
}


@pytest.mark.parametrize("case", JSON)
def test_json(case: str) -> None:
    table = read_table(io.StringIO(JSON[case]))
    assert table.columns == ["t", "y"]
    np.testing.assert_array_equal(table.numbers("y"), [1.5, np.nan, 3])


@pytest.mark.parametrize(
    "text", ["[1, 2]", "[]", "{}", '{"a": 1}', "[{", '{"a": [1], "b": 2}', '[{"a": [1]}]', '{"a": 1}\n{']
)
def test_json_that_is_no_table(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|no rows|lists or objects"):
        read_table(io.StringIO(text))


def test_feather(tmp_path: Path) -> None:
    feather.write_feather(pa.table({"t": [1, 2], "y": [1.5, 2.5]}), str(tmp_path / "a.feather"))
    assert read_table(tmp_path / "a.feather").numbers("y").tolist() == [1.5, 2.5]
    (tmp_path / "b.feather").write_bytes(b"ARROW1junk")
    with pytest.raises(ValueError, match="not a Feather file"):
        read_table(tmp_path / "b.feather")


def test_pipes_and_open_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(TEXT))
    writer.start()
    table = read_table(pipe)
    writer.join()
    assert table.source == "the pipe" and len(table) == 2
    (tmp_path / "a.csv").write_bytes(TEXT)
    with (tmp_path / "a.csv").open("rb") as file:
        assert read_table(file).source == "a.csv"
    with (tmp_path / "a.csv").open() as file:
        assert len(read_table(file)) == 2
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(gzip.compress(TEXT))))
    assert read_table("-").source == "standard input"


def test_remote_paths(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(TEXT)
    assert len(read_table(f"file://{tmp_path}/a.csv")) == 2
    assert len(read_table(Path(f"file://{tmp_path}/a.csv"))) == 2  # which pathlib makes file:/…
    for path, error in {"file:///no/such.csv": "no file", "nosuch://b/a.csv": "cannot be read"}.items():
        with pytest.raises((ValueError, FileNotFoundError), match=error):
            read_table(path)


def test_the_sheet_that_holds_a_table() -> None:
    days = [datetime.date(2024, 1, 1 + i) for i in range(4)]
    book = workbook(
        Info=[["About this file"], ["Source: a friend"]],
        Data=[["date", "y", "z"], *([day if i % 2 else 45292 + i, 1.5 * i, ""] for i, day in enumerate(days))],
        More=[["a", "b"], [1, 2], [3, 4]],
    )
    table = read_table(io.BytesIO(book))
    words = " ".join(entry["text"] for entry in table.notes)
    assert "3 sheets ('Info', 'Data', 'More'): 'Data' was read" in words and "No cell below 'z'" in words
    assert [str(day.as_py().date()) for day in table.data["date"]] == [str(day) for day in days]  # serial numbers, too
    assert read_table(io.BytesIO(book), sheet="Info").columns == ["About this file"]


def test_a_delimiter_that_is_not_there() -> None:
    first = read_table(io.StringIO("a;b\n1;2\n"), delimiter=";")
    with pytest.raises(ValueError, match=r"separated by commas, not by ';' as was said, .*: give delimiter=','"):
        read_table(io.StringIO("a,b\n1,2\n3,4\n"), as_read=first.reading)
    assert read_table(io.StringIO("a,b\n1,2\n3,4\n"), as_read=first.reading, delimiter=",").columns == ["a", "b"]
    assert read_table(io.StringIO("a\n1\n3\n"), delimiter=";").columns == ["a"]


DAYS = ["2024-01-01", "2024-01-02"]
HELD = {  # one table in many forms
    "records": [{"date": "2024-01-01", "y": 1.5}, {"date": "2024-01-02"}],
    "rows by name": pd.DataFrame({"date": DAYS, "y": [1.5, None]}, index=[5, 7]).to_dict(),
    "masked": {"date": DAYS, "y": np.ma.array([1.5, -9], mask=[False, True])},
    "a batch of arrow": pa.record_batch({"date": DAYS, "y": [1.5, None]}),
    "a reader of arrow": pa.table({"date": DAYS, "y": [1.5, None]}).to_reader(),
    "an index of texts": pd.DataFrame({"y": [1.5, None]}, index=DAYS),
    "an index of days": pd.DataFrame({"y": [1.5, None]}, index=[datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)]),
}


@pytest.mark.parametrize("case", HELD)
def test_tables_in_memory(case: str) -> None:
    table = read_table(HELD[case])
    assert table.columns == ["date", "y"] and str(table.data["date"][1].as_py())[:10] == "2024-01-02"
    np.testing.assert_array_equal(table.numbers("y"), [1.5, np.nan])


class Web(http.server.BaseHTTPRequestHandler):
    """Answers with a table, or that there is none."""

    def do_GET(self) -> None:
        code = {"/none.csv": 404, "/mine.csv": 403, "/broken.csv": 500}.get(self.path.partition("?")[0], 200)
        self.send_response(code)
        self.end_headers()
        self.wfile.write(gzip.compress(TEXT) if self.path.endswith(".gz") else TEXT)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def test_files_of_the_web() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        for name in ("a.csv", "a.csv.gz", "a.csv?key=secret"):
            table = read_table(f"{base}/{name}")
            assert table.numbers("y").tolist() == [1.5, 2.5] and table.source == name.partition("?")[0]
        for name, error in {"none": FileNotFoundError, "mine": PermissionError, "broken": ValueError}.items():
            with pytest.raises(error, match=f"/{name}.csv"):
                read_table(f"{base}/{name}.csv?key=1")
        server.shutdown()
    with pytest.raises(ValueError, match=r"/a.csv cannot be read: .*refused"):
        read_table(f"{base}/a.csv")
    known = Source.of(Path("https://example.org/data/a.csv?key=secret"))
    assert (known.name, known.file, known.sha256) == ("a.csv", None, None)


def test_arrays_in_memory() -> None:
    assert np.isnan(read_table(np.ma.array([1.0, 2.0], mask=[False, True])).numbers("y")[1])
    with pytest.raises(ValueError, match="'y' of the array holds complex numbers"):
        read_table(np.zeros(3, complex))
    with pytest.raises(ValueError, match=r"expected a path, got text of several lines: .* io.StringIO"):
        read_table("date,y\n2024-01-01,1\n")
    assert read_table(pd.DataFrame({"y": [1.0, 2.0]}, index=["a", "b"])).columns == ["y"]


WESTERN = (
    "Größe Genève São-Paulo Málaga Ærø 25°C 5€ 5\xa0€ L’été ¿Qué? ações ação m³ „gut“ 3–4 naïve SÃO Übergrößen".split(
        " "
    )
)
WRITTEN = {  # what is not read without being told the encoding
    "cp1250": ["Łódź", "Příbram", "žluť", "idő", "dąb"], "cp1251": ["Москва"], "koi8-r": ["Москва"],
    "cp1253": ["Αθήνα"], "cp1254": ["değer"], "cp850": ["Größe", "été"], "mac_roman": ["Größe", "été"],
    "gb18030": ["北京"], "shift_jis": ["東京都"], "cp949": ["서울"], "big5": ["台北"],
}  # fmt: skip


def test_what_is_western_is_read_unasked() -> None:
    rows = "".join(f"{i},{word}\n" for i, word in enumerate(WESTERN))
    table = read_table(io.BytesIO(f"id,name\n{rows}".encode("cp1252")))
    assert table.texts("name").to_pylist() == WESTERN


@pytest.mark.parametrize("encoding", WRITTEN)
def test_only_what_is_surely_western_is_read_unasked(encoding: str) -> None:
    for word in WRITTEN[encoding]:
        content = f"id,name\n1,{word}\n2,x\n".encode(encoding)
        with pytest.raises(ValueError, match=r"is not UTF-8 text: byte .* in line 2; .*encoding="):
            read_table(io.BytesIO(content))
        assert read_table(io.BytesIO(content), encoding=encoding).texts("name")[0].as_py() == word


JSON_FORMS = {
    "split": {"columns": ["date", "y"], "index": [0, 1], "data": [["2024-01-01", 1.5], ["2024-01-02", 2.5]]},
    "table": {"schema": {"fields": []}, "data": [{"date": "2024-01-01", "y": 1.5}, {"date": "2024-01-02", "y": 2.5}]},
    "within": {"count": 2, "results": [{"date": "2024-01-01", "y": 1.5}, {"date": "2024-01-02", "y": 2.5}]},
    "rows": [["date", "y"], ["2024-01-01", 1.5], ["2024-01-02", 2.5]],
}


@pytest.mark.parametrize("case", JSON_FORMS)
def test_forms_of_json(case: str) -> None:
    table = read_table(io.StringIO(json.dumps(JSON_FORMS[case])))
    assert table.columns == ["date", "y"] and table.numbers("y").tolist() == [1.5, 2.5]


def test_rows_of_json() -> None:
    assert read_table(io.StringIO("[[1, 2], [3, 4]]")).data.to_pydict() == {"x0": [1, 3], "x1": [2, 4]}
    with pytest.raises(ValueError, match="expected rows of 2 values, got 1 in row 1"):
        read_table(io.StringIO("[[1, 2], [3]]"))


def test_arrays_of_numpy(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(6.0).reshape(3, 2))
    assert read_table(tmp_path / "a.npy").data.to_pydict() == {"x0": [0, 2, 4], "x1": [1, 3, 5]}
    np.save(tmp_path / "b.npy", np.array([{}], object))
    with pytest.raises(ValueError, match=r"b.npy cannot be read: Object arrays"):
        read_table(tmp_path / "b.npy")


def test_encodings(tmp_path: Path) -> None:
    text = "date,größe\n2024-01-01,1.5\n2024-01-02,2.5\n"
    path = tmp_path / "a.csv"
    path.write_bytes(text.encode("cp1252"))
    found = read_table(path)
    assert found.columns == ["date", "größe"]
    assert "read as cp1252 (Windows, Western Europe), such as 'größe'" in found.notes[0]["text"]
    first = read_table(path, encoding="cp1252")
    assert first.columns == ["date", "größe"] and first.reading == {"encoding": "cp1252"}
    path.write_bytes(text.encode())
    assert read_table(path, as_read=first.reading).columns == ["date", "größe"]  # by now it is UTF-8
    assert read_table(path, encoding="cp1252").columns == ["date", "grÃ¶ÃŸe"]
    path.write_bytes(text.encode("utf-16-le"))
    assert reading.read_table(path).columns == ["date", "größe"]


def test_samples_of_a_workbook_are_counted_as_its_rows(tmp_path: Path) -> None:
    """Row 3 of the sheet is empty: the second sample stands in row 4."""
    path = tmp_path / "moods.xlsx"
    path.write_bytes(workbook(moods=[["text", "mood"], ["good tea", "007"], [], ["bad soup", "NA"]]))
    found = read_labelled(path, text="text", target="mood")
    assert found.origin is not None and found.origin.numbers.tolist() == [2, 4]
    assert found.y is not None and list(found.y) == ["007", "NA"]
