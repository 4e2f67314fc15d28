"""Every result is a summary, rows, a frame, JSON and something short to look at."""

import json
from copy import copy
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.naive_bayes import GaussianNB

import memorycell
from memorycell.evaluation.cross_validation import cross_validate
from memorycell.evaluation.intervals import Comparison
from memorycell.evaluation.learning_curve import learning_curve
from memorycell.evaluation.measures import MEASURES
from memorycell.evaluation.result import CrossValidation, Praise, RankedResult, Result
from memorycell.evaluation.tables import format_number


@dataclass
class Error:
    name: str
    error: float


@dataclass(repr=False, eq=False)
class Errors(RankedResult):
    """As a result of forecasts is made: ranked by an error that has a name, with verdicts of its own."""

    models: list[Error]
    measure: str
    verdicts: list[Comparison]
    large: np.ndarray = field(default_factory=lambda: np.zeros((1000, 100)))
    noun: str = "origins"

    def value_of(self, model: Error) -> float:
        return model.error

    def _verdicts(self) -> list[Comparison]:
        return self.verdicts

    def _praise(self) -> Praise:
        return Praise("the least error", f"{self.measure} ", "its error is the least")

    @property
    def subject(self) -> str:
        return f"{self.models[0].name}, {self.measure} {format_number(self.score)}; 84 origins"

    def cells(self) -> list[list[str]]:
        return [["", self.measure], *([model.name, format_number(model.error)] for model in self.ranking)]

    def table(self) -> list[dict[str, Any]]:
        return [{"model": model.name, "error": model.error} for model in self.ranking]


def errors(ours: float, outcomes: dict[str, tuple[float, str]]) -> Errors:
    verdicts = [Comparison(name, "rmse", outcome, 0, 0, 0, 0, 0, 84, "", "") for name, (_, outcome) in outcomes.items()]
    models = [Error("LSTM", ours), *(Error(name, error) for name, (error, _) in outcomes.items())]
    return Errors(models, "RMSE", verdicts)


@pytest.mark.parametrize(
    ("ours", "outcomes", "said"),
    [
        (1.0, {}, "LSTM stands alone: no baseline was compared."),
        (1.0, {"ridge": (2.0, "better")}, "LSTM is better than every baseline, by more than chance explains."),
        (
            1.0,
            {"ridge": (2.0, "no difference")},
            "LSTM has the least error, but no difference from a baseline could be shown.",
        ),
        (
            1.0,
            {"a": (2.0, "better"), "b": (2.0, "better"), "c": (3.0, "better"), "d": (1.1, "too few")},
            "LSTM is better than a, b and c; from d no difference could be shown, though its error is the least.",
        ),
        (1.0, {"a": (1.0, "no difference")}, "LSTM is level with a."),
        (
            1.0,
            {"a": (2.0, "better"), "b": (1.0, "no difference"), "c": (1.5, "no difference")},
            "LSTM is better than a, and level with b; from c no difference could be shown.",
        ),
        (2.0, {"ETS": (1.0, "worse")}, "A baseline wins: ETS has the least error, RMSE 1.000 against 2.000 of LSTM."),
        (
            2.0,
            {"ETS": (1.0, "too few")},
            "A baseline wins: ETS has the least error, RMSE 1.000 against 2.000 of LSTM, though these origins are too "
            "few to tell.",
        ),
        (
            2.0,
            {"ETS": (1.0, "no difference")},
            "A baseline wins: ETS has the least error, RMSE 1.000 against 2.000 of LSTM, though not by more than "
            "chance explains.",
        ),
        (
            float("nan"),
            {"ETS": (1.0, "worse")},
            "A baseline wins: ETS has the least error, RMSE 1.000 against – of LSTM.",
        ),
    ],
)
def test_the_outcome_in_one_sentence(ours: float, outcomes: dict, said: str) -> None:
    found = errors(ours, outcomes)
    assert found.outcome == found.sentence == said
    assert found.ranked_by is MEASURES["rmse"] and found["LSTM"] is found.models[0]


@cache
def results() -> dict[str, Result]:
    generator = np.random.default_rng(0)
    X, y = generator.normal(size=(60, 3)), np.arange(60) % 2
    X[:, 0] += 2 * y
    return {
        "CrossValidation": cross_validate(GaussianNB(), X, y, folds=3),
        "LearningCurve": learning_curve(GaussianNB(), X, y, sizes=(0.5, 1.0), folds=3),
        "Errors": errors(1.0, {"ridge": (2.0, "better")}),
    }


@pytest.fixture(params=["CrossValidation", "LearningCurve", "Errors"])
def result(request: pytest.FixtureRequest) -> Result:
    return results()[request.param]


def test_a_result_is_short_to_look_at(result: Result) -> None:
    lines = repr(result).splitlines()
    assert len(lines) == 2 and all(len(line) < 200 for line in lines)
    assert lines[0] == f"{type(result).__name__}: {result.subject}" and lines[1] == result.sentence
    assert any(letter.isdigit() for letter in lines[0])


def test_a_frame_has_the_rows_of_the_table(result: Result) -> None:
    frame = result.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == list(result.table()[0]) and len(frame) == len(result.table())


class Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.texts: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] in ("th", "td"):
            self.rows[-1][-1] += data
        else:
            self.texts[self.open[-1]] = data


def test_a_notebook_shows_the_table_and_the_sentence(result: Result) -> None:
    seen = Cells()
    seen.feed(result._repr_html_())
    assert not seen.open and seen.rows == result.cells()
    assert seen.texts == {"caption": result.subject, "p": result.sentence}
    assert len({len(row) for row in seen.rows}) == 1


def test_names_are_escaped_in_a_notebook() -> None:
    hostile = errors(1.0, {"<script>alert(1)</script>": (0.5, "worse")})._repr_html_()
    assert "<script" not in hostile and hostile.count("&lt;script&gt;") == 2


@pytest.mark.parametrize("kind", [memorycell.CrossValidation, memorycell.LearningCurve])
def test_the_exported_results_are_results(kind: type) -> None:
    result = results()[kind.__name__]
    assert isinstance(result, kind) and isinstance(result, Result) and str(result) == result.summary()
    assert result.sentence in result.summary()
    json.dumps(result.to_dict(), allow_nan=False)
    assert copy(result) != result and hash(result)  # results hold arrays: they are compared as objects


def test_a_model_of_a_result_is_short_to_look_at_too() -> None:
    found = results()["CrossValidation"]
    assert isinstance(found, CrossValidation) and len(repr(found.models[0])) < 800


def test_a_frame_of_a_cross_validation_has_a_row_per_model() -> None:
    found = results()["CrossValidation"]
    assert isinstance(found, CrossValidation)
    frame = found.to_frame().set_index("model")
    assert list(frame.index) == [model.name for model in found.ranking]
    assert frame.loc["GaussianNB", "accuracy"] == found.score and frame.loc["majority class", "outcome"] == "better"
