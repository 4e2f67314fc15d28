"""Pictures that show themselves: in notebooks, in files, and those that models draw first."""

import base64
import io
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from memorycell import Forecaster, LanguageModel, SequenceClassifier, SequenceRegressor, Tagger, plot
from memorycell.pages.drawing import canvas, label, panels, titled
from memorycell.pages.highlight import Span
from memorycell.pages.plots.surprise import tokens_drawn

COUNTS = np.array([[8, 2], [1, 9]])


def png_of(picture) -> np.ndarray:
    return imread(io.BytesIO(base64.b64decode(picture._repr_mimebundle_()[0]["image/png"])))


def said(picture) -> str:
    """All that is written in a picture."""
    from matplotlib.text import Text

    return "\n".join(text.get_text() for text in picture.findobj(Text))


@pytest.mark.parametrize("made", [canvas(200, 100)[0], panels(200, [50, 50])[0], plot.confusion(COUNTS, ["a", "b"])])
def test_every_picture_shows_itself(made) -> None:
    data, about = made._repr_mimebundle_()
    assert (
        data["image/svg+xml"].startswith("<svg") and f'width="{about["image/png"]["width"]}"' in data["image/svg+xml"]
    )
    assert made._repr_mimebundle_(include={"image/png"})[0].keys() == {"image/png"}
    assert made._repr_mimebundle_(exclude={"image/png"})[0].keys() == {"image/svg+xml"}


def test_it_stands_on_paper_unless_it_is_to_be_transparent(tmp_path) -> None:
    picture = plot.confusion(COUNTS, ["a", "b"])
    assert (png_of(picture)[0, 0] == 1).all()
    picture.savefig(tmp_path / "clear.png", transparent=True)
    assert imread(tmp_path / "clear.png")[0, 0, 3] == 0
    assert picture.get_facecolor() == (0, 0, 0, 0), "the page's own colour shines through in the report"


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_the_same_picture_is_the_same_file(kind: str) -> None:
    one, other = (plot.confusion(COUNTS, ["a", "b"]).rendered(kind) for _ in range(2))
    assert one == other


def test_letters_of_other_scripts_are_text_in_svg_and_missing_ones_are_told() -> None:
    picture = plot.confusion(COUNTS, ["日本語", "Ω & <b>"])
    svg = picture._repr_mimebundle_()[0]["image/svg+xml"]
    assert "日本語" in svg and "&lt;b&gt;" in svg and "<b>" not in svg
    assert set(picture.letters_missing()) <= set("日本語")
    assert plot.confusion(COUNTS, ["a", "Ω"]).letters_missing() == ""


def test_a_long_title_is_broken_and_makes_room_for_itself() -> None:
    figure = canvas(300, 100)[0]
    titled(figure, "so many words " * 8, "and more")
    assert said(figure).count("\n") >= 4 and figure.get_figheight() * 72 > 150


def test_class_scores_keep_the_most_frequent_and_say_what_is_left_out() -> None:
    rows = [{"class": f"c{k}", "precision": 0.5, "recall": 1.0, "f1": 2 / 3, "support": k} for k in range(35)]
    for width in (720, 340):
        text = said(plot.class_scores(rows, "span", width=width))
        assert "c34" in text and "c4\n" not in text and "5 rarer ones are not drawn" in text


def test_outputs_that_are_not_drawn_are_counted() -> None:
    numbers = np.arange(12.0).reshape(2, 6)
    figure = plot.predicted_and_true(numbers, numbers + 1)
    assert len(figure.axes) == 8 and "2 more outputs are not drawn" in figure.get_supxlabel()


def test_a_text_runs_on_in_lines_and_marks_what_is_unknown() -> None:
    text = "a word that is rather long, 語語\n" * 20
    ends = np.cumsum([len(word) + 1 for word in text.replace("\n", " ").split(" ")[:-1]])
    spans = [Span(int(start), int(stop) - 1, 2.0) for start, stop in zip([0, *ends], ends, strict=False)]
    figure = plot.surprise_by_token(text, spans, unknown={0}, most_lines=3, width=340)
    assert len(figure.axes) == 3 and "grey: unknown to the model" in said(figure)
    assert 0 < tokens_drawn(text, spans, most_lines=3, width=340) < len(spans)
    assert label("語" * 50, 10) == "語" * 9 + "…"


# ---------------------------------------------------------------------- those that models draw first

TEXTS, LABELS = ["good film", "bad film", "so good", "so bad"] * 5, ["+", "-", "+", "-"] * 5
QUICK = {"hidden_size": 4, "epochs": 1, "verbose": False, "n_threads": 1}


@pytest.fixture(scope="module")
def classifier() -> SequenceClassifier:
    return SequenceClassifier(**QUICK).fit(TEXTS, LABELS)


