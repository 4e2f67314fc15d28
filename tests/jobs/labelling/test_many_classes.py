"""Many classes: n-grams of a rank, answers in parts, measures without tables, and an estimate before training."""

import numpy as np
import pytest
import torch

from memorycell import LanguageModel, SequenceClassifier, Tagger, evaluate_held_out
from memorycell.data import samples
from memorycell.evaluation import class_metrics as metrics
from memorycell.evaluation import kinds, text_baselines
from memorycell.jobs import memory
from memorycell.jobs.labelling import estimator, plan
from memorycell.jobs.labelling.calibration import ClassCalibration
from memorycell.networks.ngrams import NGramPath

CLASSES = 40
X = [f"item {k} of {k % 5}" for k in range(CLASSES)] * 6
Y = [f"c{k}" for k in range(CLASSES)] * 6
QUICK = {"hidden_size": 4, "epochs": 2, "verbose": False, "n_threads": 1, "embedding_size": 4}


@pytest.fixture(scope="module")
def model():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "_MANY_OUTPUTS", 10)
        patch.setattr(plan, "_N_GRAM_RANK", 6)
        return SequenceClassifier(**{**QUICK, "epochs": 12, "learning_rate": 0.02}).fit(X, Y)


@pytest.fixture
def few_at_once(monkeypatch):
    """As if 2,000 scores were all that memory holds."""
    for module in (estimator, kinds, samples):
        monkeypatch.setattr(module, "MOST_SCORES", 2000)


def test_n_grams_of_a_rank_are_linear_learn_and_are_taken_step_by_step():
    torch.manual_seed(0)
    path, tokens, lengths = NGramPath(5, 2, rank=3), torch.tensor([[4, 5, 6], [7, 8, 0]]), torch.tensor([3, 2])
    assert path.weight.shape == (2 * 65536, 3)
    path(tokens, lengths).pow(2).sum().add(path(tokens, lengths).sum()).backward()
    assert path.weight.grad.abs().sum() > 0
    with torch.no_grad():
        path.weight.normal_()
        whole = path(tokens, lengths)
        torch.testing.assert_close(path.parts(tokens, lengths).sum(1), whole)
        state = path.init_state(1)
        for token in tokens[0]:
            answer, state = path.step(token[None], state)
    torch.testing.assert_close(answer[0], whole[0])


def test_a_model_of_many_classes_learns_saves_and_explains(model, tmp_path):
    assert model.network_.n_grams.weight.shape[1] == 6 and model.plan_["n_gram_rank"] == 6
    assert model.score(X, Y) > 0.9
    model.save(tmp_path / "m.safetensors")
    again = SequenceClassifier.load(tmp_path / "m.safetensors")
    assert np.array_equal(again.predict(X), model.predict(X))
    parts = model.explain(X, row=3)
    assert parts.total == pytest.approx(parts.value, abs=1e-3)


def test_few_classes_have_a_weight_for_each_n_gram_and_class():
    few = SequenceClassifier(**QUICK).fit(["a b", "c d"] * 9, ["x", "y"] * 9)
    assert few.network_.n_grams.mix is None and "n_gram_rank" not in few.network_.config()


def test_answers_in_parts_are_those_of_all_at_once(model, few_at_once, monkeypatch):
    asked = model.read(X)
    brief = model.answers(asked)
    assert brief.probabilities is None and list(brief.columns) == ["row", "text", "label", "probability"]
    assert any("too many to keep" in note["text"] for note in asked.notes)
    found, score, chances = model.predict(X), model.score(X, Y), model.predict_proba(X)
    monkeypatch.undo()
    whole = model.answers(X)
    assert found.tolist() == model.predict(X).tolist() == list(brief.predictions)
    assert score == model.score(X, Y)
    np.testing.assert_allclose(chances, whole.probabilities, atol=1e-6)
    np.testing.assert_allclose(brief.columns["probability"], whole.probabilities.max(1), atol=1e-6)


