"""Reports on classifiers and regressors: what they say, what they may not say, and what must not come through."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from memorycell import write_report
from memorycell.evaluation.cross_validation import cross_validate, evaluate_held_out
from memorycell.jobs.labelling.classifier import SequenceClassifier
from memorycell.jobs.labelling.mistakes import Case, explain
from memorycell.jobs.labelling.regressor import SequenceRegressor
from memorycell.pages.highlight import Span, highlighted, strip, surprises
from memorycell.pages.plots.classes import confusion, most_confused, side_by_side
from memorycell.pages.sections.learner import rising
from pages import HOSTILE, REVERSED, page_of

SECTIONS = ["accuracy", "classes", "mistakes", "data", "learning", "memory", "model", "reproduce"]
FLATTERS = "if it was, "


def small(task=SequenceClassifier, **options):
    given = {"hidden_size": 4, "epochs": 2, "n_threads": 1, "verbose": False, "refit": False}
    return task(**{**given, **options})


def opinions(count=60, seed=0):
    """Texts whose words tell their class, most of the time."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(["bad", "good"], count)
    words = [f"{'fine' if (label == 'good') != (generator.random() < 0.2) else 'poor'} thing" for label in labels]
    return words, labels


@pytest.fixture(scope="module")
def fitted():
    return small(epochs=12, embedding_size=8).fit(*opinions())


@pytest.fixture(scope="module")
def judged(fitted):
    return evaluate_held_out(fitted, *opinions(seed=1), train=opinions())


def test_every_section_is_there_with_the_evaluation_s_own_words(tmp_path, fitted, judged):
    page = page_of(
        tmp_path, fitted, opinions(seed=1), evaluation=judged, command="memorycell report …", drawn=True, phone=True
    )
    assert page.sections == SECTIONS
    assert judged.outcome in page.text and "60 rows that it had not seen" in page.text
    for found in judged.comparisons:
        assert found.text[1:] in page.text
    for words in ("TF-IDF + logistic regression", "macro-F1", "memorycell report …", "false positive rate"):
        assert words in page.text, words
    assert {mark[:-1] for mark in page.marks} == {"for", "against"}


@pytest.mark.parametrize(
    "seen, said, headline",
    [
        (True, "are the ones that it was trained on", False),
        (None, "is not recorded", False),
        (False, "60 texts that it had not seen", True),
    ],
)
def test_what_it_does_on_training_data_is_no_headline(tmp_path, fitted, seen, said, headline):
    page = page_of(tmp_path, fitted, opinions(seed=1), seen=seen)
    assert said in page.text
    head = page.text[: page.text.index("How good it is")]
    assert ("accuracy" in head) == headline
    assert ("was not measured here" in head) == (not headline)
    assert ("How well its probabilities rank" in page.text) == headline


@pytest.mark.parametrize("seen, said", [(None, FLATTERS), (True, "It was trained on them"), (False, "had not seen")])
def test_an_evaluation_of_data_that_may_have_been_trained_on_says_so(tmp_path, fitted, seen, said):
    alone = evaluate_held_out(fitted, *opinions(seed=1))
    page = page_of(tmp_path, fitted, opinions(seed=1), evaluation=alone, seen=seen)
    assert said in page.text
    assert ("had not seen" in page.text) == (seen is False)


def test_folds_are_shown_with_answers_of_models_that_had_not_seen_the_sample(tmp_path, fitted):
    folds = cross_validate(small(embedding_size=8), *opinions(), folds=2, baselines=False)
    page = page_of(tmp_path, fitted, opinions(), evaluation=folds, seen=True)
    assert "In 2 stratified folds" in page.text and "Fold by fold" in page.text
    assert "Answers are those of models that had not learned from the sample" in page.text


def test_hostile_texts_and_labels_are_only_text(tmp_path):
    texts = [HOSTILE, REVERSED + " fine", "poor " * 400, "so $x$"] * 2
    labels = [HOSTILE, REVERSED, "a" * 300, "日本語 👩\u200d🚀"] * 2
    model = small(embedding_size=4).fit(texts, labels)
    if model.predict(texts[:1])[0] == HOSTILE:  # so that text and label are shown as a mistake's
        labels = labels[1:] + labels[:1]
    page = page_of(tmp_path, model, (texts, labels), seen=False, command=f"fit '{HOSTILE}'", drawn=True)
    assert page.text.count(HOSTILE) > 3 and "日本語 👩\u200d🚀" in page.text
    assert "more characters)" in page.text and "�gnp�" in page.text


def test_a_single_sample_has_a_page(tmp_path, fitted):
    page = page_of(tmp_path, fitted, (["\u200b"], ["good"]))
    assert page.sections == SECTIONS


