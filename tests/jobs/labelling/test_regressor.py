"""SequenceRegressor as its users meet it."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score

from memorycell import load
from memorycell.jobs.labelling.regressor import SequenceRegressor

QUICK = {"hidden_size": 8, "epochs": 40, "learning_rate": 0.02, "convolution": False, "batch_size": 16}
QUICK |= {"n_threads": 1, "verbose": False, "output_dropout": 0.0, "head_dropout": 0.0, "pooling": ("last", "mean")}


def sums(n=80, seed=0):
    """Ragged walks, and where they end: in thousands, so that units matter."""
    rng = np.random.default_rng(seed)
    x = [rng.normal(size=(int(rng.integers(3, 8)), 1)) for _ in range(n)]
    return x, np.array([5000 + 1000 * float(row.mean()) for row in x])


@pytest.mark.parametrize("columns", [0, 1, 2])
def test_numbers_are_predicted_in_their_units_and_shape(columns):
    x, y = sums()
    y = np.stack([y, -y / 1000], axis=1)[:, :columns] if columns else y
    model = SequenceRegressor(**QUICK).fit(x, y)
    found = model.predict(x)
    assert found.shape == y.shape and found.dtype == np.float64
    assert model.score(x, y) > 0.8
    assert abs(found.mean() - y.mean()) < 0.1 * y.std()


def test_score_is_that_of_scikit_learn():
    from sklearn.metrics import r2_score

    x, y = sums()
    y = np.stack([y, -y], axis=1)
    model = SequenceRegressor(**{**QUICK, "epochs": 3}).fit(x, y)
    assert np.isclose(model.score(x, y), r2_score(y, model.predict(x)))
    constant = np.ones_like(y)
    assert np.isclose(model.score(x, constant), r2_score(constant, model.predict(x)))
    with pytest.raises(ValueError, match="expected 2 numbers for each sequence"):
        model.score(x, y[:, 0])


def test_texts_have_numbers_too():
    words = ["none", "some", "many"]
    x = [" ".join(["item", words[i % 3], "left"]) for i in range(60)]
    y = [float(i % 3) for i in range(60)]
    assert SequenceRegressor(**QUICK).fit(x, y).score(x, y) > 0.9


def test_targets_are_scaled_by_the_training_part_alone():
    x, y = sums(n=300)
    model = SequenceRegressor(**{**QUICK, "epochs": 1}, refit=False).fit(x, y)
    assert model.history_[0]["val_loss"] is not None and model.scale_["center"][0] != y.mean()
    again = SequenceRegressor(**{**QUICK, "epochs": 1}, refit=True).fit(x, y)
    assert np.isclose(again.scale_["center"][0], y.mean(), rtol=1e-12)


def test_targets_that_are_all_the_same():
    x, _ = sums(n=12)
    model = SequenceRegressor(**{**QUICK, "epochs": 2}).fit(x, np.full(12, 7.0))
    assert np.allclose(model.predict(x), 7, atol=2) and model.scale_["scale"] == [1.0]


def test_a_stream_says_what_predict_says_of_the_prefix():
    x, y = sums()
    model = SequenceRegressor(causal=True, **{**QUICK, "epochs": 3}).fit(x, y)
    stream = model.stream()
    for number, value in enumerate(x[0], 1):
        assert np.allclose(stream.step(value)[0], model.predict([x[0][:number]])[0], rtol=1e-6)


@pytest.mark.parametrize("columns", [0, 2])
def test_a_saved_model_says_the_same(columns, tmp_path):
    x, y = sums()
    y = np.stack([y, -y], axis=1) if columns else y
    model = SequenceRegressor(**{**QUICK, "epochs": 2}).fit(x, y)
    model.save(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert type(again) is SequenceRegressor and np.array_equal(again.predict(x), model.predict(x))
    assert again.scale_ == model.scale_


@pytest.mark.parametrize(
    "scale",
    [{"one": True, "center": [1.0, 2.0], "scale": [1.0]}, {"one": "yes", "center": [1.0], "scale": [1.0]}, {}, 5],
    ids=str,
)
def test_a_hostile_scale_is_refused(scale, tmp_path):
    from memorycell.training.files import ModelFileError, load_model, save_model

    x, y = sums(n=10)
    SequenceRegressor(**{**QUICK, "epochs": 1}).fit(x, y).save(tmp_path / "m.safetensors")
    file = load_model(tmp_path / "m.safetensors")
    file.config["learned"]["scale_"] = scale
    save_model(tmp_path / "bad.safetensors", file.kind, file.config, file.tensors)
    with pytest.raises(ModelFileError):
        load(tmp_path / "bad.safetensors")


def test_search_and_cross_validation():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 5))
    y = x.sum(axis=1)
    search = GridSearchCV(SequenceRegressor(**{**QUICK, "epochs": 4}), {"hidden_size": [2, 8]}, cv=2).fit(x, y)
    assert search.best_estimator_.predict(x).shape == (60,)
    assert cross_val_score(SequenceRegressor(**{**QUICK, "epochs": 2}), *sums(n=20), cv=2).shape == (2,)
