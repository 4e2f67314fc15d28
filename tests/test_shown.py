"""What people look at, looked at: short reprs, tables for notebooks, frames of figures."""

import html.parser
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from memorycell import (
    Forecaster,
    LanguageModel,
    ParameterGroup,
    SequenceClassifier,
    SequenceRegressor,
    States,
    Tagger,
    TextCodec,
    TrainingOptions,
    active_units,
    adding_problem,
    compare_cells,
    cross_validate,
    find_pattern,
    gradient_flow,
    learning_curve,
    linear_probe,
    nearest_states,
    project,
    read_labelled,
    read_table,
    read_tagged,
    train,
)
from memorycell.data.batch import Batch
from memorycell.data.figures import Figures, html_table
from memorycell.data.streams import SampleStream
from memorycell.insight.gradient_flow import gradient_flow_of
from memorycell.insight.lookback import Lookback
from memorycell.networks.base import Loss, Network

LONGEST = 600
QUICK: dict[str, Any] = {"epochs": 1, "verbose": False, "n_threads": 1}
DECAY = np.geomspace(1.0, 0.01, 40)
LOOKBACK = Lookback(DECAY, np.arange(40), DECAY, share=0.95, ahead=0.0, sequences=8)  # as `lookback` makes it, slowly
HOSTILE = "<img src=x onerror=alert(1)>"


class Line(Network):
    def __init__(self) -> None:
        super().__init__()
        self.slope = torch.nn.Parameter(torch.zeros(1))

    def loss(self, batch, state=None) -> Loss:
        return Loss((self.slope * batch.inputs["x"] - batch.targets).square().sum(), len(batch))


class Points:
    def __len__(self) -> int:
        return 8

    def gather(self, rows):
        return Batch({"x": rows / 8}, targets=rows / 4, rows=rows)


@cache
def made() -> dict[str, Any]:
    """One of everything that people get back, of many numbers each, made once."""
    waves = [np.sin(np.arange(60) * rate) for rate in np.linspace(0.2, 1.4, 60)]
    labels = [f"{HOSTILE} {k % 30}" for k in range(60)]
    model = SequenceClassifier(hidden_size=8, **QUICK).fit(waves, labels)
    states = States.of(model.trace(waves[:4]))
    readings = np.sin(np.arange(160) / 5)
    forecaster = Forecaster(horizon=4, window=8, **QUICK).fit(readings[:120])
    scores = forecaster.evaluate(readings, baselines=())
    tagger = Tagger(hidden_size=4, **QUICK).fit([["in", "New", "York"]] * 10, [["O", "B-p", "I-p"]] * 10)
    tagged = tagger.evaluate([["in", "New", "York"]] * 10, [["O", "B-p", "I-p"]] * 10)
    text = "the cat sat on the mat\n" * 40
    language = LanguageModel("word", hidden_size=4, **QUICK).fit(text)
    new = SequenceClassifier(hidden_size=2, **QUICK)
    folds = cross_validate(new, waves, [f"{HOSTILE}{k % 2}" for k in range(60)], folds=2, baselines=False)
    frame = pd.DataFrame({"text": ["a", "b"] * 50, "label": [0, 1] * 50})
    memory, pattern = model.memory(waves), active_units(states, 0, 2, 40)
    flow = gradient_flow(np.ones((2, 10, 3), np.float32), cells=("LSTM",), hidden_size=4, seeds=1)
    comparison = compare_cells(
        Forecaster(horizon=2, window=6, **QUICK), readings[:80], cells=("RNN",), seeds=1, folds=1
    )
    curve = learning_curve(new, waves, [k % 2 for k in range(60)], sizes=(0.5, 1.0), folds=2)
    return {
        "classifier": model, "forecaster": forecaster, "tagger": tagger, "language": language,
        "regressor": SequenceRegressor(hidden_size=4, **QUICK).fit(waves, np.arange(60.0)),
        "unfitted": Forecaster(horizon=3, quantiles=tuple(np.linspace(0.01, 0.99, 90).tolist())),
        "plan": model.plan_, "memory": memory, "layer of memory": memory.layers[0], "lookback": LOOKBACK,
        "explanation": model.explain(waves, row=1), "explained": model.explained(waves, row=1),
        "forecast explained": forecaster.explain(), "model trace": model.trace(waves), "trace": model.trace(waves).top,
        "states": states, "active": pattern, "matches": find_pattern(states, 0, 2, 40),
        "neighbours": nearest_states(states, 0, 5),
        "projection": project(states), "gradient flow": flow, "flow": flow.flows[0],
        "state gradient": gradient_flow_of(model.explained(waves, row=1))[0],
        "probe": linear_probe(states, np.arange(len(states)) % 2, tokens=np.arange(len(states)) % 7),
        "answers": model.answers(waves), "samples": model.read(waves), "cross-validation": folds,
        "scores of a model": folds.models[0], "measures": folds.models[0].measures, "learning curve": curve,
        "adding problem": adding_problem(lags=(4,), cells=("GRU",), max_batches=10), "comparison": comparison,
        "evaluation": scores, "result of a model": scores.models[0], "scores": scores.models[0].scores[0],
        "forecasts": forecaster.forecast_end(readings), "encoded": forecaster.encode(readings),
        "tag scores": tagged, "entities": tagged.entities, "language evaluation": language.evaluate(text),
        "corpus": language.read(text).corpus(language.codec_), "codec": TextCodec("word").fit([text]),
        "options": TrainingOptions(), "training": train(Line(), SampleStream(Points(), 4), TrainingOptions(epochs=30)),
        "group": ParameterGroup(model.network_.parameters()), "table": read_table(np.zeros((500, 40))),
        "labelled": read_labelled(frame, text="text", target="label"),
    }  # fmt: skip


