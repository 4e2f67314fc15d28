"""Traces: parts of them by name, files of them, and long ones chunk by chunk."""

from __future__ import annotations

import datetime
import json
import struct
import warnings

import numpy as np
import pandas
import pytest
import torch
from safetensors.torch import load_file

from memorycell import GRU, LSTM, RNN, Trace
from memorycell.insight.states import States

VARIANTS = {
    "LSTM": lambda: LSTM(3, 5, batch_first=True),
    "time first": lambda: LSTM(3, 5),
    "stacked, both ways": lambda: LSTM(3, 5, num_layers=2, bidirectional=True, batch_first=True),
    "projected": lambda: LSTM(3, 5, num_layers=2, proj_size=2, bidirectional=True),
    "peephole, norm, zoneout": lambda: LSTM(3, 5, peephole=True, layer_norm=True, zoneout=(0.3, 0.1)),
    "coupled": lambda: LSTM(3, 5, coupled=True, bidirectional=True),
    "GRU": lambda: GRU(3, 5, num_layers=2, bidirectional=True, batch_first=True),
    "reset before": lambda: GRU(3, 5, reset_after=False, bias=False),
    "RNN": lambda: RNN(3, 5, num_layers=3, nonlinearity="relu", bidirectional=True),
    "reference": lambda: LSTM(3, 5, bidirectional=True, backend="reference"),
    "float64": lambda: GRU(3, 5, bidirectional=True, dtype=torch.float64),
}


def problem(layer, steps=23, batch=4):
    torch.manual_seed(3)
    shape = (batch, steps, 3) if layer.batch_first else (steps, batch, 3)
    dtype = layer.weights()[0].w_ih.dtype
    state = tuple(torch.randn(layer.cells, batch, width, dtype=dtype) for width in layer.state_widths())
    return torch.randn(shape, dtype=dtype), state if layer.mode == "LSTM" else state[0]


