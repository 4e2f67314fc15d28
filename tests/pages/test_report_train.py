"""Baselines on new data, which learn from the training rows; and what is said of whose data were whose."""

import pytest

from memorycell import Forecaster, SequenceClassifier, SequenceRegressor, write_report

QUICK = {"hidden_size": 4, "epochs": 1, "verbose": False, "n_threads": 1, "embedding_size": 4}
TEXTS = ["warm soup", "cold soup", "fine tea", "bad tea"]


def written(path, rows, shift=0):
    lines = [f"{TEXTS[(i + shift) % 4]},{'gb'[(i + shift) % 2]}" for i in range(rows)]
    path.write_text("text,label\n" + "\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    train, new, other = (
        written(folder / f"{name}.csv", rows) for name, rows in [("train", 40), ("new", 12), ("old", 32)]
    )
    model = SequenceClassifier(**QUICK, text="text", target="label").fit(train)
    return model, train, new, other


def said(model, data, train=None):
    return " | ".join(model.measured(data, train=train).notes)


def test_baselines_are_shown_on_new_data(made, tmp_path):
    model, train, new, _ = made
    result = model.measured(new, train=train)
    assert [one.name for one in result.models[1:]] == ["majority class", "TF-IDF + logistic regression"]
    assert "baselines were trained on train.csv (40 rows), as the model was" in result.notes
    text = write_report(tmp_path / "a.html", model, new, train=train).read_text(encoding="utf-8")
    assert "TF-IDF + logistic regression" in text and "as the model was" in text
    alone = write_report(tmp_path / "b.html", model, new).read_text(encoding="utf-8")
    assert "TF-IDF + logistic regression" not in alone


def test_whose_data_were_whose(made):
    model, train, new, other = made
    assert "the model on another file (train.csv): they did not learn from the same" in said(model, new, other)
    assert "measured on train.csv, the file that the model was trained on" in said(model, train)
    assert "baselines were trained on what they are measured by, new.csv" in said(model, new, new)
    frames = said(model, new, model.read([TEXTS[0], TEXTS[1]] * 4, ["g", "b"] * 4))
    assert "whether the model was trained on the same is not known" in frames


def test_lists_of_both_and_what_cannot_be_asked(made, tmp_path):
    model, train, new, _ = made
    listed = (["warm soup", "bad tea"] * 6, ["g", "b"] * 6)
    text = write_report(tmp_path / "a.html", model, listed, train=listed).read_text(encoding="utf-8")
    assert "majority class" in text
    with pytest.raises(ValueError, match="evaluation= or train=, got both"):
        write_report(tmp_path / "b.html", model, new, train=train, evaluation=model.measured(new))
    forecaster = Forecaster(window=4, epochs=1, verbose=False, hidden_size=4).fit({"y": list(range(60))})
    with pytest.raises(TypeError, match="train= is not for the report on a Forecaster"):
        write_report(tmp_path / "c.html", forecaster, {"y": list(range(60))}, train={"y": list(range(60))})


def test_numbers_have_baselines_too(tmp_path):
    x, y = [[float(i % 7), i % 3, i % 5] for i in range(40)], [float(i % 7) for i in range(40)]
    model = SequenceRegressor(hidden_size=4, epochs=1, verbose=False, n_threads=1).fit(x, y)
    text = write_report(tmp_path / "a.html", model, (x[:9], y[:9]), train=(x, y)).read_text(encoding="utf-8")
    assert "ridge on all values" in text
