"""Plans: choices with reasons, as JSON, and those of release 0.1."""

import pytest

from memorycell.jobs.plan import GIVEN, Plan


def test_a_plan_comes_back_from_json() -> None:
    plan = Plan()
    plan.choose("epochs", "auto", lambda: 12, "by the data")
    plan.put("sizes", [3, 4])
    assert Plan.from_json(plan.to_json()) == plan
    assert plan.values() == {"epochs": 12, "sizes": [3, 4]}


def test_what_was_given_is_kept_and_not_worked_out() -> None:
    plan = Plan()
    assert plan.choose("epochs", 3, lambda: 1 / 0, "never") == 3
    assert next(iter(plan)).reason == GIVEN


def test_a_later_choice_takes_the_place_of_an_earlier_one() -> None:
    plan = Plan([("a", 1, ""), ("b", 2, "")])
    plan.put("a", 3, "again")
    assert [choice.name for choice in plan] == ["a", "b"] and plan["a"] == 3


def test_the_plans_of_0_1_are_read() -> None:
    plan = Plan.from_json({"epochs": 3, "crf": None, "reasons": {"epochs": "so many"}})
    assert list(plan) == [("epochs", 3, "so many"), ("crf", None, "")]


@pytest.mark.parametrize("stored", [3, None, "x", [1], [["a", 1]], [[1, 2, "x"]], [["a", 1, None]]])
def test_what_is_no_plan_is_refused(stored: object) -> None:
    with pytest.raises(ValueError, match="expected a plan"):
        Plan.from_json(stored)