NAMES = (
    "classifier", "forecaster", "tagger", "language", "regressor", "unfitted", "plan", "memory", "layer of memory",
    "lookback", "explanation", "explained", "forecast explained", "model trace", "trace", "states", "active", "matches",
    "neighbours", "projection", "gradient flow", "flow", "state gradient", "probe", "answers", "samples",
    "cross-validation", "scores of a model", "measures", "learning curve", "adding problem", "comparison", "evaluation",
    "result of a model", "scores", "forecasts", "encoded", "tag scores", "entities", "language evaluation", "corpus",
    "codec", "options", "training", "group", "table", "labelled",
)  # fmt: skip
WITHOUT_FIGURES = {
    "classifier", "forecaster", "tagger", "language", "regressor", "unfitted", "explained", "model trace", "trace",
    "states", "samples", "encoded", "corpus", "codec", "options", "group", "table", "labelled",
}  # fmt: skip
MODELS = {"classifier", "forecaster", "tagger", "language", "regressor", "unfitted"}


class Tags(html.parser.HTMLParser):
    """The elements of a page, and the text in it; an element that is not closed is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.text = ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs) -> None:
        self.open.append(tag)
        self.seen.append(tag)
        assert all(name == "style" for name, _ in attrs)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data) -> None:
        self.text += data


def test_everything_is_looked_at() -> None:
    assert set(made()) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_repr_is_short(name: str) -> None:
    text = repr(made()[name])
    assert 0 < len(text) <= LONGEST and text.count("\n") <= 2
    assert "array(" not in text and "tensor(" not in text and " object at 0x" not in text


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITHOUT_FIGURES])
def test_figures_are_frames_and_tables(name: str) -> None:
    found = made()[name]
    frame = found.to_frame()
    assert isinstance(found, Figures) and len(frame) and len(frame.columns) > 1
    assert len({tuple(row) for row in found.table()}) == 1, "all rows have the same keys"
    page = Tags(found._repr_html_())
    assert "table" in page.seen and "img" not in page.seen and len(page.text) < 20_000


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_model_says_what_it_is_in_a_notebook(name: str) -> None:
    page = Tags(made()[name]._repr_html_())
    assert type(made()[name]).__name__ in page.text and "img" not in page.seen and "script" not in page.seen
    if name == "unfitted":
        assert "not fitted yet" in page.text
        return
    for part in ("fitted", "parameters", "trained on", "1 epoch in", "What was chosen, and why"):
        assert part in page.text
    assert f"n_threads={made()[name].n_threads}" in page.text
    assert all(choice.reason in page.text for choice in made()[name].plan_)


def test_a_loaded_model_of_an_older_release_says_that_it_is_not_recorded(monkeypatch) -> None:
    model = made()["classifier"]
    monkeypatch.setattr(model, "trained_on_", {})
    assert "not recorded" in model._repr_html_()


def test_users_text_is_text() -> None:
    model = made()["classifier"]
    assert HOSTILE in Tags(model._repr_html_()).text
    assert "<img" not in made()["cross-validation"]._repr_html_() + made()["answers"]._repr_html_()


def test_long_tables_are_cut_and_say_so() -> None:
    text = html_table("many", [["n"], *([str(n)] for n in range(40))])
    assert text.count("<tr>") == 13 and "and 28 more rows: to_frame() has all" in text
    assert html_table("few", [["n"], *([str(n)] for n in range(15))]).count("<tr>") == 16


def test_no_colours_of_their_own() -> None:
    for name in ("classifier", "cross-validation", "memory"):
        assert "color" not in made()[name]._repr_html_() and "background" not in made()[name]._repr_html_()


def test_tagged_files_have_a_short_repr(tmp_path) -> None:
    (tmp_path / "words.tsv").write_text("a\tX\nb\tY\n\nc\tX\n")
    assert repr(read_tagged(tmp_path / "words.tsv")) == "Tagged(2 sentences, 3 words with tags)"


def test_a_plan_prints_a_line_per_choice() -> None:
    plan = made()["classifier"].plan_
    assert len(str(plan).splitlines()) == len(plan) == len(plan.to_frame())
    assert repr(plan).startswith("Plan: kind=numbers")