def test_measures_in_parts_are_those_of_all_at_once(model, few_at_once, monkeypatch):
    part = evaluate_held_out(model, X[:120], Y[:120], train=(X[:80], Y[:80])).models
    monkeypatch.undo()
    whole = evaluate_held_out(model, X[:120], Y[:120], train=(X[:80], Y[:80])).models
    for few, all_of_it in zip(part, whole, strict=True):
        for name, value in few.measures.values.items():
            assert value == pytest.approx(all_of_it.measures.values[name], abs=1e-6), name
        assert np.array_equal(few.measures.confusion, all_of_it.measures.confusion)
        assert few.measures.roc == []


def test_no_table_of_all_classes_by_all(monkeypatch):
    rng = np.random.default_rng(0)
    true, answered = rng.integers(0, 3000, 500), rng.integers(0, 3000, 500)
    found = metrics.measure_many_classes(true, answered, list(range(3000)))
    assert found.confusion is None and "log_loss" not in found.values
    monkeypatch.setattr(metrics, "MOST_CONFUSED", 5)
    assert metrics.measure_classes(true % 6, answered % 6, list(range(6))).confusion is None


@pytest.mark.parametrize("classes", [2, 7])
def test_what_is_kept_of_probabilities_gives_the_same_measures(classes):
    rng = np.random.default_rng(1)
    true, chances = rng.integers(0, classes, 50), rng.dirichlet(np.ones(classes), 50)
    answered = chances.argmax(1)
    whole = metrics.measure_classes(true, answered, list(range(classes)), chances).values
    few = metrics.measure_many_classes(
        true, answered, list(range(classes)), metrics.chances_of(true, answered, chances)
    ).values
    assert few == pytest.approx({name: whole[name] for name in few})


def test_a_temperature_alone_needs_no_table_of_all_classes(monkeypatch):
    rng = np.random.default_rng(0)
    raw, targets = rng.normal(size=(300, 60)), rng.integers(0, 60, 300)
    raw[np.arange(300), targets] += 3
    monkeypatch.setattr(np, "eye", lambda n: np.ones((1, 1)) if n == 1 else pytest.fail("a table of all classes"))
    found = ClassCalibration.fit(raw, targets)
    best = min(np.linspace(0.5, 4, 400), key=lambda s: -np.log(_softmax(raw * s)[np.arange(300), targets]).sum())
    assert found.slope[0] == pytest.approx(best, abs=0.1) and not found.bias.any()


def _softmax(scores):
    powers = np.exp(scores)
    return powers / powers.sum(1, keepdims=True)


def test_many_classes_are_told_apart_by_centroids(monkeypatch):
    monkeypatch.setattr(text_baselines, "MANY_CLASSES", 10)
    found = text_baselines.baselines_for_classes(X, "text", CLASSES)
    assert list(found) == ["majority class", "TF-IDF + nearest centroid"]
    fitted = found["TF-IDF + nearest centroid"].fit(X, Y)
    assert (fitted.predict(X) == np.array(Y)).mean() > 0.9


TASKS = {
    "classifier": lambda: SequenceClassifier(**QUICK).fit(X, Y),
    "tagger": lambda: Tagger(hidden_size=4, epochs=1, verbose=False).fit([["a", "b"]] * 30, [["X", "Y"]] * 30),
    "language": lambda: LanguageModel(hidden_size=4, epochs=1, verbose=False).fit("a b c d e f " * 200),
}


@pytest.mark.parametrize("job", TASKS)
def test_what_does_not_fit_is_refused_before_training_in_one_line(job, monkeypatch):
    monkeypatch.setattr(memory, "machine_memory", lambda device: 5_000)
    with pytest.raises(ValueError, match="weights need about") as raised:
        TASKS[job]()
    assert "\n" not in str(raised.value) and ": ask for less with " in str(raised.value)


def test_a_machine_that_does_not_tell_its_memory_is_trusted(monkeypatch):
    monkeypatch.setattr(memory, "machine_memory", lambda device: None)
    assert TASKS["tagger"]().n_parameters_ > 100


def test_this_machine_tells_its_memory():
    assert memory.machine_memory(torch.device("cpu")) > 2**28
