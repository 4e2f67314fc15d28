"""read_ts: headers, ragged and multivariate sequences, and files that are not what they say."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from memorycell.data.signals.ts_files import read_ts

RAGGED = """# a comment
@problemName two channels
@timeStamps false
@missing true
@univariate false
@dimensions 2
@equalLength false
@classLabel true a b

@data
1,2,3:4,?,6:a
7.5,-8e1:NaN,0: b
"""


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("ending", ["plain", "windows", "gz", "byte order mark"])
def test_ragged_and_multivariate(ending: str, tmp_path: Path) -> None:
    raw = RAGGED.replace("\n", "\r\n").encode() if ending == "windows" else RAGGED.encode()
    raw = gzip.compress(raw) if ending == "gz" else b"\xef\xbb\xbf" + raw if ending == "byte order mark" else raw
    data = read_ts(write(tmp_path / ("a.ts.gz" if ending == "gz" else "a.ts"), raw))
    assert [x.dtype for x in data.x] == [np.float32] * 2
    np.testing.assert_array_equal(data.x[0], [[1, 4], [2, np.nan], [3, 6]])
    np.testing.assert_array_equal(data.x[1], [[7.5, np.nan], [-80, 0]])
    assert data.y.tolist() == ["a", "b"]
    assert (data.source, data.names, data.rows.tolist()) == ("two channels", ["x0", "x1"], [0, 1])


def test_numbers_as_labels_and_none(tmp_path: Path) -> None:
    data = read_ts(write(tmp_path / "a.ts", "@univariate true\n@targetLabel true\n@data\n1,2:0.5\n3:-1e2\n"))
    assert data.y.tolist() == [0.5, -100.0]
    assert [len(x) for x in data.x] == [2, 1]
    data = read_ts(write(tmp_path / "b.ts", "@classLabel false\n@data\n1,2:3,4\n"))
    assert data.y is None
    assert data.x[0].tolist() == [[1, 3], [2, 4]]


HEAD = "@univariate false\n@dimensions 2\n@equalLength true\n@classLabel true a b\n@data\n"
BAD = {
    "empty": ("", "is empty"),
    "no data line": ("@problemName x\n@classLabel true a b\n", "no line @data"),
    "no header": ("1,2,3:a\n", r"line 1: expected a header line \(@...\) or @data, got '1,2,3:a'"),
    "no sequences": (HEAD, "a header but no sequences"),
    "time stamps": ("@timeStamps true\n@data\n(0,1),(1,2):a\n", "time stamps.*not read"),
    "flag": ("@univariate maybe\n@data\n", "line 1: expected true or false after @univariate, got 'maybe'"),
    "count": ("@dimensions -3\n@data\n", "expected a whole number after @dimensions, got '-3'"),
    "too many channels": (HEAD + "1,2:3,4:5,6:a\n", "line 6: expected 2 channels .*, got 3"),
    "too few channels": (HEAD + "1,2:3,4:a\n1,2:b\n", "line 7: expected 2 channels .*, got 1"),
    "channels of other lengths": (
        HEAD + "1,2:3:a\n",
        "expected channels of equal length, got 2 steps, but 1 in channel 1",
    ),
    "other length": (HEAD + "1,2:3,4:a\n1:2:b\n", "line 7: expected 2 steps .*@equalLength true.*, got 1"),
    "text": (HEAD + "1,2:3,four:a\n", "line 6: expected numbers separated by commas, got 'four'"),
    "hole": (HEAD + "1,,2:3,4,5:a\n", "expected numbers separated by commas, got nothing"),
    "unknown class": (HEAD + "1,2:3,4:c\n", r"one of the classes of the header \(a, b\), got 'c'"),
    "no label": (HEAD + "1,2:3,4:\n", "line 6: the label is empty"),
    "cut off": (HEAD + "1,2:3,4:a\n1,2", "line 7: expected a label after the last colon, got none .*cut off"),
    "word as target": ("@targetLabel true\n@data\n1,2:high\n", "expected numbers as labels .*, got 'high'"),
    "not UTF-8": (HEAD.encode() + b"1,2:3,\xff4:a\n", r"byte 0xff at place 83 \(line 6\)"),
    "binary": (b"\x00\x01\x02", "is a binary file"),
    "damaged gzip": (gzip.compress(HEAD.encode())[:-9], "it is damaged"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_file(case: str, tmp_path: Path) -> None:
    text, message = BAD[case]
    with pytest.raises(ValueError, match=message) as caught:
        read_ts(write(tmp_path / "a.ts", text))
    assert "\n" not in str(caught.value)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file"):
        read_ts(tmp_path / "a.ts")
    with pytest.raises(ValueError, match="is a folder"):
        read_ts(tmp_path)


def test_values_that_float32_cannot_hold_are_infinite(tmp_path: Path) -> None:
    assert np.isinf(read_ts(write(tmp_path / "a.ts", "@classLabel false\n@data\n1e300,1\n")).x[0][0, 0])
