"""The options of fit tag and fit language are the parameters of their tasks, with their defaults."""

import inspect
from typing import Any

import pytest
from command_cases import run

from memorycell.jobs.card import resolved
from memorycell.jobs.language import LANGUAGE
from memorycell.jobs.parameters import TrainingParameters, options
from memorycell.jobs.tagging import TAG

CASES = [
    (job, option)
    for job in (TAG, LANGUAGE)
    for option in [*options(resolved(job.parameters)), *options(TrainingParameters)]
]
UNSAID = ("found by itself", "by the shapes")


@pytest.mark.parametrize(("job", "option"), CASES, ids=lambda each: getattr(each, "verb", None) or each.name)
def test_help_states_the_default_of_the_constructor(job: Any, option: Any) -> None:
    default = inspect.signature(resolved(job.task)).parameters[option.name].default
    said = option.default_said
    if said == "" or said in UNSAID:
        assert default is None
    elif option.value.switch:
        assert default is (said == "on")
    else:
        assert option.value.parse(said) == default


@pytest.mark.parametrize("job", [TAG, LANGUAGE], ids=lambda job: job.verb)
def test_help_names_every_option(job: Any) -> None:
    said = run("fit", job.verb, "--help").out
    for _, option in (case for case in CASES if case[0] is job):
        assert f"  {option.first}" in said
        assert not option.default_said or f"default: {option.default_said}" in " ".join(said.split())


@pytest.mark.parametrize(
    ("verb", "argv", "expected"),
    [
        ("tag", ("--label-smoothing", "0.1", "--num-layers", "2", "--hidden-size", "8,6"),
         {"label_smoothing": 0.1, "num_layers": 2, "hidden_size": (8, 6), "character_size": 48}),
        ("language", ("--precision", "bfloat16", "--vocabulary-size", "500", "--dropout", "input=0.4,weight=0.5"),
         {"precision": "bfloat16", "vocabulary_size": 500, "dropout": {"input": 0.4, "weight": 0.5}}),
        ("language", ("--keep-case", "--normalization", "none", "--num-layers", "3"),
         {"lowercase": False, "normalization": None, "num_layers": 3}),
    ],
)  # fmt: skip
def test_options_arrive_as_the_task_takes_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, verb: str, argv: tuple[str, ...], expected: dict[str, Any]
) -> None:
    task, seen = resolved(next(job for job in (TAG, LANGUAGE) if job.verb == verb).task), {}

    def remember(self: Any, samples: Any, **more: Any) -> None:
        seen.update(self.get_params())
        raise ValueError("enough")

    monkeypatch.setattr(task, "fit", remember)
    data = tmp_path / "data.txt"
    data.write_text("a\tA\nb\tB\n", encoding="utf-8")
    ran = run("fit", verb, data, *argv)
    assert ran.code == 2 and "enough" in ran.err
    assert {name: seen[name] for name in expected} == expected
