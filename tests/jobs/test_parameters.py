"""Parameters by a name that a task does not have: what they may mean is said, and clones stay what they are."""

import copy
import inspect

import pytest
from sklearn.base import clone

from memorycell import Forecaster, LanguageModel, SequenceClassifier, SequenceRegressor, Tagger

OLDER = [
    (Tagger, "hidden_sizes", "Tagger has no parameter hidden_sizes=: it is called hidden_size= now"),
    (LanguageModel, "size", "LanguageModel has no parameter size=: it is called vocabulary_size= now"),
    (SequenceClassifier, "seed", "SequenceClassifier has no parameter seed=: it is called random_state= now"),
    (Forecaster, "seed", "Forecaster has no parameter seed=: it is called random_state= now"),
]


@pytest.mark.parametrize(("task", "name", "said"), OLDER)
def test_an_older_name_is_told_its_new_one(task, name, said):
    with pytest.raises(TypeError) as caught:
        task(**{name: 3})
    assert str(caught.value) == said
    with pytest.raises(ValueError, match=f"^{said}$"):
        task().set_params(**{name: 3})


@pytest.mark.parametrize("typed", ["hiden_size", "hidden_sze", "Hidden_Size"])
@pytest.mark.parametrize("task", [Forecaster, SequenceClassifier, SequenceRegressor, Tagger])
def test_a_slip_is_told_the_nearest_name(task, typed):
    with pytest.raises(TypeError, match=rf"^{task.__name__} has no parameter {typed}=: did you mean hidden_size=\?$"):
        task(**{typed: 3})


def test_a_name_like_no_other_is_told_all():
    with pytest.raises(TypeError, match=r"no parameter xyzzy=; it has word, tag, sentence, .*random_state"):
        Tagger(xyzzy=3)


@pytest.mark.parametrize("task", [Forecaster, SequenceClassifier, SequenceRegressor, Tagger, LanguageModel])
def test_constructors_are_what_they_were(task):
    made = task(hidden_size=7)
    assert clone(made).get_params() == copy.deepcopy(made).get_params() == made.get_params()
    assert set(inspect.signature(task).parameters) == set(made.get_params())
