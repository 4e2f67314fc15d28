"""Values: what is refused in Python is refused by the command, and what help shows can be typed."""

import numpy as np
import pytest

from memorycell.jobs import values
from memorycell.jobs.card import resolved
from memorycell.jobs.parameters import TrainingParameters, check, documentation, options
from memorycell.jobs.registry import own

# kind, values it may be, values it may not be, texts and what they stand for, texts that stand for nothing
CASES = [
    (values.Whole(), [1, np.int64(3)], [0, -1, 1.5, True, "auto", None], [("4", 4)], ["x", "1.5", "auto", ""]),
    (values.Whole(0, auto=True), [0, "auto"], [-1, None], [("auto", "auto")], ["none"]),
    (values.Whole(optional=True), [None, 2], [0, "none"], [("none", None)], ["auto"]),
    (values.Sizes(), [3, (3, 4), [5], "auto"], [0, (), (3, 0), "three", 1.5, None, True], [("3,4", (3, 4)), ("7", 7)],
     ["", "3,", "a"]),
    (values.Real(0, below=1), [0, 0.5], [1, -0.1, float("nan"), "auto", None, True], [("0.5", 0.5)], ["x", "auto"]),
    (values.Real(0, open=True, auto=True), [0.1, "auto"], [0, -1, float("inf")], [("auto", "auto")], ["none"]),
    (values.OneOf("LSTM", "GRU"), ["LSTM"], ["lstm", None, 3], [("gru", "GRU")], ["RNN", ""]),
    (values.OneOf("NFC", optional=True), [None, "NFC"], ["nfc"], [("none", None)], ["x"]),
    (values.SomeOf(("last", "max")), ["last", ("last", "max")], ["first", (), ("last", "no")],
     [("last, max", ("last", "max"))], ["first", ""]),
    (values.YesNo(), [True, False, "auto"], [1, 0, None, "yes"], [("yes", True), ("no", False)], ["true"]),
    (values.Switch(), [True, False], [None, 1, "on"], [], []),
    (values.Name(), [None, "a"], [3, ["a"]], [("a", "a")], []),
    (values.Name(place=True), ["a", 3, -1], [1.5, True], [("-1", -1), ("b", "b")], []),
    (values.Names(), ["a", ("a", "b")], [3, (1, 2)], [("a", "a")], []),
    (values.Levels(), [(0.1, 0.9)], [(0.9, 0.1), (), (0, 1), 3, "x"], [("0.1,0.9", (0.1, 0.9))], ["x", ""]),
    (values.Fields(), [None, {"a": 1}], [3, "a=1"], [("a=1", ("a", 1)), ("b=c", ("b", "c"))], ["a", "=1"]),
    (values.Seed(), [0, None, np.random.RandomState(0), np.random.default_rng(0)], ["x", 1.5], [("7", 7)], ["x"]),
    (values.Device(), ["auto", "cpu", "cuda:1", "mps", "xpu:0"], [3, None, "cu da", ""], [("cpu", "cpu")], ["no way"]),
    (values.File(), [None, "a"], [3], [("a", "a")], []),
]  # fmt: skip


@pytest.mark.parametrize("value, good, bad, typed, mistyped", CASES, ids=lambda each: type(each).__name__)
def test_a_value_is_what_it_says(value, good, bad, typed, mistyped) -> None:
    for each in good:
        value.check("it", each)
    for each in bad:
        with pytest.raises((ValueError, TypeError), match="it"):
            value.check("it", each)
    for text, stands_for in typed:
        assert value.parse(text) == stands_for
    for text in mistyped:
        with pytest.raises(ValueError, match="expected"):
            value.parse(text)


@pytest.mark.parametrize("job", own().jobs, ids=lambda job: job.verb)
def test_defaults_can_be_typed(job) -> None:
    """What help shows as a default stands for that default, and is one that may be."""
    for option in [*options(resolved(job.parameters)), *options(TrainingParameters)]:
        option.value.check(option.name, option.default)
        said = option.value.said(option.default)
        if said and not option.value.switch and not option.value.repeated:
            assert option.value.parse(said) == option.default, option.name


def test_the_first_wrong_parameter_is_named() -> None:
    parameters = TrainingParameters(n_threads=0)
    with pytest.raises(ValueError, match="n_threads"):
        check(parameters)


def test_documentation_has_every_parameter() -> None:
    text = documentation(TrainingParameters)
    assert all(f"\n{option.name} : " in text for option in options(TrainingParameters))
