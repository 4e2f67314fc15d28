"""What goes to `logging`, and that nothing of it is printed unasked."""

import logging

import numpy as np

from memorycell import Forecaster, backtest
from memorycell.jobs.devices import usable

READINGS = np.where(np.arange(90) == 30, np.nan, np.sin(np.arange(90) / 4))
QUICK = {"horizon": 2, "window": 6, "epochs": 1, "verbose": False, "n_threads": 1}


def test_nothing_is_printed_unasked(capfd) -> None:
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("memorycell").handlers)
    Forecaster(**QUICK).fit(READINGS)
    assert capfd.readouterr() == ("", "")


def test_decisions_are_told_and_choices_to_whom_asks_for_all(caplog, tmp_path) -> None:
    caplog.set_level(logging.DEBUG, "memorycell")
    model = Forecaster(**QUICK).fit(READINGS, checkpoint=tmp_path / "a.ckpt")
    model.save(tmp_path / "model.safetensors")
    Forecaster.load(tmp_path / "model.safetensors")
    Forecaster(**QUICK).fit(READINGS, checkpoint=tmp_path / "a.ckpt")
    told = {level: "\n".join(r.message for r in caplog.records if r.levelno == level) for level in (10, 20)}
    assert {record.name.partition(".")[0] for record in caplog.records} == {"memorycell"}
    assert len({record.name for record in caplog.records}) >= 5, "a child for each module"
    for text in (
        "Forecaster(horizon=2", "with seed 0 on cpu", "fitting: ", "1 thread, cpu", "finished after 1 epoch",
        "refitting on all rows: ", "going on from the checkpoint", "Forecaster was written to", "was read from",
        *(note["text"] for note in model.notes_),
    ):  # fmt: skip
        assert text in told[logging.INFO]
    for text in (
        *(f"{each.name} = {each.value}: {each.reason}" for each in model.plan_),
        "epoch 1: loss",
        "checkpoint ",
    ):
        assert text in told[logging.DEBUG]
    assert set(told) == {record.levelno for record in caplog.records}


def test_folds_and_baselines_are_told(caplog) -> None:
    caplog.set_level(logging.INFO, "memorycell")
    backtest(Forecaster(**QUICK), READINGS, folds=1, baselines=("last value",))
    text = caplog.text
    assert "fold 1 of 1: fitting LSTM" in text and "last value on " in text


def test_a_device_that_is_not_there_is_told(caplog) -> None:
    caplog.set_level(logging.INFO, "memorycell")
    assert usable("cuda:99") == "auto"
    assert "device 'cuda:99' was asked for" in caplog.text and "takes its place" in caplog.text
