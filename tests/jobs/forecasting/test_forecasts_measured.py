"""How a forecaster is measured: on the rows after its own, or on folds; what the result and its page know of that."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from memorycell import Evaluation, Forecaster, backtest, compare_cells, cross_validate, evaluate_fitted, write_report
from memorycell.cli.main import main
from memorycell.evaluation.result import RankedResult, Result

pytestmark = pytest.mark.usefixtures("undrawn")  # what pages show is asked in tests/pages

SMALL: dict[str, Any] = {"window": 6, "hidden_size": 4, "epochs": 1, "n_threads": 1, "verbose": False}


def weather(days: int = 120) -> pd.DataFrame:
    day = np.arange(days)
    temp = 12 + 8 * np.sin(day / 4) + np.random.default_rng(0).normal(size=days)
    return pd.DataFrame({"date": pd.date_range("2024-01-01", periods=days), "temp": temp})


@pytest.fixture(scope="module")
def forecaster() -> Forecaster:
    return Forecaster(2, **SMALL).fit(weather()[:100], "temp")


def test_without_folds_the_very_model_is_measured_on_rows_after_its_own(forecaster: Forecaster) -> None:
    samples = forecaster.read(weather())
    found = forecaster.measured(samples, step=2)
    same = evaluate_fitted(forecaster, weather(), step=2)
    assert not found.refitted and [model.error for model in found.models] == [model.error for model in same.models]
    assert found.models[0].forecasts.origins.tolist() == list(range(99, 118, 2))
    with pytest.raises(ValueError, match="give newer rows, or backtest"):
        forecaster.measured(weather()[:100])


def test_on_folds_its_settings_are_measured(forecaster: Forecaster) -> None:
    said: list[str] = []
    found = forecaster.measured(weather(), folds=2, step=3, test_fraction=0.3, progress=said.append)
    same = backtest(Forecaster(2, **SMALL), weather(), "temp", folds=2, step=3, test_fraction=0.3)
    assert found.refitted and found.models[0].fold_errors == same.models[0].fold_errors
    assert said[0] == "fold 1 of 2: fitting LSTM"


def test_a_result_is_short_in_a_notebook_and_a_frame_when_asked(forecaster: Forecaster) -> None:
    found = forecaster.evaluate(weather(), baselines=("last value",))
    assert isinstance(found, Evaluation) and isinstance(found, RankedResult)
    assert repr(found).startswith("Evaluation: LSTM, RMSE ") and len(repr(found)) < 300
    assert found.outcome in repr(found) and found.score == found.models[0].error
    frame = found.to_frame()
    assert frame["model"].tolist() == [row["model"] for row in found.table()]
    assert found._repr_html_().count("<tr>") == 3
    assert json.dumps(found.to_dict(), allow_nan=False)


def test_of_several_targets_the_table_has_a_row_for_each(forecaster: Forecaster) -> None:
    # Of wind, which repeats itself exactly from week to week in training, there is no MASE.
    table = weather().assign(wind=np.where(np.arange(120) < 80, np.arange(120) % 7, np.arange(120) % 5))
    found = backtest(
        Forecaster(2, **SMALL), table, ["temp", "wind"], folds=1, baselines=("last value",), test_fraction=0.4
    )
    head, *rows = found.cells()
    assert [row[1] for row in rows] == ["temp", "temp", "wind", "wind"]
    assert "MASE" in head and {len(row) for row in rows} == {len(head)}
    assert {row[head.index("MASE")] == "–" for row in rows if row[1] == "wind"} == {True}


def test_cells_side_by_side_are_a_result_too() -> None:
    found = compare_cells(Forecaster(**SMALL), weather(), "temp", cells=("RNN", "GRU"), seeds=2, folds=1)
    assert isinstance(found, Result) and len(repr(found)) < 300
    assert found.to_frame()["cell"].tolist() == [result.cell for result in found.ranking]
    assert found.verdicts()[0] in found._repr_html_()


def test_the_page_knows_by_itself_whether_models_were_fitted_on_the_way(forecaster: Forecaster, tmp_path: Path) -> None:
    anew = "In 2 folds, each time fitted anew on the rows before, all were asked at the same origins."
    itself = "All were fitted on the rows before these, and asked at the same origins."
    samples = forecaster.read(weather())
    folds, own = forecaster.measured(samples, folds=2), forecaster.measured(samples)

    def page(**options: Any) -> str:
        return write_report(tmp_path / "page.html", forecaster, samples, force=True, **options).read_text("utf-8")

    assert anew in page(evaluation=folds) and itself in page(evaluation=own)
    both = page(backtest=folds, evaluation=own)
    assert anew in both and itself in both and "This very model, on rows after its training data" in both


def test_a_report_on_folds_from_the_command_says_so(forecaster: Forecaster, tmp_path: Path) -> None:
    weather().to_csv(tmp_path / "weather.csv", index=False)
    forecaster.save(tmp_path / "model.safetensors")
    page = tmp_path / "page.html"
    words = ["report", tmp_path / "model.safetensors", tmp_path / "weather.csv", "-o", page, "--folds", "2", "-q"]
    assert main([*map(str, words)]) == 0
    assert "In 2 folds, each time fitted anew" in page.read_text(encoding="utf-8")


def test_rows_of_a_table_are_no_folds(forecaster: Forecaster) -> None:
    samples = forecaster.read(weather())
    kind = forecaster.kind_of(samples)
    assert (kind.name, kind.noun, kind.measure.name) == ("forecasts", "origins", "RMSE")
    assert {measure.better for measure in kind.shown} == {"less"}
    with pytest.raises(ValueError, match=r"rolling origins.*memorycell\.backtest"):
        cross_validate(forecaster, samples, folds=2)


@pytest.mark.parametrize("ask", ["predict", "answers", "evaluate", "measured", "explained", "trace", "score", "encode"])
def test_an_unfitted_forecaster_is_told_as_scikit_learn_tells_it(ask: str) -> None:
    with pytest.raises(NotFittedError, match="this Forecaster is not fitted yet"):
        getattr(Forecaster(), ask)(weather())
