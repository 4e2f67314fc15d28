"""Files of traces: all that a trace is comes back, and what is none is refused in plain words."""

from __future__ import annotations

import datetime
import json
import struct

import numpy as np
import pandas
import pytest
import torch
from pyarrow import parquet

from memorycell import GRU, LSTM, Trace
from memorycell.layers.traces.files import TraceFile

FORMATS = ["safetensors", "parquet"]


def ragged(dtype=torch.float32, lengths=(4, 0, 2)):
    torch.manual_seed(1)
    with torch.no_grad():
        layer = LSTM(3, 5, num_layers=2, bidirectional=True, batch_first=True, proj_size=2, dtype=dtype)
        return layer.trace(torch.randn(3, 4, 3, dtype=dtype), lengths=lengths and list(lengths))


def same(found, expected):
    assert found.dims == expected.dims and list(found) == list(expected)
    for name in expected:
        assert found[name].dtype is expected[name].dtype
        assert torch.equal(found[name], expected[name]), name
    if expected.lengths is None:
        assert found.lengths is None
    else:
        assert found.lengths.dtype == torch.int64 and found.lengths.tolist() == expected.lengths.tolist()


@pytest.fixture(params=FORMATS)
def kept(request, tmp_path):
    """What comes back of a trace from a file."""

    def back(trace):
        path = tmp_path / f"t.{request.param}"
        trace.save(path, force=True)
        assert list(tmp_path.iterdir()) == [path]
        return Trace.load(path)

    return back


PARTS = {
    "a row": {"batch": 0},
    "an empty row": {"batch": 1},
    "no rows": {"batch": []},
    "no steps": {"time": []},
    "no rows and no steps": {"batch": [], "time": []},
    "no layers": {"layer": []},
    "other steps": {"time": [0, 3]},
    "a direction": {"direction": [1]},
    "a unit": {"unit": [0]},
}


@pytest.mark.parametrize("lengths", [None, (4, 0, 2)])
@pytest.mark.parametrize("part", PARTS)
def test_parts_come_back(part, lengths, kept):
    trace = ragged(lengths=lengths).named(time=list("abcd")).select(**PARTS[part])
    found = kept(trace)
    same(found, trace)
    assert found.coords == trace.coords


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("lengths", [None, (4, 0, 2)])
def test_numbers_keep_their_kind(dtype, lengths, kept):
    same(kept(ragged(dtype, lengths)), ragged(dtype, lengths))


def test_halves_are_plain_numbers_in_parquet(tmp_path):
    trace = ragged(torch.bfloat16, None)
    trace.save(tmp_path / "t.parquet")
    frame = pandas.read_parquet(tmp_path / "t.parquet")
    assert frame["cell"][0].dtype == np.float32
    np.testing.assert_array_equal(frame["cell"][1], trace["cell"][0, 0, 0, 1].float().numpy())


LABELS = {
    "mixed": ["a", 1, 2.5, None],
    "none": [None] * 4,
    "text and none": ["the", None, "cat", ""],
    "bools": [True, False, True, True],
    "numbers": np.arange(4),
    "large numbers": [2**80, 1, 2, 3],
    "half a character": ["\ud800", "b", "c", "d"],
    "numpy's own": [np.str_("a"), np.float32(0.5), np.int8(3), np.bool_(True)],
}


@pytest.mark.parametrize("case", LABELS)
def test_names_come_back(case, kept):
    found = kept(ragged().named(time=LABELS[case], batch=["x", 2, None]))
    assert list(found.coords["time"]) == list(LABELS[case]) and found.coords["batch"] == ["x", 2, None]
    assert [type(each) for each in found.coords["time"]] == [
        type(each.item() if isinstance(each, np.generic) else each) for each in LABELS[case]
    ]


DATES = {
    "timestamps": list(pandas.date_range("2024-02-27", periods=4, freq="36h")),
    "an index": pandas.date_range("2024-02-27", periods=4),
    "dates": [datetime.date(1066, 10, day) for day in (13, 14, 15, 16)],
    "datetimes": [datetime.datetime(2024, 1, 1, hour) for hour in range(4)],
    "with gaps": np.array(["2024-01-01", "NaT", "2024-01-03", "2024-01-04"], "datetime64[ns]"),
    **{unit: np.array([1, 2, 3, 500], f"datetime64[{unit}]") for unit in ("Y", "M", "h", "15m", "D", "s", "ms", "us")},
}


@pytest.mark.parametrize("case", DATES)
def test_dates_come_back(case, kept):
    found = kept(ragged().named(time=DATES[case])).coords["time"]
    expected = np.array(DATES[case], "datetime64")
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