def test_samples_without_labels_have_a_page(tmp_path, fitted):
    page = page_of(tmp_path, fitted, opinions()[0])
    assert page.sections == [name for name in SECTIONS if name not in ("classes", "mistakes")]
    assert "without labels" in page.text


@pytest.mark.parametrize("kind", ["numbers", "channels", "symbols", "lists"])
def test_other_sequences_have_pages(tmp_path, kind):
    generator = np.random.default_rng(0)
    labels = np.arange(24) % 3
    series = [np.sin(np.arange(9 + k % 4) * (1 + k % 3)) + 0.1 * generator.normal(size=9 + k % 4) for k in range(24)]
    given = {
        "numbers": series,
        "channels": [np.stack([each] * 8, 1) for each in series],
        "symbols": ["ACGT"[k % 3] * 5 + "A" for k in range(24)],
        "lists": [["in", "xyz"[k % 3], "<b>"] for k in range(24)],
    }[kind]
    model = small(kind="symbols" if kind == "symbols" else "auto", epochs=3, convolution=False).fit(given, labels)
    page = page_of(tmp_path, model, (given, labels), seen=False)
    assert page.sections == SECTIONS
    assert ("rect" in page.tags) == (kind in ("numbers", "channels"))
    assert ("the 6 that vary most" in page.text) == (kind == "channels")


def test_several_labels_have_a_page(tmp_path):
    texts = ["red round", "red", "round", "blue"] * 6
    labels = [["red", "round"], ["red"], ["round"], []] * 6
    model = small(embedding_size=4).fit(texts, labels)
    page = page_of(tmp_path, model, (texts, labels), seen=False)
    assert "micro-F1" in page.text and "2 labels of texts: red and round" in page.text


def test_a_file_is_named_with_its_hash_and_how_to_fit_it(tmp_path):
    source = tmp_path / "<b>tweets.csv"
    rows = "\n".join(f"{text},{label}" for text, label in zip(*opinions(), strict=True))
    source.write_text(f"text,mood\n{rows}\n", encoding="utf-8")
    model = small(text="text", target="mood", embedding_size=4).fit(source)
    page = page_of(tmp_path, model, source, seen=True)
    fitted = f"classifier.fit({str(source)!r})"  # a path that is there
    assert "SHA-256" in page.text and fitted in page.text
    # The model knows its file: only of another one the page cannot say that.
    assert fitted in page_of(tmp_path, model, source).text
    other = tmp_path / "others.csv"
    other.write_text(f"text,mood\n{rows}\nfine thing,good\n", encoding="utf-8")
    text = page_of(tmp_path, model, other).text
    assert "training_data = ... # the path of <b>tweets.csv, SHA-256" in text and "fit(training_data)" in text


def test_numbers_have_a_page(tmp_path):
    x = np.random.default_rng(0).normal(size=(50, 6))
    y = 100 + 10 * x.sum(1)
    model = small(SequenceRegressor, convolution=False, epochs=4).fit(x, y)
    found = evaluate_held_out(model, x, y, train=(x, y))
    page = page_of(tmp_path, model, (x, y), evaluation=found, unit="°C")
    assert page.sections == ["accuracy", "numbers", *SECTIONS[2:]]
    for words in ("RMSE", "R²", "°C", "predicted less true", "raises it", "ridge"):
        assert words in page.text, words
    page = page_of(tmp_path, model, (x, np.stack([y], 1)), seen=True)
    assert "was not measured here" in page.text
    two = small(SequenceRegressor, convolution=False).fit(x, np.stack([y, -y], 1))
    assert "output 2" in page_of(tmp_path, two, (x, np.stack([y, -y], 1))).text


def test_what_the_colours_say_sums_to_the_log_odds(fitted):
    texts = ["fine thing", "poor thing thing"]
    samples = fitted.read(texts, labelled=False)
    places = {name: k for k, name in enumerate(fitted.classes_.tolist())}
    good = explain(fitted, samples, [Case(0, "good", ""), Case(1, "good", "")])
    bad = explain(fitted, samples, [Case(0, "bad", ""), Case(1, "bad", "")])
    assert [len(weights) for weights in good] == [2, 3]
    nothing = fitted.network_.forward_embedded(torch.zeros(1, 2, 8), torch.tensor([2])).detach().double().numpy()
    chance = fitted.calibration_.probabilities(nothing)[0, places["good"]]
    baseline = np.log(chance / (1 - chance))
    odds = fitted.predict_proba(texts[:1])[0, places["good"]]
    np.testing.assert_allclose(good[0].sum() + baseline, np.log(odds / (1 - odds)), atol=0.02)
    for one, other in zip(good, bad, strict=True):
        np.testing.assert_allclose(one, -other, atol=1e-4)