def equal(found, expected, **options):
    assert list(found) == list(expected)
    assert found.dims == expected.dims
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], **options)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("lengths", [None, [23, 0, 7, 12]])
def test_a_trace_in_chunks_is_the_trace_in_one(variant, lengths, tmp_path):
    layer = VARIANTS[variant]().eval()
    x, state = problem(layer)
    with torch.no_grad():
        whole = layer.trace(x, state, lengths)
        chunked = layer.trace(x, state, lengths, path=tmp_path / "t.safetensors", chunk=5)
    equal(chunked, whole, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(chunked.state, whole.state, rtol=1e-6, atol=1e-6)
    assert (chunked.lengths is None) == (whole.lengths is None)
    stored = load_file(tmp_path / "t.safetensors")  # the file is one of safetensors' own
    torch.testing.assert_close(stored["hidden"], whole["hidden"], rtol=1e-6, atol=1e-6)


def test_token_ids_and_one_sequence_are_traced_in_chunks_too(tmp_path):
    layer, vocabulary = LSTM(3, 5, bidirectional=True).eval(), torch.nn.Embedding(9, 3)
    ids = torch.randint(9, (17,))
    with torch.no_grad():
        equal(
            layer.trace(ids, embedding=vocabulary, path=tmp_path / "ids.safetensors", chunk=4),
            layer.trace(ids, embedding=vocabulary),
        )


def test_rows_without_steps_and_padding_that_is_no_id_go_to_files(tmp_path):
    layer, vocabulary = LSTM(3, 5, bidirectional=True, batch_first=True).eval(), torch.nn.Embedding(9, 3)
    with torch.no_grad():
        for number, (x, lengths) in enumerate(
            [(torch.zeros(2, 0, 3), [0, 0]), (torch.zeros(2, 0, dtype=torch.int64), [0, 0])]
        ):
            table = vocabulary if number else None
            equal(
                layer.trace(x, lengths=lengths, embedding=table, path=tmp_path / f"{number}.safetensors"),
                layer.trace(x, lengths=lengths, embedding=table),
            )
        ids = torch.tensor([[-1, -1, -1], [4, 5, -1]])
        equal(
            layer.trace(ids, lengths=[0, 2], embedding=vocabulary, path=tmp_path / "ids.safetensors", chunk=2),
            layer.trace(ids, lengths=[0, 2], embedding=vocabulary),
        )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_goes_to_files_as_it_is(dtype, tmp_path):
    layer = GRU(3, 5, num_layers=2, bidirectional=True, dtype=dtype).eval()
    x = torch.randn(7, 2, 3, dtype=dtype)
    with torch.no_grad():
        chunked = layer.trace(x, path=tmp_path / "t.safetensors", chunk=3)
        equal(chunked, layer.trace(x), rtol=1e-2, atol=1e-2)
    assert chunked["hidden"].dtype is dtype
    assert load_file(tmp_path / "t.safetensors")["hidden"].dtype is dtype


def test_a_part_of_a_layer_has_its_very_parameters():
    layer = LSTM(3, 5, num_layers=2, bidirectional=True, peephole=True)
    part = layer.part(1, 1)
    assert part.weight_ih_l0 is layer.weight_ih_l1_reverse and part.weight_ch_l0 is layer.weight_ch_l1_reverse
    assert part.num_layers == 1 and not part.bidirectional and part.input_size == 10


@pytest.mark.parametrize("suffix", ["safetensors", "parquet"])
@pytest.mark.parametrize("lengths", [None, [6, 0, 4]])
@pytest.mark.parametrize("unbatched", [False, True])
def test_what_is_saved_is_loaded(suffix, lengths, unbatched, tmp_path):
    layer = LSTM(3, 5, bidirectional=True, batch_first=True)
    x = torch.randn(6, 3) if unbatched else torch.randn(3, 6, 3)
    with torch.no_grad():
        trace = layer.trace(x, lengths=None if unbatched else lengths)
    dates = np.datetime64("2024-01-31", "D") + np.arange(6)
    trace = trace.named(time=dates)
    path = tmp_path / f"trace.{suffix}"
    trace.save(path)
    found = Trace.load(path)
    equal(found, trace, rtol=0, atol=0)
    assert (found.coords["time"] == dates).all() and found.coords["time"].dtype.kind == "M"
    assert (None if found.lengths is None else found.lengths.tolist()) == (None if unbatched else lengths)
    with pytest.raises(FileExistsError, match="force=True"):
        trace.save(path)
    trace.named(time=list("abcdef")).save(path, force=True)
    assert Trace.load(path).coords["time"] == list("abcdef")


def test_a_parquet_file_has_a_row_for_each_step(tmp_path):
    import pandas

    layer = GRU(3, 5, batch_first=True)
    with torch.no_grad():
        trace = layer.trace(torch.randn(2, 4, 3), lengths=[4, 3]).named(time=["the", "cat", "sat", "down"])
    trace.save(tmp_path / "t.parquet")
    frame = pandas.read_parquet(tmp_path / "t.parquet")
    assert frame["time"].tolist() == ["the", "cat", "sat", "down", "the", "cat", "sat"]
    np.testing.assert_array_equal(frame["update"][5], trace["update"][0, 0, 1, 1].numpy())


def test_parts_are_taken_by_the_names_of_dimensions():
    layer = LSTM(3, 5, num_layers=2, batch_first=True)
    trace = layer.trace(torch.randn(3, 6, 3), lengths=[6, 2, 5])
    part = trace.select(layer=-1, batch=[0, 2], time=slice(1, 4), unit=slice(0, 2))
    assert part.dims == ("direction", "batch", "time", "unit")
    torch.testing.assert_close(part["cell"], trace["cell"][-1][:, [0, 2], 1:4, :2])
    assert part.lengths.tolist() == [3, 3]
    assert trace.select(time=slice(1, 4)).lengths.tolist() == [3, 1, 3]
    assert trace.select(batch=1).lengths.item() == 2
    assert trace.select(time=slice(-2, None)).lengths.tolist() == [2, 0, 1]
    assert trace.select(time=[0, 3]).lengths.tolist() == [2, 1, 2]


def test_steps_are_taken_by_their_dates():
    days = np.datetime64("2024-02-27", "D") + np.arange(6)
    trace = RNN(3, 2).trace(torch.randn(6, 3)).named(time=days)
    leap = trace.select(time="2024-02-29")
    torch.testing.assert_close(leap["hidden"], trace["hidden"][:, :, 2])
    assert trace.select(time=slice("2024-02-28", "2024-03-01")).sizes["time"] == 3
    assert trace.select(time=slice("2024-03-01", None)).coords["time"][0] == np.datetime64("2024-03-01")
    assert trace.select(time=slice("2025-01-01", None)).sizes["time"] == 0
    assert trace.select(time=slice(None, "2023-01-01")).sizes["time"] == 0


DAYS = np.datetime64("2024-02-27", "D") + np.arange(6)
CHOSEN = {
    "a mask": (np.array([True, False, True, False, False, True]), [0, 2, 5]),
    "a list of bools": ([False, True] + [False] * 4, [1]),
    "a mask of torch": (torch.arange(6) > 3, [4, 5]),
    "nothing": ([False] * 6, []),
    "numbers": (torch.tensor([1, -1]), [1, 5]),
    "a range": (range(0, 6, 4), [0, 4]),
    "a name among them": (["2024-02-28", 3], [1, 3]),
    "a date": (datetime.date(2024, 2, 29), 2),
    "a moment": (datetime.datetime(2024, 2, 29), 2),
    "pandas": (pandas.Timestamp("2024-02-29"), 2),
    "dates": ([datetime.date(2024, 2, 27), np.datetime64("2024-03-03")], [0, 5]),
    "an index": (pandas.date_range("2024-02-28", periods=2), [1, 2]),
    "every other": (slice("2024-02-28", "2024-03-02", 2), [1, 3]),
    "from a name to a number": (slice("2024-02-28", 4), [1, 2, 3]),
    "far away": (slice("1066-10-14", "9999-12-31", 5), [0, 5]),
}
LABELS = {
    "days": DAYS,
    "nanoseconds": DAYS.astype("datetime64[ns]"),
    "an index": pandas.DatetimeIndex(DAYS),
    "datetimes": [pandas.Timestamp(day).to_pydatetime() for day in DAYS],
    "timestamps": [pandas.Timestamp(day) for day in DAYS],
}


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("case", CHOSEN)
def test_steps_are_chosen_in_many_ways(case, labels):
    asked, expected = CHOSEN[case]
    trace = GRU(3, 2).trace(torch.randn(6, 3)).named(time=LABELS[labels])
    found = trace.select(time=asked)
    torch.testing.assert_close(found["hidden"], trace["hidden"][:, :, expected])
    named = [np.datetime64(label) for label in found.coords.get("time", [])]
    assert named == ([] if isinstance(expected, int) else [DAYS[i] for i in expected])


def test_slices_between_names_have_steps_and_lists_have_names():
    assert TRACE.select(time=slice("a", "d", 2)).coords["time"] == ["a", "c"]
    assert TRACE.select(time=["d", "a"]).coords["time"] == ["d", "a"]
    torch.testing.assert_close(TRACE.select(time=("d", "a"))["cell"], TRACE["cell"][:, :, [3, 0]])
    assert TRACE.select(time=slice("b", None)).coords["time"] == ["b", "c", "d"]
    assert TRACE.named(time=["a", None, ("b",), 3]).select(time="a").dims == ("layer", "direction", "unit")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([0, 3], [2, 0, 1]),
        ([0, -1], [2, 0, 1]),
        ([2, 2, 4], [3, 0, 2]),
        ([], [0, 0, 0]),
        (np.array([False, True, True, False, True, True]), [4, 0, 2]),
        (slice(None, None, 2), [3, 0, 2]),
        (slice(1, None, 3), [2, 0, 1]),
        (slice(4, 1), [0, 0, 0]),
    ],
)
def test_lengths_count_the_chosen_steps(asked, expected):
    trace = LSTM(3, 2, batch_first=True).trace(torch.randn(3, 6, 3), lengths=[6, 0, 3])
    found = trace.select(time=asked)
    assert found.lengths.tolist() == expected and found.lengths.dtype == torch.int64
    inside = torch.arange(found.sizes["time"]) < found.lengths.unsqueeze(1)
    assert bool((found["hidden"][0, 0][inside] != 0).all()) and not bool(found["hidden"][0, 0][~inside].any())
    alone = trace.select(batch=2, time=asked)
    assert alone.lengths.item() == expected[2]
    assert trace.select(time=3).lengths is None  # no time is left


