"""Every task explains its own answer: the number is the one that it gives, and its parts add up to it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from memorycell import Forecaster, LanguageModel, SequenceClassifier, SequenceRegressor, Tagger
from memorycell.insight.methods import METHODS

DATES = np.datetime64("2024-01-01") + np.arange(120)
RNG = np.random.default_rng(0)
TABLE = {
    "date": DATES,
    "y": 20 + 5 * np.sin(np.arange(120) * np.pi / 6) + RNG.normal(size=120),
    "z": RNG.normal(size=120),
    "kind": np.array(["a", "b"])[RNG.integers(2, size=120)],
}
TEXTS = ["a warm welcome", "cold soup and a rude waiter", "warm and friendly", "rude and cold"] * 4
MOODS = ["good", "bad", "good", "bad"] * 4
WAVES = [np.sin(np.arange(12 + i % 3)[:, None] * rate) for i, rate in enumerate([0.3, 1.3, 0.4, 1.4] * 4)]
WORDS = [["the", "cat", "sat"], ["a", "dog", "ran", "home"], ["Rome", "fell"]] * 3
TAGS = [["D", "N", "V"], ["D", "N", "V", "A"], ["N", "V"]] * 3

FORECASTERS = {
    "stacked": {"network": "lstm", "normalize": "none", "linear": False},
    "level and ridge": {"network": "lstm", "normalize": "level", "linear": True},
    "encoder-decoder, scale": {"network": "encoder-decoder", "normalize": "scale", "cell": "GRU"},
    "segments": {"network": "segment", "segment": 5, "normalize": "level", "linear": True},
    "carried": {"state": "carried", "normalize": "level"},
    "two layers of RNN": {"cell": "RNN", "num_layers": 2},
}


@pytest.fixture(scope="module", params=FORECASTERS)
def forecaster(request):
    options = {"horizon": 3, "window": 12, "hidden_size": 6, **FORECASTERS[request.param]}
    return Forecaster(epochs=1, verbose=False, **options).fit(TABLE, target="y")


@pytest.fixture(scope="module")
def moods():
    return SequenceClassifier(hidden_size=6, epochs=2, verbose=False).fit(TEXTS, MOODS)


@pytest.fixture(scope="module")
def waves():
    return SequenceClassifier(hidden_size=6, num_layers=2, epochs=1, verbose=False).fit(WAVES, MOODS)


@pytest.fixture(scope="module", params=[False, True], ids=["softmax", "crf"])
def tagger(request):
    return Tagger(hidden_size=6, crf=request.param, epochs=1, min_count=1, verbose=False).fit(WORDS, TAGS)


@pytest.fixture(scope="module")
def language():
    model = LanguageModel(embedding_size=8, hidden_size=[6, 8], min_count=1, bptt=8, epochs=1, verbose=False)
    return model.fit("\n".join(TEXTS * 8))


def adds_up(model, X, value, **where):
    """Every method gives the same number, and its parts sum to it."""
    explained = model.explained(X, **where)
    for method in METHODS:
        options = {"steps": [0]} if method == "contextual decomposition" else {}
        explanation = model.explain(X, method=method, **where, **options)
        assert explanation.value == pytest.approx(value, rel=1e-4, abs=1e-4)
        assert explanation.total == pytest.approx(explanation.value, abs=1e-4 * max(1, abs(value)))
        assert len(explanation.scores) == len(explanation.labels) == len(explained)
        assert "residual" in explanation.terms
    decomposed = model.explain(X, method="decomposition", **where)
    assert abs(decomposed.terms["residual"]) <= 1e-4 * max(1, abs(value))


def test_a_forecast_is_explained(forecaster):
    said = forecaster.predict()["y"]
    for step in (1, 3):
        adds_up(forecaster, None, said[step - 1], step=step)


def test_a_forecast_from_an_earlier_date_is_that_of_the_table_up_to_it(forecaster):
    earlier = {name: column[:81] for name, column in TABLE.items()}
    said = forecaster.predict(earlier)["y"][1]
    for at in ("2024-03-21", DATES[80], 80, -40, "2024-03-21 07:30"):
        explained = forecaster.explained(TABLE, at=at, step=2)
        assert float(explained.function(explained.values[None]).detach()[0]) == pytest.approx(said, rel=1e-5)
    assert explained.labels[-1] == DATES[80] and explained.span == 86400
    np.testing.assert_allclose(explained.shown[-1], TABLE["y"][80], rtol=1e-6)


def test_a_forecasters_trace_has_its_dates(forecaster):
    trace = forecaster.trace(TABLE, at="2024-03-21")
    hidden = trace["hidden"]
    assert hidden.shape[2] == 1 and hidden.shape[3] == len(trace.labels[0])
    assert trace.labels[0][-1] <= DATES[80]
    first = next(iter(trace.layers.values()))
    torch.testing.assert_close(first["hidden"][-1, 0], first.output)


def margin(model, X, row, one, other):
    scores = model.calibration_.scores(model.raw(model.read(X, labelled=False)))[row]
    classes = model.classes_.tolist()
    return scores[classes.index(one)] - scores[classes.index(other)]


def test_a_classification_is_explained(moods, waves):
    for row in (1, -1):
        one = moods.predict(TEXTS)[row]
        other = "good" if one == "bad" else "bad"
        adds_up(moods, TEXTS, margin(moods, TEXTS, row, one, other), row=row)
    adds_up(moods, TEXTS, margin(moods, TEXTS, 2, "bad", "good"), row=2, output="bad", against="good")
    adds_up(waves, WAVES, margin(waves, WAVES, 3, "bad", "good"), row=3, output="bad")
    assert "convolutions" in waves.explain(WAVES, method="decomposition").terms
    explained = moods.explained(TEXTS, row=1)
    assert [explained.text[a:b] for a, b in explained.spans] == list(explained.labels) == TEXTS[1].split()


def test_within_inference_mode_answers_are_the_same(plain, moods):
    for model, data in ((plain, TABLE), (moods, TEXTS)):
        outside = model.explain(data, method="decomposition").scores
        with torch.inference_mode():
            np.testing.assert_allclose(model.explain(data, method="decomposition").scores, outside)
            assert model.explain(data).total == pytest.approx(model.explain(data).value)
            assert model.lookback(data).sentence()


def test_attention_is_that_of_the_pooling(moods):
    shares = moods.attention(TEXTS, row=1)
    assert shares.shape == (6,) and shares.sum() == pytest.approx(1) and shares.min() > 0
    last = SequenceClassifier(hidden_size=4, pooling=("last",), epochs=1, verbose=False).fit(TEXTS, MOODS)
    with pytest.raises(ValueError, match="expected pooling with attention"):
        last.attention(TEXTS)
    with pytest.raises(ValueError, match="row from 0 to 15"):
        moods.attention(TEXTS, row=99)


def test_several_labels_are_explained_one_by_one():
    model = SequenceClassifier(hidden_size=6, epochs=1, verbose=False)
    model.fit(TEXTS, [["warm"] if "warm" in text else ["cold", "rude"] for text in TEXTS])
    scores = model.calibration_.scores(model.raw(model.read(TEXTS, labelled=False)))
    adds_up(model, TEXTS, scores[1][model.classes_.tolist().index("rude")], row=1, output="rude")
    with pytest.raises(ValueError, match="expected no against="):
        model.explained(TEXTS, output="rude", against="warm")


def test_a_number_is_explained_in_its_units():
    numbers = 100.0 + 10 * np.arange(len(WAVES))
    model = SequenceRegressor(hidden_size=6, epochs=1, cell="GRU", verbose=False).fit(WAVES, numbers)
    adds_up(model, WAVES, model.predict(WAVES)[4], row=4)
    with pytest.raises(ValueError, match="outputs"):
        model.explained(WAVES, output=1)


def test_a_tag_is_explained(tagger):
    for row, place in ((1, 2), (0, -1)):
        k, chances = tagger.predict(WORDS)[row][place], tagger.predict_proba(WORDS)[row][place]
        best = np.log(chances[tagger.classes_.tolist().index(k)])
        other = np.log(np.delete(chances, tagger.classes_.tolist().index(k)).max())
        adds_up(tagger, WORDS, best - other, row=row, place=place)
    unsure = tagger.explained(WORDS, row=1)
    assert unsure.anchor == int(np.argmin(tagger.predict_proba(WORDS)[1].max(1)))


def test_a_tagger_above_another_network_is_explained(language):
    model = Tagger(pretrained=language, hidden_size=6, epochs=1, verbose=False).fit(WORDS, TAGS)
    chances = np.sort(model.predict_proba(WORDS)[1][2])
    adds_up(model, WORDS, np.log(chances[-1] / chances[-2]), row=1, place=2, output=model.predict(WORDS)[1][2])


def test_a_next_token_is_explained(language):
    text = "a warm welcome\ncold soup"
    explanation = language.explain(text, place=2, output="welcome", against="soup")
    assert list(explanation.labels) == ["(start)", "a", "warm"]
    adds_up(language, text, explanation.value, place=2, output="welcome", against="soup")
    tokens = language.codec_.encode([text.split("\n")[0]]).values
    with torch.no_grad():
        end = torch.tensor([2])
        scores = language.network_.scores(language.network_.run(torch.cat([end, tokens[:2]])[None])[0][0, -1])
    names = language.codec_.vocabulary
    expected = float(scores[names.index("welcome")] - scores[names.index("soup")])
    assert explanation.value == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert language.explained(text, row=1).text == "cold soup"
    assert language.explained(text).labels[-1] == "soup"


def test_the_context_of_a_long_text_is_in_the_state(language):
    text = " ".join(["warm and cold"] * 200)
    explained = language.explained(text)
    assert len(explained) == 256
    best = language.generate(text, 1, temperature=0).split()[0]
    assert explained.output.startswith(f"score of “{best}”") and explained.function(explained.values[None]).item() > 0


def test_traces_of_tasks_are_named_by_their_steps(moods, tagger, language, waves):
    trace = moods.trace(TEXTS, rows=[1, 0])
    assert trace["forget"].shape[:4] == (1, 2, 2, 6) and trace.labels == [TEXTS[1].split(), TEXTS[0].split()]
    assert trace.layers["encoder.layers.0"].lengths.tolist() == [6, 3]
    assert waves.trace(WAVES)["cell"].shape[0] == 2
    assert list(tagger.trace(WORDS).layers) == ["spelling.layer", "encoder.layers.0"]
    words = language.trace("a warm welcome")
    assert words.labels == [["(start)", "a", "warm", "welcome"]]
    with pytest.raises(ValueError, match=r"take one, trace\.layers\[name\]"):
        words["forget"]  # layers of 6 and 8 units


def test_traces_go_to_files(language, tmp_path):
    text = " ".join(["warm and cold"] * 2000)
    whole, filed = language.trace(text), language.trace(text, path=tmp_path / "traces")
    for name, layer in whole.layers.items():
        torch.testing.assert_close(filed.layers[name]["cell"], layer["cell"], rtol=1e-5, atol=1e-5)
    assert sorted(path.name for path in (tmp_path / "traces").iterdir()) == [
        f"encoder.layers.{n}.safetensors" for n in (0, 1)
    ]
    with pytest.raises(FileExistsError):
        language.trace(text, path=tmp_path / "traces")


def test_every_task_says_how_long_it_remembers(forecaster, moods, language):
    for model, data in ((forecaster, TABLE), (moods, TEXTS), (language, "\n".join(TEXTS * 8))):
        memory = model.memory(data)
        assert memory.sentence() and memory.to_dict()
        assert model.lookback(data).sentence()


@pytest.fixture(scope="module")
def plain():
    return Forecaster(2, 12, hidden_size=4, epochs=1, verbose=False).fit(TABLE, target="y")


def wrong(plain, moods, language, tagger):
    return {
        "before the first window": (lambda: plain.explained(TABLE, at="2024-01-05"), "2024-01-12 to 2024-04-29"),
        "after the end": (lambda: plain.explained(TABLE, at="2025-01-01"), "got 2025-01-01"),
        "no date": (
            lambda: plain.explained(TABLE, at="soon"),
            "such as 2024-04-29, got 'soon'",
        ),
        "a time zone": (lambda: plain.explained(TABLE, at="2024-02-01T10:00+02:00"), "without time zone"),
        "not a time": (lambda: plain.explained(TABLE, at=np.datetime64("NaT")), "without time zone"),
        "rows": (lambda: moods.trace(TEXTS, rows=[]), "at least one row, got an empty list"),
        "one row": (lambda: moods.trace(TEXTS, rows=3), "expected rows to be a list of rows, got int"),
        "a row that is not there": (lambda: plain.explained(TABLE, at=120), r"rows 11 to 119.*got row 120"),
        "step": (lambda: plain.explained(TABLE, step=3), "step from 1 to the horizon of 2, got 3"),
        "target": (lambda: plain.explained(TABLE, target="z"), "expected one of the targets y, got 'z'"),
        "series": (lambda: plain.explained(TABLE, series="north"), "the table holds a single one, got 'north'"),
        "row": (lambda: moods.explained(TEXTS, row=16), "row from 0 to 15"),
        "half a row": (lambda: moods.explained(TEXTS, row=0.5), "row from 0 to 15"),
        "class": (lambda: moods.explained(TEXTS, output="angry"), "expected one of the classes bad, good, got 'angry'"),
        "itself": (lambda: moods.explained(TEXTS, output="bad", against="bad"), "another class than bad"),
        "no text": (lambda: moods.explained([""]), "got (1 empty|an empty) one"),
        "method": (lambda: moods.explain(TEXTS, method="magic"), "integrated gradients"),
        "word": (lambda: tagger.explained(WORDS, place=3), r"0 to 2 \(3 words\), got 3"),
        "label": (lambda: tagger.explained(WORDS, output="X"), "expected one of the labels A, D, N, V, got 'X'"),
        "place": (lambda: language.explained("a warm", place=9), "the last of them the end"),
        "token": (lambda: language.explained("a warm", output="volcano"), "expected a token of the vocabulary"),
        "line": (lambda: language.explained("a\n\nb", row=2), "2 lines that are not empty"),
        "nothing": (lambda: language.explained(" "), "empty"),
        "too much": (lambda: language.trace("a " * 4000), r"takes .* GiB.*path="),
    }


def test_wrong_questions_say_what_there_is(plain, moods, language, tagger, monkeypatch):
    monkeypatch.setattr("memorycell.insight.asking.LARGEST_TRACE", 1 << 20)
    for name, (call, message) in wrong(plain, moods, language, tagger).items():
        with pytest.raises((ValueError, TypeError), match=message):
            call()
            pytest.fail(f"{name}: nothing was raised")


def test_marks_of_a_scheme_are_explained():
    """A conditional random field that forbids what its scheme forbids, whose gradients are finite all the same."""
    tags = [["O", "B-X", "I-X"], ["O", "B-X", "I-X", "O"], ["B-X", "O"]] * 3
    model = Tagger(hidden_size=6, epochs=2, min_count=1, verbose=False).fit(WORDS, tags)
    assert model.plan_["crf"]
    for row, place in ((0, 1), (1, 2)):
        chances = model.predict_proba(WORDS)[row][place]
        k = model.classes_.tolist().index(model.predict(WORDS)[row][place])
        other = np.delete(chances, k).max()
        adds_up(model, WORDS, np.log(chances[k] / other), row=row, place=place)
    assert model.lookback(WORDS).reach_by_gradient is not None
    with pytest.raises(ValueError, match="expected a label that can stand at place 0, got I-X"):
        model.explained(WORDS, row=0, place=0, output="I-X")


def test_a_layer_normalised_network_is_explained():
    model = SequenceClassifier(hidden_size=8, layer_norm=True, epochs=3, convolution=False, verbose=False)
    model.fit([np.random.default_rng(i).normal(size=(40, 2)) + i % 2 for i in range(20)], ["a", "b"] * 10)
    clips = [np.random.default_rng(i + 50).normal(size=(40, 2)) for i in range(3)]
    for row in range(3):
        found = model.explain(clips, row=row)
        change = abs(found.value - found.terms["baseline"])
        assert abs(found.terms["residual"]) <= 0.01 * change or "not complete" in found.note.lower()
        assert abs(found.terms["residual"]) <= change and np.isfinite(found.scores).all()


def test_all_of_a_table_is_remembered():
    many = {"id": np.repeat(["a", "b"], 60), "date": np.tile(DATES[:60], 2), "y": TABLE["y"]}
    model = Forecaster(2, 10, series="id", hidden_size=4, epochs=1, verbose=False).fit(many, target="y")
    (layer,) = model.memory(many).layers
    assert (layer.rows, layer.steps) == (10, 100)  # five whole windows of each series leave a horizon after them
    carried = Forecaster(2, 10, series="id", state="carried", hidden_size=4, epochs=1, verbose=False)
    (layer,) = carried.fit(many, target="y").memory(many).layers
    assert (layer.rows, layer.steps) == (2, 120)
    assert carried.lookback(many).span == 86400


def test_the_past_is_explained_without_knowing_the_future():
    table = {**TABLE, "holiday": (np.arange(120) % 7 == 0).astype(float)}
    model = Forecaster(2, 10, known_future=["holiday"], hidden_size=4, epochs=1, verbose=False).fit(table, target="y")
    for call in (model.explain, model.trace):
        assert call(table, at="2024-02-02") is not None
        with pytest.raises(ValueError, match="holiday"):
            call(table)
    with pytest.raises(ValueError, match="beyond, give the known-future columns"):
        model.explain(table, at=DATES[-1])


def test_subwords_are_asked_for_as_they_are_written():
    options = {"vocabulary_size": 300, "embedding_size": 8, "hidden_size": [8], "min_count": 1, "bptt": 8, "epochs": 1}
    model = LanguageModel("subword", verbose=False, **options).fit("\n".join(TEXTS * 8))
    assert any("Ġ" in token for token in model.codec_.vocabulary)
    marked = next(token for token in model.codec_.vocabulary[3:] if token.startswith("Ġ") and len(token) > 1)
    there = model.explained("a warm", output=" " + marked[1:])
    assert there.output.startswith(f"score of “ {marked[1:]}” less") and "Ġ" not in there.output


def test_what_was_never_fitted_has_nothing_to_tell():
    for model in (Forecaster(), SequenceClassifier(), Tagger(), LanguageModel()):
        for call in (model.explained, model.trace, model.explain, model.memory, model.lookback):
            with pytest.raises(ValueError, match="not fitted yet"):
                call(TEXTS)