def test_a_report_leaves_the_model_and_the_random_generators_alone(tmp_path, fitted):
    notes, state = list(fitted.notes_), torch.get_rng_state()
    fitted_long = (["fine " * 1200, "poor"], ["good", "bad"])
    page = page_of(tmp_path, fitted, fitted_long)
    assert "longer than 1000 steps" in page.text
    assert fitted.notes_ == notes and torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    "model, data, error, said",
    [
        (SequenceClassifier(), (["a"], ["b"]), ValueError, "not fitted"),
        (object(), (["a"], ["b"]), TypeError, "expected a fitted task"),
        ("fitted", ([1.0], ["b"]), TypeError, "expected"),
    ],
)
def test_what_cannot_be_reported_is_refused(tmp_path, fitted, model, data, error, said):
    with pytest.raises(error, match=said):
        write_report(tmp_path / "r.html", fitted if model == "fitted" else model, data)
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize(
    "classes, width, shown", [(2, 340, 2), (9, 720, 9), (30, 720, 30), (45, 720, 30), (45, 340, 15)]
)
def test_confusion_matrices_of_any_size_fit_and_are_legible(classes, width, shown):
    counts = np.random.default_rng(0).integers(0, 9, (classes, classes)) + 30 * np.eye(classes, dtype=int)
    figure = confusion(counts, [f"a rather long name {k}" for k in range(classes)], width=width)
    axes = figure.axes[0]
    assert len(axes.get_yticks()) == shown == len(most_confused(counts, shown))
    assert len(axes.patches) == shown * (shown + (classes > shown))
    assert figure.get_figwidth() * 72 == pytest.approx(width)
    written = [*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels()]
    assert min(text.get_fontsize() for text in written) >= 10
    box = axes.get_window_extent()  # in pixels: a line of text needs so much
    assert box.height / shown >= 15 or width == 340
    assert len({text.get_text() for text in axes.get_yticklabels()}) == shown  # names that differ stay different


def test_classes_that_are_taken_for_each_other_stand_together():
    counts = np.diag(np.full(20, 40))
    pairs = [(0, 13), (2, 17), (5, 11)]
    for one, other in pairs:
        counts[one, other] = counts[other, one] = 30
    order = side_by_side(counts).tolist()
    assert sorted(order) == list(range(20))
    assert all(abs(order.index(one) - order.index(other)) == 1 for one, other in pairs)
    names = [f"c{k}" for k in range(20)]
    shown = [text.get_text() for text in confusion(counts, names).axes[0].get_yticklabels()]
    assert shown == [names[k] for k in order]
    twelve = [text.get_text() for text in confusion(counts[:12, :12], names[:12]).axes[0].get_yticklabels()]
    assert twelve == names[:12]  # as the user has them, where one looks over them at once


def test_what_went_to_classes_that_are_not_drawn_is_a_column():
    counts = np.diag(np.full(40, 8))
    counts[0, 39], counts[0, 1] = 5, 7  # the classes 0 and 1 are among the 15, 39 too
    counts[np.arange(15), np.arange(15) + 1] += 6
    figure = confusion(counts, [f"c{k}" for k in range(40)], width=340)
    assert figure.axes[0].get_xticklabels()[-1].get_text() == "25 others"


def test_long_texts_are_cut_to_where_the_weight_is():
    text = "word " * 400
    made = highlighted(text, [Span(1500, 1504, 2.0), Span(1505, 1509, -1.0)], limit=100)
    assert made.startswith("…") and "more characters" in made
    assert 'class="for5" title="+2.00"' in made and 'class="against3" title="−1.00"' in made
    assert highlighted("ab", [Span(0, 1, 0.0)]) == "<span>a</span><span>b</span>"


def test_strips_and_surprises_take_gaps_and_nothing():
    assert strip(np.array([1.0, np.nan, 2.0]), np.zeros(3)).count("M") == 2
    assert "<rect" not in strip(np.ones(4), np.zeros(4))
    assert surprises("", [], 0.0) == ""


def test_over_fitting_is_named_from_the_curve_only_where_it_happens():
    def said(*losses):
        history = [{"epoch": k, "loss": 1 / k, "val_loss": loss} for k, loss in enumerate(losses, 1)]
        return rising(SimpleNamespace(best_epoch_=2, history_=history))

    assert said(1.0, 0.5, 0.6).startswith("Over-fitting after epoch 2: by epoch 3 the validation loss")
    assert said(1.0, 0.5, 0.52) == said(None) == said(1.0, 0.5) == ""