def test_what_is_counted_of_ragged_rows_is_no_padding():
    trace = LSTM(3, 2, batch_first=True).trace(torch.randn(3, 6, 3), lengths=[6, 0, 3])
    assert len(States.of(trace.select(time=slice(None, None, 2)))) == 3 + 0 + 2
    with pytest.raises(ValueError, match="expected rising places along 'time' of a trace whose rows have lengths"):
        trace.select(time=[3, 0])


TRACE = LSTM(3, 2).trace(torch.zeros(4, 3)).named(time=list("abcd"))


def to_file(x=None, path="t.safetensors", **options):
    return LSTM(3, 2).trace(torch.zeros(4, 3) if x is None else x, path=path, **options)


DATED = TRACE.named(time=np.datetime64("2024-02-27", "D") + np.arange(4))
WRONG = {
    "no such dimension": (lambda: TRACE.select(batch=0), ValueError, "expected a dimension of this trace"),
    "beyond the end": (lambda: TRACE.select(time=4), IndexError, "from 0 to 3, got 4"),
    "no such name": (lambda: TRACE.select(time="e"), ValueError, "expected one of a, b, c, d along 'time', got 'e'"),
    "no such end": (lambda: TRACE.select(time=slice("a", "z")), ValueError, "got 'z'"),
    "no names": (lambda: TRACE.select(unit="a"), ValueError, "which has no names"),
    "yes or no": (lambda: TRACE.select(time=True), ValueError, "expected a place"),
    "half a place": (lambda: TRACE.select(time=1.5), ValueError, "whole numbers from 0, .*"),
    "halves": (lambda: TRACE.select(time=[0.0, 1.0]), ValueError, r"got 0\.0"),
    "none": (lambda: TRACE.select(time=None), ValueError, "got None: leave time= away for all"),
    "none of a list": (lambda: TRACE.select(time=[0, None]), ValueError, "got None"),
    "a tensor of one": (lambda: TRACE.select(time=torch.tensor(1)), ValueError, r"take its number, \.item\(\)"),
    "an array of one": (lambda: TRACE.select(time=np.array(1)), ValueError, r"take its number, \.item\(\)"),
    "a table": (lambda: TRACE.select(time=torch.zeros(2, 2)), ValueError, r"shape \(2, 2\): give a list"),
    "a set": (lambda: TRACE.select(time={1, 2}), ValueError, "expected a place, a name"),
    "bytes": (lambda: TRACE.select(time=b"ab"), ValueError, "expected a place, a name"),
    "a short mask": (lambda: TRACE.select(time=[True, False]), ValueError, "a mask of 4 along 'time'.*got one of 2"),
    "half a mask": (lambda: TRACE.select(time=[True, 0, 1, 2]), ValueError, "got a mix of both"),
    "numpy's yes": (lambda: TRACE.select(time=np.True_), ValueError, "expected a place"),
    "backwards": (lambda: TRACE.select(time=slice("d", "a", -1)), ValueError, "step of at least 1 .* got -1"),
    "no step": (lambda: TRACE.select(time=slice(0, 2, 0)), ValueError, "step of at least 1 .* got 0"),
    "half a step": (lambda: TRACE.select(time=slice(0, 2, 0.5)), ValueError, "step of at least 1"),
    "half an end": (lambda: TRACE.select(time=slice(0.5, 2)), ValueError, r"got 0\.5"),
    "an end that is yes": (lambda: TRACE.select(time=slice(False, 2)), ValueError, "got False"),
    "a name in a list": (lambda: TRACE.select(time=["a", "e"]), ValueError, "expected one of a, b, c, d .* got 'e'"),
    "a date of names": (lambda: TRACE.select(time=datetime.date(2024, 1, 1)), ValueError, "expected one of a, b"),
    "nowhere": (lambda: TRACE.select(time=[]).select(time=0), IndexError, "which has none, got 0"),
    "no date": (lambda: DATED.select(time="yesterday's"), ValueError, "such as '2024-02-29' .* got \"yesterday's\""),
    "no month": (lambda: DATED.select(time="2024-13-01"), ValueError, "expected a date along 'time'"),
    "no text": (lambda: DATED.select(time=slice("", None)), ValueError, "expected a date along 'time'.*got ''"),
    "not a time": (lambda: DATED.select(time=[np.datetime64("NaT")]), ValueError, "expected a date"),
    "another day": (lambda: DATED.select(time="2025-01-01"), ValueError, "expected one of 2024-02-27"),
    "a zone": (lambda: DATED.select(time="2024-02-29T00:00Z"), ValueError, "without a time zone"),
    "an offset": (lambda: DATED.select(time=slice("2024-02-28 00:00+01:00", None)), ValueError, "without a time zone"),
    "a zone of pandas": (
        lambda: DATED.select(time=[pandas.Timestamp("2024-02-29", tz="UTC")]),
        ValueError,
        "without a time zone",
    ),
    "too few names": (lambda: TRACE.named(time=["a"]), ValueError, "expected 4 names along 'time'"),
    "names of nothing": (lambda: TRACE.named(batch=["a"]), ValueError, "got those of 'batch'"),
    "a suffix": (lambda: TRACE.save("t.npz"), ValueError, "ends in .safetensors or .parquet"),
    "a part": (lambda: TRACE.select(layer=0).save("t.parquet"), ValueError, "one without layer"),
    "no file": (lambda: Trace.load("none.safetensors"), FileNotFoundError, "there is no file"),
    "chunk": (lambda: LSTM(3, 2).trace(torch.zeros(4, 3), path="t.safetensors", chunk=0), ValueError, "chunk"),
    "chunk of yes": (lambda: to_file(chunk=True), ValueError, "chunk to be a whole number .* got True"),
    "chunk of a half": (lambda: to_file(chunk=2.5), ValueError, r"chunk to be a whole number .* got 2\.5"),
    "chunk of text": (lambda: to_file(chunk="9"), ValueError, "chunk to be a whole number .* got '9'"),
    "another width of a batch": (
        lambda: to_file(torch.zeros(2, 5, 4)),
        ValueError,
        r"expected x of shape \(time, batch, 3\), got \(2, 5, 4\)",
    ),
    "no time": (lambda: to_file(torch.zeros(3)), ValueError, r"got \(3,\)"),
    "no steps": (lambda: to_file(torch.zeros(0, 2, 3)), ValueError, r"at least one step, got x of shape \(0, 2, 3\)"),
    "lengths of one": (lambda: to_file(lengths=[4]), ValueError, r"one sequence of shape \(4, 3\)"),
    "another dtype": (lambda: to_file(torch.zeros(4, 3).double()), ValueError, "float64"),
    "ids of three dimensions": (
        lambda: to_file(torch.zeros(2, 5, 4, dtype=torch.int64), embedding=torch.zeros(9, 3)),
        ValueError,
        r"token ids of shape \(time, batch\), got \(2, 5, 4\)",
    ),
    "lengths of one with ids": (
        lambda: to_file(torch.zeros(4, dtype=torch.int64), lengths=[4], embedding=torch.zeros(9, 3)),
        ValueError,
        r"one sequence of shape \(4,\)",
    ),
    "an id beyond": (
        lambda: to_file(torch.tensor([1, 2, 9, 3]), embedding=torch.zeros(9, 3), chunk=1),
        ValueError,
        "from 0 to 8",
    ),
    "no folder": (
        lambda: to_file(path="none/t.safetensors"),
        FileNotFoundError,
        r"cannot write the trace none/t\.safetensors: there is no folder none$",
    ),
    "no folder to save in": (lambda: TRACE.save("none/t.parquet"), FileNotFoundError, "there is no folder none$"),
    "no path": (lambda: TRACE.save(5), TypeError, "expected the path of a file for a trace, got 5"),
    "training": (
        lambda: LSTM(3, 2, zoneout=(0.1, 0.1)).trace(torch.zeros(4, 3), path="t.safetensors"),
        ValueError,
        "eval",
    ),
    "another width": (
        lambda: LSTM(3, 2).trace(torch.zeros(4, 7), path="t.safetensors"),
        ValueError,
        r"expected x of shape \(time, 3\)",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_requests_say_what_was_expected(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, kind, message = WRONG[case]
    with warnings.catch_warnings(), pytest.raises(kind, match=message) as error:
        warnings.simplefilter("error")
        call()
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", ["safetensors", "parquet"])
def test_a_folder_is_neither_written_nor_read(suffix, tmp_path):
    folder = tmp_path / f"t.{suffix}"
    folder.mkdir()
    with pytest.raises(IsADirectoryError, match=r"cannot write the trace .*it is a folder, give the name of a file"):
        TRACE.save(folder, force=True)
    with pytest.raises(IsADirectoryError, match=r"cannot read the trace .*it is a folder, load one of the files in it"):
        Trace.load(folder)
    assert list(tmp_path.iterdir()) == [folder] and not list(folder.iterdir())


def damaged(path, case):
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    if case == "truncated":
        return data[:-8]
    if case == "empty":
        return b""
    if case == "endless header":
        return struct.pack("<Q", 1 << 60) + data[8:]
    if case == "another kind":
        header["__metadata__"]["kind"] = "model"
    elif case == "another size":
        header["cell"]["shape"][-1] = 1 << 40
    elif case == "elsewhere":
        header["cell"]["data_offsets"] = [10**12, 10**12 + 32]
    elif case == "no metadata":
        del header["__metadata__"]
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


@pytest.mark.parametrize(
    "case", ["truncated", "empty", "endless header", "another kind", "another size", "elsewhere", "no metadata"]
)
def test_damaged_and_foreign_files_are_refused(case, tmp_path):
    path = tmp_path / "t.safetensors"
    TRACE.save(path)
    path.write_bytes(damaged(path, case))
    with pytest.raises(ValueError, match="holds no trace, or is damaged"):
        Trace.load(path)


def test_a_failure_on_the_way_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "t.safetensors"
    TRACE.save(path)
    before = path.read_bytes()
    layer = LSTM(3, 2).eval()
    monkeypatch.setattr(type(layer), "part", lambda *_: (_ for _ in ()).throw(OSError("no space left")))
    with pytest.raises(OSError, match="no space left"):
        layer.trace(torch.zeros(4, 3), path=path, force=True)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
