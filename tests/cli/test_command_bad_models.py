"""Model files and tables for them that do not fit: one clear line, exit code 2."""

import json
import math
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_cases import refused, run, weather_rows


def rewritten(source: Path, path: Path, change: Callable[[dict[str, Any], dict[str, Any]], None]) -> Path:
    """A copy of a model file with its header changed; `change` gets the header and our part of its metadata."""
    content = source.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    ours = json.loads(header["__metadata__"]["memorycell"])
    change(header, ours)
    header["__metadata__"]["memorycell"] = json.dumps(ours)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])
    return path


def newer(header: dict[str, Any], ours: dict[str, Any]) -> None:
    ours["format_version"] = 99


def without_configuration(header: dict[str, Any], ours: dict[str, Any]) -> None:
    ours["config"] = {}


def other_kind(header: dict[str, Any], ours: dict[str, Any]) -> None:
    ours["kind"] = "os.system"


def huge(header: dict[str, Any], ours: dict[str, Any]) -> None:
    ours["config"]["network"]["hidden_size"] = 10**12


def huge_outside_the_network(header: dict[str, Any], ours: dict[str, Any]) -> None:
    ours["config"]["parameters"]["horizon"] = 10**9


def countless_layers(header: dict[str, Any], ours: dict[str, Any]) -> None:
    ours["config"]["network"]["num_layers"] = 10**6


def a_shape_beyond_memory(header: dict[str, Any], ours: dict[str, Any]) -> None:
    ours["config"]["network"]["shape"]["past"] = 10**12


def other_size(header: dict[str, Any], ours: dict[str, Any]) -> None:
    ours["config"]["network"]["hidden_size"] = 5


def other_parameter(header: dict[str, Any], ours: dict[str, Any]) -> None:
    ours["config"]["parameters"]["horizont"] = 3


def other_network(header: dict[str, Any], ours: dict[str, Any]) -> None:
    ours["config"]["network"]["network"] = "__import__('os')"


def broken_codec(header: dict[str, Any], ours: dict[str, Any]) -> None:
    ours["config"]["codecs"]["codec_"] = {"type": "TableCodec"}


def renamed_tensor(header: dict[str, Any], ours: dict[str, Any]) -> None:
    header["network.stranger"] = header.pop("network.read.weight")


def bent_tensor(header: dict[str, Any], ours: dict[str, Any]) -> None:
    shape = header["learned.scores"]["shape"]
    header["learned.scores"]["shape"] = [math.prod(shape)]


CHANGES = {
    newer: "newer one",
    without_configuration: "damaged",
    other_kind: "os.system",
    huge: "larger network",
    huge_outside_the_network: "shape",
    countless_layers: "larger network",
    a_shape_beyond_memory: "larger network",
    other_size: "shape",
    other_parameter: "horizont",
    other_network: "damaged",
    broken_codec: "damaged",
    renamed_tensor: "missing",
    bent_tensor: "shape",
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_model_file_that_was_changed(change: Callable[..., None], model: Path, weather: Path, tmp_path: Path) -> None:
    path = rewritten(model, tmp_path / "model.safetensors", change)
    if change is newer:
        assert "upgrade memorycell" in refused(run("predict", path, weather))
        return
    refused(run("predict", path, weather))
    assert CHANGES[change] in refused(run("info", path))


def test_a_model_trained_on_a_gpu_is_of_use_without_one(model: Path, weather: Path, tmp_path: Path) -> None:
    def on_a_gpu(header: dict[str, Any], ours: dict[str, Any]) -> None:
        ours["config"]["parameters"]["device"] = "cuda"

    path = rewritten(model, tmp_path / "model.safetensors", on_a_gpu)
    assert run("predict", path, weather).out == run("predict", model, weather).out


@pytest.mark.parametrize("share", [0, 4, 0.001, 0.5, 0.999])
def test_a_model_file_cut_short(share: float, model: Path, weather: Path, tmp_path: Path) -> None:
    content = model.read_bytes()
    path = tmp_path / "model.safetensors"
    path.write_bytes(content[: int(share if share > 1 else share * len(content))])
    line = refused(run("predict", path, weather))
    assert "model.safetensors" in line


def test_a_file_that_is_no_model(weather: Path, tmp_path: Path) -> None:
    assert "not a model file" in refused(run("predict", weather, weather))
    assert "no model file" in refused(run("predict", tmp_path / "nowhere.safetensors", weather))


def test_somebody_elses_safetensors(weather: Path, tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path = tmp_path / "theirs.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    assert "memorycell" in refused(run("predict", path, weather)).removeprefix("memorycell")


def without(column: str) -> list[list[str]]:
    rows = weather_rows()
    at = rows[0].index(column)
    return [[*row[:at], *row[at + 1 :]] for row in rows]


@pytest.mark.parametrize("column", ["date", "temp", "rain", "sky"])
def test_a_table_without_a_column_of_the_model(column: str, model: Path, table: Callable[..., Path]) -> None:
    assert f"'{column}'" in refused(run("predict", model, table(without(column))))


def test_a_table_shorter_than_the_window(model: Path, table: Callable[..., Path]) -> None:
    assert "at least 6 rows" in refused(run("predict", model, table(weather_rows(5))))


def test_new_categories_are_unknown_ones(model: Path, table: Callable[..., Path]) -> None:
    rows = weather_rows()
    rows[-1][-1] = "green\x1b[2J"
    ran = run("predict", model, table(rows))
    assert ran.code == 0, ran.err
    assert len(ran.out.splitlines()) == 3
    assert "\x1b" not in ran.err