KEPT_NOWHERE = {
    "tuples": [("a", 1), ("b", 2), ("c", 3), ("d", 4)],
    "a zone": pandas.date_range("2024-02-27", periods=4, tz="Europe/Berlin"),
    "a date among others": [datetime.date(2024, 1, 1), "b", None, 3],
    "numpy's date among others": [np.datetime64("2024-01-01", "ns"), "b", None, 3],
    "complex": [1j, 2, 3, 4],
}


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("case", KEPT_NOWHERE)
def test_names_that_no_file_keeps_are_refused(case, suffix, tmp_path):
    with pytest.raises(ValueError, match=r"names along 'time' that a file can keep .* got .*give others, trace\.named"):
        ragged().named(time=KEPT_NOWHERE[case]).save(tmp_path / f"t.{suffix}")
    assert not list(tmp_path.iterdir())


def test_traces_that_no_file_keeps_are_refused(tmp_path):
    trace = GRU(3, 2).trace(torch.zeros(4, 3))
    with pytest.raises(ValueError, match=r"expected at least one unit for Parquet.*save it as \.safetensors"):
        trace.select(unit=[]).save(tmp_path / "t.parquet")
    whole = Trace({name: value.to(torch.int32) for name, value in trace.items()}, trace.dims)
    for suffix in FORMATS:
        with pytest.raises(ValueError, match=r"expected a trace of torch\.float16, .*, got torch\.int32"):
            whole.save(tmp_path / f"t.{suffix}")
    assert not list(tmp_path.iterdir())


def test_too_large_a_file_leaves_nothing_behind(tmp_path):
    file = TraceFile(tmp_path / "t.safetensors", {"hidden": (1, 1, 1, 1 << 60, 1)}, torch.float32, ())
    with pytest.raises((OSError, OverflowError)), file:
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_that_cannot_be_made_is_called_by_its_own_name(suffix, tmp_path):
    path = tmp_path / f"{'x' * 240}.{suffix}"  # with the temporary ending the name is too long
    with pytest.raises(OSError, match=rf"cannot write the trace .*/x+\.{suffix}: File name too long"):
        ragged().save(path)


