"""scikit-learn's tools with the classifier and the regressor: ensembles, searches, calibration, routing, files."""

import io
import pickle

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from memorycell import SequenceClassifier, SequenceRegressor

QUICK = {"hidden_size": 4, "epochs": 3, "convolution": False, "learning_rate": 0.05, "n_threads": 1, "verbose": False}
QUICK |= {"refit": False, "batch_size": 16}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 6)).cumsum(1)
LABELS = np.where(X[:, -1] > 0, "up", "down")
NUMBERS = X[:, -1] + 0.1 * RNG.normal(size=48)


def classifier(**more):
    return SequenceClassifier(**QUICK, **more)


def regressor(**more):
    return SequenceRegressor(**QUICK, **more)


def weights(model):
    return b"".join(value.numpy().tobytes() for value in model.network_.state_dict().values())


@pytest.mark.parametrize(
    ("made", "y"),
    [(BaggingClassifier(classifier(), 3, random_state=0), LABELS),
     (BaggingRegressor(regressor(), 3, random_state=0, bootstrap=False), NUMBERS),
     (AdaBoostClassifier(classifier(), n_estimators=3, random_state=0), LABELS),
     (AdaBoostRegressor(regressor(), n_estimators=3, random_state=0), NUMBERS)],
    ids=lambda each: type(each).__name__,
)  # fmt: skip
def test_members_of_an_ensemble_differ(made, y):
    made.fit(X, y)
    members = made.estimators_
    assert len(members) > 1 and len({weights(member) for member in members}) == len(members)
    assert len({member.random_state for member in members}) == len(members)
    assert made.predict(X).shape == y.shape and np.isfinite(made.score(X, y))


@pytest.mark.parametrize(
    ("made", "y"),
    [(StackingClassifier([("a", classifier()), ("b", LogisticRegression())], cv=2), LABELS),
     (StackingRegressor([("a", regressor()), ("b", RidgeCV())], cv=2), NUMBERS),
     (CalibratedClassifierCV(classifier(), cv=2), LABELS),
     (VotingClassifier([("a", classifier()), ("b", LogisticRegression())], voting="soft"), LABELS),
     (make_pipeline(StandardScaler(), classifier()), LABELS),
     (make_pipeline(StandardScaler(), regressor()), NUMBERS)],
    ids=lambda each: type(each).__name__,
)  # fmt: skip
def test_it_stands_in_others(made, y):
    made = clone(made).fit(X, y)
    assert made.predict(X).shape == y.shape and np.isfinite(made.score(X, y))
    if hasattr(made, "predict_proba"):
        np.testing.assert_allclose(made.predict_proba(X).sum(1), 1, atol=1e-6)
    assert type(made).__name__ in made._repr_html_()


@pytest.mark.parametrize(("new", "y"), [(classifier, LABELS), (regressor, NUMBERS)])
def test_it_is_asked_by_functions(new, y):
    model = new().fit(X, y)
    found = permutation_importance(model, X, y, n_repeats=2, random_state=0)
    assert found.importances.shape == (6, 2) and np.isfinite(found.importances).all()
    assert cross_val_predict(new(), X, y, cv=2).shape == y.shape
    assert np.isfinite(cross_validate(new(), X, y, cv=2)["test_score"]).all()
    for again in (pickle.loads(pickle.dumps(model)), through_joblib(model)):  # noqa: S301
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
    fresh = clone(model)
    assert fresh.get_params() == model.get_params() and not hasattr(fresh, "network_")
    assert weights(fresh.fit(X, y)) == weights(model)
    assert type(model).__name__ in model._repr_html_()


def through_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize("backend", ["threading", "multiprocessing", pytest.param("loky", marks=pytest.mark.long)])
def test_a_search_in_two_workers_finds_what_one_finds(backend):
    asked = {"hidden_size": [3, 5]}
    with joblib.parallel_config("sequential"):
        alone = GridSearchCV(classifier(), asked, cv=2).fit(X, LABELS)
    with joblib.parallel_config(backend, n_jobs=2):
        together = GridSearchCV(classifier(), asked, cv=2, n_jobs=2).fit(X, LABELS)
    np.testing.assert_array_equal(*(each.cv_results_["mean_test_score"] for each in (alone, together)))
    assert weights(alone.best_estimator_) == weights(together.best_estimator_)


@pytest.mark.parametrize(("new", "y"), [(classifier, LABELS), (regressor, NUMBERS)])
def test_weights_are_routed(new, y):
    weight = np.where(np.arange(48) % 2, 2.0, 0.5)
    with sklearn.config_context(enable_metadata_routing=True):
        model = new().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scores = cross_validate(model, X, y, cv=2, params={"sample_weight": weight})["test_score"]
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        piped = make_pipeline(scaler, clone(model)).fit(X, y, sample_weight=weight)
        with pytest.raises(ValueError, match="has no 'weights'; it has sample_weight"):
            new().set_fit_request(weights=True)
    with pytest.raises(RuntimeError, match="enable_metadata_routing=True"):
        new().set_fit_request(sample_weight=True)
    assert np.isfinite(scores).all()
    scaled = StandardScaler().fit_transform(X)
    assert weights(piped[-1]) == weights(new().fit(scaled, y, sample_weight=weight))
    assert weights(piped[-1]) != weights(new().fit(scaled, y))
