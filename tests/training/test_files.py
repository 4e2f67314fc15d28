"""Model files: whole or refused with one clear line, whatever was done to them."""

import json
import os
import random
import resource
import stat
import struct

import pytest
import safetensors.torch
import torch

from memorycell.training import ModelFileError, check_tensors, files, load_model, save_model

CONFIG = {
    "window": 6,
    "names": ["temp", "wind"],
    "nested": {"quantiles": [0.05, 0.5]},
    "none": None,
    "on": True,
}
TENSORS = {
    "weight": torch.arange(12.0).reshape(3, 4),
    "codes": torch.tensor([1, 2, 3]),
    "half": torch.ones(2, dtype=torch.bfloat16),
    "scalar": torch.tensor(2.5, dtype=torch.float64),
    "empty": torch.zeros(0, 3),
}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.safetensors"
    save_model(path, "Forecaster", CONFIG, TENSORS)
    return path


def _rewrite(path, metadata, tensors=None):
    path.write_bytes(safetensors.torch.save({"a": torch.ones(2)} if tensors is None else tensors, metadata))


def _metadata(**changes):
    content = {
        "format_version": 1,
        "memorycell_version": "0.1.0",
        "kind": "Forecaster",
        "config": {},
        **changes,
    }
    return {"memorycell": json.dumps(content)}


def test_round_trip(path):
    model = load_model(path)
    assert (model.kind, model.config, model.format_version) == ("Forecaster", CONFIG, 1)
    assert model.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(model.tensors[name], tensor) and model.tensors[name].dtype == tensor.dtype
    os.truncate(path, 0)  # the loaded tensors do not live in the file
    assert model.tensors["weight"].sum() == 66


def test_tensors_that_share_memory_or_have_strides_are_saved_as_they_look(tmp_path):
    base = torch.arange(6.0).reshape(2, 3)
    save_model(tmp_path / "m", "K", {}, {"a": base, "b": base, "t": base.T, "row": base[1]})
    tensors = load_model(tmp_path / "m").tensors
    assert (
        torch.equal(tensors["b"], base) and torch.equal(tensors["t"], base.T) and tensors["row"].tolist() == [3, 4, 5]
    )


def test_an_existing_file_is_replaced_only_by_force(path):
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="force=True"):
        save_model(path, "Other", {}, TENSORS)
    assert path.read_bytes() == before
    save_model(path, "Other", {}, TENSORS, force=True)
    assert load_model(path).kind == "Other"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_tensors_without_use_are_refused(tmp_path, value):
    path = tmp_path / "m"
    bad = {"a": torch.tensor([1.0, value])}
    with pytest.raises(ValueError, match="'a' holds NaN or infinite"):
        save_model(path, "K", {}, bad)
    assert not path.exists()
    _rewrite(path, _metadata(), bad)
    with pytest.raises(ModelFileError, match="'a' holds NaN or infinite"):
        load_model(path)


@pytest.mark.parametrize("config", [{"a": float("nan")}, {"a": torch.ones(1)}, {"a": {1, 2}}, {(1, 2): 3}])
def test_a_configuration_that_is_no_json_is_refused(tmp_path, config):
    with pytest.raises((ValueError, TypeError), match="plain JSON"):
        save_model(tmp_path / "m", "K", config, TENSORS)
    assert not list(tmp_path.iterdir())


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="no model file at"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="a folder"):
        load_model(tmp_path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"{}", "not a model file"),
        (b"date,temp\n2020-01-01,3.5\n" * 20, "not a model file"),
        (b"\x80\x04\x95" + bytes(100), "not a model file"),
        (struct.pack("<Q", 2**63) + b"{" + bytes(50), "not a model file"),
        (struct.pack("<Q", 1000) + b"{" + bytes(50), "truncated"),
        (struct.pack("<Q", 20) + b"{" + bytes(50), "damaged"),
        (struct.pack("<Q", 4) + b"{}  ", "not one of memorycell's"),
    ],
)
def test_files_that_are_something_else(tmp_path, data, message):
    path = tmp_path / "m"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=message):
        load_model(path)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"format": "pt"}, "not one of memorycell's"),
        ({"memorycell": "{"}, "not JSON"),
        ({"memorycell": "[" * 100_000}, "not JSON"),
        ({"memorycell": '{"config": NaN}'}, "not JSON"),
        ({"memorycell": "[]"}, "broken metadata"),
        (_metadata(format_version=2), "format version 2, this release reads up to 1: upgrade"),
        (_metadata(format_version=0), "broken metadata"),
        (_metadata(format_version=True), "expected 'format_version' to be int, got bool"),
        (_metadata(format_version="1"), "expected 'format_version' to be int, got str"),
        (_metadata(kind=3), "expected 'kind' to be str, got int"),
        (_metadata(config=[]), "expected 'config' to be dict, got list"),
        (_metadata(config={"a": json.loads("[" * 100 + "]" * 100)}), "more than 64 deep"),
    ],
)
def test_metadata_that_is_broken_or_hostile(tmp_path, metadata, message):
    path = tmp_path / "m"
    _rewrite(path, metadata)
    with pytest.raises(ModelFileError, match=message):
        load_model(path)