def written(header, rest=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rest


META = {"kind": "memorycell trace", "dims": '["layer", "direction", "time", "unit"]', "lengths": "null", "coords": "{}"}


def one(shape=(1, 1, 1, 2, 3), places=(0, 24), dtype="F32", size=24, **metadata):
    entry = {"dtype": dtype, "shape": list(shape), "data_offsets": list(places)}
    return written({"__metadata__": META | metadata, "hidden": entry}, bytes(size))


def two(first, second):
    entries = {
        name: {"dtype": "F32", "shape": [1, 1, 1, 2, 3], "data_offsets": places}
        for name, places in (("cell", first), ("hidden", second))
    }
    return written({"__metadata__": META} | entries, bytes(48))


GARBAGE = {
    "5": (written(5), "its header is not that of a safetensors file"),
    "text": (written("x"), "its header is not"),
    "null": (written(None), "its header is not"),
    "a list": (written([]), "its header is not"),
    "no JSON": (written(b"{"), "what it says of itself"),
    "no text": (written(b"\xff\xfe\xfd"), "what it says of itself"),
    "deep": (written(b"[" * 100_000), "what it says of itself"),
    "three bytes": (b"abc", "it has only 3 bytes"),
    "text of a user": (b"date,value\n2024-01-01,5\n", "its header would have"),
    "metadata of 5": (written({"__metadata__": 5}), "its metadata are not those of a trace"),
    "no tensors": (written({"__metadata__": META}), "it has no gate and no state"),
    "a tensor of 5": (written({"__metadata__": META, "hidden": 5}), "what it says of itself"),
    "coords of a list": (one(coords="[]"), "what it says of itself"),
    "coords of 5": (one(coords=5), "what it says of itself"),
    "coords of text": (one(coords='{"time": "ab"}'), "what it says of itself"),
    "names of text": (one(coords='{"time": {"names": "ab"}}'), "its names of places are no list"),
    "too few names": (one(coords='{"time": {"names": ["a"]}}'), "what it says of itself"),
    "no dates": (one(coords='{"time": {"dates": [1, 2], "dtype": "int64"}}'), "are no dates"),
    "dates of nothing": (one(coords='{"time": {"dates": [1, 2], "dtype": "date"}}'), "what it says of itself"),
    "deep coords": (one(coords="[" * 100_000), "what it says of itself"),
    "other dims": (one(dims='["time", "unit"]'), "its dimensions are not"),
    "dims of 5": (one(dims="5"), "what it says of itself"),
    "dims of batches": (one((1, 1, 2, 1, 3)), "its dimensions are not"),
    "lengths of text": (one(lengths='"x"'), "its lengths are not those of 1 rows"),
    "too long": (one(lengths="3"), "its lengths are not"),
    "too many lengths": (one(lengths="[1, 2]"), "its lengths are not"),
    "four dimensions": (one((1, 1, 2, 3)), "has not the shape of a gate"),
    "negative": (one((1, 1, -1, -2, 3)), "has not the shape"),
    "halves": (one((1, 1, 1, 2.0, 3)), "has not the shape"),
    "yes": (one((True, 1, 1, 2, 3)), "has not the shape"),
    "absurd": (one((1, 1, 1, 10**30, 0), (0, 0), size=0), "what it says of itself"),
    "too large": (one((1, 1, 1, 2, 10**30)), "another size than its shape"),
    "integers": (one(dtype="I32"), "numbers of another kind, I32"),
    "overlapping": (two([0, 24], [0, 24]), "overlaps another"),
    "half overlapping": (two([0, 24], [12, 36]), "overlaps another"),
    "a gap": (one(places=(8, 32), size=32), "leaves a gap"),
    "before the beginning": (one(places=(-8, 16)), "leaves a gap"),
    "beyond": (one(size=16), "goes beyond the end"),
    "more": (one(size=32), "it has 8 bytes more"),
}


@pytest.mark.parametrize("case", GARBAGE)
def test_garbage_is_refused_in_plain_words(case, tmp_path):
    content, words = GARBAGE[case]
    path = tmp_path / "t.safetensors"
    path.write_bytes(content)
    with pytest.raises(
        ValueError, match=rf"t\.safetensors holds no trace, or is damaged or truncated: .*{words}"
    ) as error:
        Trace.load(path)
    assert "\n" not in str(error.value) and error.value.__context__ is None


def test_the_right_beside_the_wrong_is_read(tmp_path):
    path = tmp_path / "t.safetensors"
    path.write_bytes(one(lengths="1", coords='{"time": {"names": ["a", "b"]}}'))
    assert Trace.load(path).lengths.item() == 1
    path.write_bytes(two([24, 48], [0, 24]))
    assert sorted(Trace.load(path)) == ["cell", "hidden"]


SIZES = '{"hidden": [1, 1, 1, 2, 2]}'
NO_PARQUET = {
    "another kind": ({"kind": "model"}, "its metadata are not"),
    "no dims": ({"dims": None}, "what it says of itself"),
    "dims of 5": ({"dims": "5"}, "what it says of itself"),
    "no JSON": ({"lengths": "["}, "what it says of itself"),
    "too long": ({"lengths": "7"}, "its lengths are not"),
    "shorter": ({"lengths": "1"}, "it has 2 rows, not the 1 steps"),
    "coords of a list": ({"coords": "[]"}, "what it says of itself"),
    "other coords": ({"coords": '{"x": {"names": []}}'}, "what it says of itself"),
    "no sizes": ({"sizes": None}, "what it says of itself"),
    "sizes of a list": ({"sizes": "[]"}, "what it says of itself"),
    "sizes of nothing": ({"sizes": "{}"}, "no gate and no state"),
    "other units": ({"sizes": SIZES.replace("2]", "3]")}, "what it says of itself"),
    "more steps": ({"sizes": SIZES.replace("2, 2]", "9, 2]")}, "it has 2 rows, not the 9 steps"),
    "another gate": ({"sizes": SIZES.replace("hidden", "cell")}, "what it says of itself"),
    "absurd": ({"sizes": SIZES.replace("2, 2]", f"{10**15}, 2]"), "lengths": "2"}, "needs more memory than there is"),
    "beyond numbers": ({"sizes": SIZES.replace("2, 2]", f"{10**30}, 2]"), "lengths": "2"}, ""),
    "another dtype": ({"dtype": "I8"}, "what it says of itself"),
}


def with_metadata(path, changes):
    table = parquet.read_table(path)
    metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()} | changes
    kept = {key: value for key, value in metadata.items() if value is not None}
    parquet.write_table(table.replace_schema_metadata(kept), path)


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "t.parquet"
    trace = GRU(3, 2).trace(torch.ones(2, 3))
    Trace({"hidden": trace["hidden"]}, trace.dims).save(path)
    return path


@pytest.mark.parametrize("case", NO_PARQUET)
def test_parquet_files_that_do_not_fit_are_refused(case, small):
    changes, words = NO_PARQUET[case]
    with_metadata(small, {})
    assert Trace.load(small).sizes["unit"] == 2
    with_metadata(small, changes)
    with pytest.raises(ValueError, match=rf"t\.parquet holds no trace, or is damaged or truncated: .*{words}"):
        Trace.load(small)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", b"date,value\n"])
def test_what_is_no_parquet_is_refused(content, tmp_path):
    path = tmp_path / "t.parquet"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"it is no Parquet file that can be read$"):
        Trace.load(path)


def test_a_truncated_parquet_file_is_refused(small):
    small.write_bytes(small.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"it is no Parquet file that can be read$"):
        Trace.load(small)
