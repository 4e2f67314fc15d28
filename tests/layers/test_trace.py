"""Traces: parts of them by name, files of them, and long ones chunk by chunk."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from memorycell import GRU, LSTM, RNN, Trace

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


TRACE = LSTM(3, 2).trace(torch.zeros(4, 3)).named(time=list("abcd"))
WRONG = {
    "no such dimension": (lambda: TRACE.select(batch=0), ValueError, "expected a dimension of this trace"),
    "beyond the end": (lambda: TRACE.select(time=4), IndexError, "from 0 to 3, got 4"),
    "no such name": (lambda: TRACE.select(time="e"), ValueError, "expected one of a, b, c, d along 'time', got 'e'"),
    "no such end": (lambda: TRACE.select(time=slice("a", "z")), ValueError, "got 'z'"),
    "no names": (lambda: TRACE.select(unit="a"), ValueError, "which has no names"),
    "yes or no": (lambda: TRACE.select(time=True), ValueError, "expected a place"),
    "too few names": (lambda: TRACE.named(time=["a"]), ValueError, "expected 4 names along 'time'"),
    "names of nothing": (lambda: TRACE.named(batch=["a"]), ValueError, "got those of 'batch'"),
    "a suffix": (lambda: TRACE.save("t.npz"), ValueError, "ends in .safetensors or .parquet"),
    "a part": (lambda: TRACE.select(layer=0).save("t.parquet"), ValueError, "one without layer"),
    "no file": (lambda: Trace.load("none.safetensors"), FileNotFoundError, "there is no file"),
    "chunk": (lambda: LSTM(3, 2).trace(torch.zeros(4, 3), path="t.safetensors", chunk=0), ValueError, "chunk"),
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
    with pytest.raises(kind, match=message):
        call()
    assert not list(tmp_path.iterdir())


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
