"""The benchmark of the recurrent layers: real contestants on tiny jobs, and what it refuses."""

import argparse
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
WRONG = """
from kernels.peers import Prepared
from kernels.peers.ours import prepare as right

def prepare(job, way):
    call, results = right(job, way)
    def wrong():
        found = dict(results())
        for name in ("output", "weight_hh_l0"):
            found[name] = found[name] * 1.001
        return found
    return Prepared(call, wrong)
"""


@pytest.fixture(scope="module")
def kernels() -> Iterator[SimpleNamespace]:
    """The modules of the benchmark by name; they lie beside the package, not in it."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        names = ("command", "contestants", "jobs", "match", "parity", "picture", "processes", "report", "values")
        yield SimpleNamespace(**{name: importlib.import_module(f"kernels.{name}") for name in names})
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.fixture
def pace(kernels: SimpleNamespace) -> Any:
    return kernels.match.Pace(rounds=1, fewest=1, turn=0.0, job=0.0)


def tiny(kernels: SimpleNamespace, family: str, cell: str = "LSTM", kind: str = "training", variant: str = "") -> Any:
    """A job of each family that takes no time."""
    steps = 1 if family == "one step" else 6
    return kernels.jobs.Job(family, cell, kernels.jobs.Shape(3, steps, 2, 5), kind, family, variant)


def torch_alone(kernels: SimpleNamespace) -> list[Any]:
    return [each for each in kernels.contestants.CONTESTANTS if each.name in ("memorycell", "torch")]


def arguments(folder: Path, **more: Any) -> argparse.Namespace:
    given = {"quick": True, "only": None, "kinds": None, "threads": [1], "rounds": 1}
    paths = {"json": folder / "found" / "k.json", "picture": [folder / "k.svg"]}
    return argparse.Namespace(**(given | paths | more))


def test_every_family_is_played_through_real_processes(
    kernels: SimpleNamespace,
    pace: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    jobs = [
        tiny(kernels, "sequence"),
        tiny(kernels, "sequence", "GRU", "forward"),
        tiny(kernels, "one step", kind="forward"),
        *(tiny(kernels, "variant", variant=variant) for variant in kernels.jobs.VARIANTS),
        *(tiny(kernels, family) for family in ("ragged", "last step", "step loop")),
        tiny(kernels, "memory", kind="memory"),
    ]
    absent = kernels.contestants.Contestant("nobody", "no_such_module", "torch", needs="nobody")
    monkeypatch.setattr(kernels.command, "CONTESTANTS", [*torch_alone(kernels), absent])
    monkeypatch.setattr(kernels.command, "registry", lambda: iter(jobs))
    monkeypatch.setattr(kernels.command, "QUICK", pace)
    assert kernels.command.run(arguments(tmp_path)) == 0
    printed = capsys.readouterr().out
    assert "shapes we lose" in printed and "absent: nobody (no module 'no_such_module'; pip install nobody)" in printed

    found = json.loads((tmp_path / "found" / "k.json").read_text(encoding="utf-8"))
    assert set(found["versions"]) == {each.name for each in torch_alone(kernels)}
    assert found["ceilings"]["1"]["sgemm"] > 0 and found["machine"]["processors"] >= 1
    assert [each["title"] for each in found["timings"]] == [str(job) for job in jobs]
    ways = {(each["job"], each["contestant"]) for each in found["parity"]}
    assert len(ways) == 16, "each way of memorycell is checked once"
    by_family = {each["job"]["family"]: each for each in found["timings"]}
    assert set(by_family["ragged"]["median"]) == {
        "memorycell, lengths",
        "memorycell, padded",
        "torch, packed",
    }
    assert set(by_family["last step"]["median"]) == {
        "memorycell, last step",
        "memorycell, every step",
        "torch, last step",
    }
    if sys.platform == "linux":
        assert by_family["memory"]["unit"] == "bytes" and set(by_family["memory"]["rounds"]) == {"memorycell", "torch"}
    for row in found["rows"]:
        assert row["ratios"] and row["torch"] in row["ratios"], row
        assert all(value > 0 for value in row["ratios"].values())
    assert any("of the padded time" in line for line in found["own"])
    assert (tmp_path / "k.svg").read_text(encoding="utf-8").count("<svg") == 1


def test_wrong_numbers_are_given_no_speed(
    kernels: SimpleNamespace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "wrong_peer.py").write_text(WRONG, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    wrong = kernels.contestants.Contestant("memorycell", "wrong_peer", "ours")
    monkeypatch.setattr(kernels.command, "CONTESTANTS", [wrong, *torch_alone(kernels)[1:]])
    monkeypatch.setattr(kernels.command, "registry", lambda: iter([tiny(kernels, "sequence")]))
    assert kernels.command.run(arguments(tmp_path)) == 1
    printed = capsys.readouterr()
    assert printed.out == "" and not (tmp_path / "found").exists()
    assert "no speed to print" in printed.err
    for name in ("output", "weight_hh_l0"):
        assert f"{name}: relative error 0.001, allowed" in printed.err


def test_a_contestant_that_dies_or_differs_is_left_out(
    kernels: SimpleNamespace, pace: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = "import numpy\nfrom kernels.peers import Prepared\n\ndef prepare(job, way):\n"
    noise = "    print('to be kept out of the replies')\n"
    for name, value in (("first", 1), ("second", 1), ("odd", 2)):
        results = f"    return Prepared(int, lambda: {{'output': numpy.full((6, 3, 5), {value}.0)}})\n"
        (tmp_path / f"{name}_peer.py").write_text(peer + noise + results, encoding="utf-8")
    (tmp_path / "dying_peer.py").write_text("import os\n\ndef prepare(job, way):\n    os._exit(3)\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    make, player_of = kernels.contestants.Contestant, kernels.processes.Player
    players = [player_of(make(name, f"{name}_peer", "jax"), 1) for name in ("first", "dying", "odd", "second")]
    job = tiny(kernels, "sequence", kind="forward")
    measured, cannot = kernels.match.play(job, players, pace)
    for player in players:
        player.close()
    assert set(measured) == {"first", "second"}
    assert cannot == {
        "dying": "its process ended with code 3",
        "odd": "its results are not those of the others",
    }


def test_operations_are_those_of_the_products(kernels: SimpleNamespace) -> None:
    jobs, values = kernels.jobs, kernels.values
    plain = jobs.Job("sequence", "LSTM", jobs.Shape(32, 100, 128, 128), "forward")
    assert values.operations(plain) == 2 * 32 * 100 * 4 * 128 * (128 + 128)
    stacked = jobs.Job("sequence", "GRU", jobs.Shape(2, 3, 4, 8, 2), "training")
    assert values.operations(stacked) == 3 * 2 * 2 * 3 * 3 * 8 * ((4 + 8) + (8 + 8))
    ragged = jobs.Job("ragged", "LSTM", jobs.Shape(32, 100, 64, 128), "training")
    assert values.operations(ragged) / ragged.operations(3200) == pytest.approx(0.55, abs=0.01)
    assert jobs.Job.from_dict(json.loads(json.dumps(ragged.to_dict()))) == ragged


def test_the_registry_has_names_of_its_own(kernels: SimpleNamespace) -> None:
    titles = [str(job) for job in kernels.jobs.registry()]
    assert len(titles) == len(set(titles))
    for job in kernels.jobs.registry():
        assert kernels.jobs.ways(job, "ours") and kernels.jobs.ways(job, "torch"), job
    quick = kernels.command.chosen(None, ["forward"], quick=True)
    assert quick and all(job.kind == "forward" for job in quick)
    assert [job.variant for job in kernels.command.chosen(["Peephole"], None, False)] == ["peephole"]


def test_ratios_are_of_the_same_round_and_of_the_same_level(kernels: SimpleNamespace) -> None:
    job = kernels.jobs.Job("sequence", "LSTM", kernels.jobs.Shape(1, 1, 1, 1), "forward")
    measured = {
        "memorycell": [1.0, 10.0, 1.0],
        "memorycell v3": [2.0, 2.0, 2.0],
        "torch": [2.0, 20.0, 3.0],
        "torch AVX2": [1.0, 1.0, 1.0],
        "JAX": [0.5, 5.0, 0.5],
    }
    best, v3 = kernels.report.rows(job, 1, measured, {"sgemm": 1.0}, kernels.contestants.CONTESTANTS)
    assert best.ratios == {"torch": 2.0, "JAX": 0.5} and best.torch == "torch" and best.best == "JAX"
    assert v3.ratios == {"torch AVX2": 0.5}
    lost = kernels.report.lost([best, v3])
    assert [line.rpartition(": ")[2] for line in lost] == ["JAX 0.500", "torch AVX2 0.500"]


def test_an_error_that_is_no_number_is_too_large(kernels: SimpleNamespace) -> None:
    right = {"output": np.ones(3, np.float32)}
    for wrong in ({"output": np.full(3, np.nan, np.float32)}, {"output": np.ones(2, np.float32)}, {}):
        assert kernels.parity.too_large(kernels.parity.errors(wrong, right))
    assert not kernels.parity.too_large(kernels.parity.errors(right, right))


@pytest.mark.parametrize("given", [{"only": ["nonsense"]}, {"threads": [10_000]}])
def test_what_cannot_be_run_ends_with_code_2(
    kernels: SimpleNamespace, given: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert kernels.command.run(arguments(tmp_path, **given)) == 2
    assert ("choose from" if "only" in given else "processors here, got [10000]") in capsys.readouterr().err


def test_the_command_tells_how_it_is_used() -> None:
    spec = importlib.util.spec_from_file_location("kernels_main", BENCHMARKS / "kernels" / "__main__.py")
    assert spec is not None and spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert "pip install jax" in (module.__doc__ or "")