def test_too_many_tensors_are_refused(path, monkeypatch):
    monkeypatch.setattr(files, "_MAX_TENSORS", 4)
    with pytest.raises(ModelFileError, match="claims 5 tensors"):
        load_model(path)


def test_sizes_that_the_file_does_not_hold_are_refused(tmp_path):
    path = tmp_path / "m"
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(64))
    with pytest.raises(ModelFileError, match="damaged"):
        load_model(path)


def test_truncated_anywhere(path):
    data = path.read_bytes()
    for size in [*range(0, 12), *range(12, len(data), 37), len(data) - 1]:
        path.write_bytes(data[:size])
        with pytest.raises(ModelFileError):
            load_model(path)


def test_flipped_bytes_load_or_are_refused_but_never_crash(path):
    data = bytearray(path.read_bytes())
    chance = random.Random(0)  # noqa: S311
    for _ in range(400):
        changed = bytearray(data)
        changed[chance.randrange(min(len(data), 600))] ^= 1 << chance.randrange(8)
        path.write_bytes(changed)
        try:
            load_model(path)
        except ModelFileError as error:
            assert str(path) in str(error)


def test_check_tensors_names_what_does_not_fit():
    with torch.device("meta"):
        expected = torch.nn.Linear(4, 3).state_dict()
    good = {"weight": torch.zeros(3, 4), "bias": torch.zeros(3)}
    check_tensors(good, expected)
    check_tensors(good, {"weight": (3, 4), "bias": [3]})
    for bad, message in (
        ({"weight": torch.zeros(3, 4)}, "'bias' is missing"),
        ({**good, "weight": torch.zeros(4, 3)}, r"'weight' of shape \(3, 4\), got \(4, 3\)"),
        ({**good, "bias": torch.zeros(3, dtype=torch.int64)}, "'bias' of torch.float32, got torch.int64"),
        ({**good, "more": torch.zeros(1)}, "'more' does not belong"),
    ):
        with pytest.raises(ModelFileError, match="m.safetensors: .*" + message):
            check_tensors(bad, expected, "m.safetensors")


def test_a_disk_that_fills_up_while_writing_keeps_the_old_file(path):
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match=r"cannot write .*model.safetensors: File too large; the file that was"):
            save_model(path, "Big", {}, {"a": torch.ones(10_000)}, force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before and [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_failures_leave_no_litter(path, monkeypatch, step):
    before = path.read_bytes()

    def fail(*arguments):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(*{"fsync": (os, "fsync"), "replace": (type(path), "replace")}[step], fail)
    with pytest.raises(OSError, match="Input/output error"):
        save_model(path, "K", {}, TENSORS, force=True)
    assert path.read_bytes() == before and [file.name for file in path.parent.iterdir()] == [path.name]


def test_places_that_cannot_be_written_to(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"cannot write .*nowhere"):
        save_model(tmp_path / "nowhere" / "m", "K", {}, TENSORS)
    with pytest.raises(OSError, match="cannot write"):
        save_model(tmp_path, "K", {}, TENSORS, force=True)


def test_a_link_stays_a_link_and_rights_follow_the_umask(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    save_model(real, "K", {}, TENSORS)
    link.symlink_to(real)
    save_model(link, "L", {}, TENSORS, force=True)
    assert link.is_symlink() and load_model(real).kind == "L"
    before = os.umask(0o027)
    try:
        save_model(tmp_path / "m", "K", {}, TENSORS)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "m").stat().st_mode) == 0o640