def test_a_classifier_draws_what_it_takes_for_what(classifier) -> None:
    picture = classifier.plot((TEXTS, LABELS))
    assert isinstance(picture, Figure) and "of 20 texts right" in said(picture)
    one = classifier.plot((TEXTS[:1], LABELS[:1]), width=340)
    assert "of 1 text right" in said(one) and png_of(one).size


def test_samples_without_answers_are_refused_in_a_sentence(classifier) -> None:
    with pytest.raises(
        ValueError, match=r"expected samples with their classes, .*: give \(X, y\), or a file that holds"
    ):
        classifier.plot(TEXTS)
    with pytest.raises(ValueError, match="expected data, got None: a SequenceClassifier keeps none"):
        classifier.plot()
    with pytest.raises(ValueError, match="future is not for models of this kind: they know delimiter"):
        classifier.plot((TEXTS, LABELS), future="x.csv")


def test_a_file_that_was_trained_on_is_told(tmp_path) -> None:
    file = tmp_path / "texts.csv"
    file.write_text("text,label\n" + "".join(f"{x},{y}\n" for x, y in zip(TEXTS, LABELS, strict=True)))
    model = SequenceClassifier(**QUICK, text="text", target="label").fit(file)
    assert "it was trained on them: this flatters" in said(model.plot(file))


def test_several_labels_have_a_line_each() -> None:
    model = SequenceClassifier(**QUICK).fit(TEXTS, [["good"] if "good" in text else ["bad", "sad"] for text in TEXTS])
    text = said(model.plot((TEXTS, [["good"]] * 20)))
    assert "micro-F1" in text and "sad" in text and "precision" in text


def test_a_regressor_draws_predicted_and_true() -> None:
    x = [np.sin(np.arange(8) * rate) for rate in (0.1, 0.2, 0.3, 0.4) * 3]
    model = SequenceRegressor(**QUICK).fit(x, np.arange(24.0).reshape(12, 2))
    picture = model.plot((x, np.arange(24.0).reshape(12, 2)), unit="Hz")
    assert "Hz" in said(picture) and "output 2: predicted less true" in said(picture)
    with pytest.raises(ValueError, match="with their numbers"):
        model.plot(x)


def test_a_tagger_draws_tags_and_of_names_whole_spans() -> None:
    x, tags = [["in", "New", "York", "now"]] * 8, [["O", "B-place", "I-place", "O"]] * 8
    model = Tagger(**QUICK).fit(x, tags)
    text = said(model.plot((x, tags)))
    assert "place" in text and "B-place" not in text and "F1 of 8 spans" in text
    plain = Tagger(**QUICK).fit(x, [["P", "N", "N", "A"]] * 8)
    assert "8 words" not in said(plain.plot((x, [["P", "N", "N", "A"]] * 8))) and "of 32 words right" in said(
        plain.plot((x, [["P", "N", "N", "A"]] * 8))
    )
    with pytest.raises(ValueError, match="expected labels y"):
        plain.plot(x)


def test_a_language_model_draws_the_surprise_of_each_token() -> None:
    text = "the cat sat on the mat\n" * 30
    model = LanguageModel("word", **QUICK).fit(text)
    picture = model.plot("the dog sat on the mat\n")
    assert "dog" in said(picture) and "grey: unknown" in said(picture) and "7 tokens" in said(picture)
    assert "7 tokens" in said(model.plot(text, row=2))
    with pytest.raises(ValueError, match="expected a line"):
        model.plot(text, row=99)
    with pytest.raises(ValueError, match="got a Corpus"):
        model.plot(model.read(text).corpus(model.codec_))


def test_a_forecaster_draws_what_comes_and_what_came() -> None:
    table = {name: np.sin(np.arange(80) / 3) + place for place, name in enumerate(("y", "z"))}
    model = Forecaster(horizon=3, window=6, **QUICK).fit(table, ["y", "z"])
    assert len(model.plot().axes) == 2 and "what came" not in said(model.plot())
    past = model.plot(table, at=60, target="z", unit="m")
    assert len(past.axes) == 1 and "what came" in said(past) and "z (m)" in said(past)
    with pytest.raises(ValueError, match="expected one of the targets"):
        model.plot(target="x")


def test_known_columns_that_are_missing_for_the_steps_to_come_are_asked_for() -> None:
    table = {"y": np.sin(np.arange(80) / 3), "k": np.arange(80.0)}
    model = Forecaster(horizon=3, window=6, known_future="k", **QUICK).fit(table, "y")
    with pytest.raises(ValueError, match="draw a forecast from a date within the table with at="):
        model.plot()
    assert "what came" in said(model.plot(at=60))
    assert "forecast" in said(model.plot(future={"k": np.arange(80.0, 83.0)}))


def test_pictures_load_no_pyplot(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # whoever imports it now fails
    assert plot.confusion(COUNTS, ["a", "b"])._repr_mimebundle_()[0]
