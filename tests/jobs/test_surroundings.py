"""Whatever is set for torch, numpy, pandas or the process: fit, load, answer, evaluate and explain are as ever."""

import contextlib
import json
import os
import time
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from memorycell import load
from memorycell.checks import Case
from memorycell.jobs.registry import own

JOBS = {job.verb: job for job in own().jobs}


@contextlib.contextmanager
def put_back(set_: Callable[[Any], Any], value: Any, before: Any) -> Iterator[None]:
    set_(value)
    try:
        yield
    finally:
        set_(before)


@contextlib.contextmanager
def environment(**values: str) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(values)
    time.tzset()
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
        time.tzset()


@contextlib.contextmanager
def warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@contextlib.contextmanager
def default_device() -> Iterator[None]:
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device(None)


SETTINGS: dict[str, Callable[[], Any]] = {
    "float64": lambda: put_back(torch.set_default_dtype, torch.float64, torch.float32),
    "device": lambda: torch.device("meta"),
    "default device": default_device,
    "no gradients": lambda: put_back(torch.set_grad_enabled, False, True),
    "no_grad": torch.no_grad,
    "inference mode": torch.inference_mode,
    "deterministic": lambda: put_back(torch.use_deterministic_algorithms, True, False),
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "anomalies": lambda: torch.autograd.set_detect_anomaly(True),
    "numpy raises": lambda: np.errstate(all="raise"),
    "warnings": warnings_are_errors,
    "pandas": lambda: pd.option_context(
        "display.precision", 1, "display.max_columns", 2, "display.max_rows", 5,
    ),
    "German": lambda: environment(LC_ALL="de_DE.UTF-8", LANG="de_DE.UTF-8", LANGUAGE="de"),
    "Turkish": lambda: environment(LC_ALL="tr_TR.UTF-8", LANG="tr_TR.UTF-8", LANGUAGE="tr"),
    "zone": lambda: environment(TZ="Pacific/Apia"),
}  # fmt: skip


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory):
    """The case of each job with what it said in ordinary surroundings, made once."""

    @cache
    def case(verb: str) -> tuple[Case, dict[str, Any]]:
        made = Case(JOBS[verb], Path(tmp_path_factory.mktemp(verb)))
        return made, said(made, made.fitted)

    return case


def weights(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.network_.state_dict().items()}


def said(case: Case, model: Any, measured: bool = False) -> dict[str, Any]:
    """Weights, answers, an explanation and, where there is time, figures of folds."""
    samples = model.read(case.tiny.file)
    return {
        "weights": weights(model),
        "answers": json.dumps(model.answers(samples).records()),
        "measured": json.dumps(model.measured(samples, folds=2).to_dict(), default=str) if measured else "",
        "explained": np.asarray(model.explain(samples).scores).tolist(),
    }


def assert_same(found: dict[str, Any], wanted: dict[str, Any]) -> None:
    for name, value in wanted["weights"].items():
        assert found["weights"][name].dtype == value.dtype and torch.equal(found["weights"][name], value), name
    for what in ("answers", "explained"):
        assert found[what] == wanted[what], what
    assert found["measured"].partition("seconds")[0] == wanted["measured"].partition("seconds")[0]


@pytest.mark.parametrize("settings", [["float64", "device", "inference mode", "autocast", "numpy raises", "Turkish",
                                       "zone"],
                                      ["default device", "no gradients", "deterministic", "anomalies", "warnings",
                                       "pandas", "German"]], ids=("some", "others"))  # fmt: skip
@pytest.mark.parametrize("verb", JOBS)
def test_several_at_once_change_nothing(verb: str, settings: list[str], cases) -> None:
    with contextlib.ExitStack() as stack:
        for setting in settings:
            stack.enter_context(SETTINGS[setting]())
        found = nothing_changes(*cases(verb))
    assert_same(*found)


@pytest.mark.long
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("verb", JOBS)
def test_each_changes_nothing(verb: str, setting: str, cases) -> None:
    case, wanted = cases(verb)
    wanted = {**wanted, "measured": said(case, case.fitted, measured=True)["measured"]}
    with SETTINGS[setting]():
        found, _ = nothing_changes(case, wanted, measured=True)
    assert_same(found, wanted)


def nothing_changes(
    case: Case, wanted: dict[str, Any], measured: bool = False
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fit, load and ask; what was found, and what is wanted."""
    state = ambient()
    model = case.new()
    model.fit(model.read(case.tiny.file), **case.tiny.fit)
    found = said(case, model, measured)
    assert_same(said(case, load(case.model), measured), wanted)
    assert ambient() == state
    return found, wanted


def ambient() -> tuple[Any, ...]:
    return (
        torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled(), torch.get_num_threads(),
        torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu"), np.geterr(), list(warnings.filters),
        torch.random.get_rng_state().tolist() if torch.get_default_device().type == "cpu" else None,
    )  # fmt: skip
