"""The registry: one row each room, cards that are whole, and packages that bring jobs and may fail."""

import dataclasses
import types

import pytest

from memorycell import load
from memorycell.jobs import registry as registry_module
from memorycell.jobs.card import Job, resolved
from memorycell.jobs.registry import Registry, RegistryError, own, registry
from memorycell.training.files import ModelFileError, load_model, save_model


def room(*cards: Job) -> types.SimpleNamespace:
    return types.SimpleNamespace(JOBS=cards)


@pytest.mark.parametrize("job", own().jobs, ids=lambda job: job.verb)
def test_every_card_is_whole(job: Job) -> None:
    assert job.problems() == []


REQUIRED = [field.name for field in dataclasses.fields(Job) if field.default is dataclasses.MISSING
            and field.default_factory is dataclasses.MISSING]  # fmt: skip


@pytest.mark.parametrize("name", REQUIRED)
def test_a_card_cannot_be_written_without_a_part(name: str) -> None:
    job = own().jobs[0]
    parts = {each.name: getattr(job, each.name) for each in dataclasses.fields(Job) if each.name != name}
    with pytest.raises(TypeError, match=name):
        Job(**parts)


@pytest.mark.parametrize("name", REQUIRED)
def test_an_empty_part_is_named(name: str) -> None:
    job = own().jobs[0]
    empty = dataclasses.replace(job, **{name: type(getattr(job, name))()})
    assert any(problem.startswith(f"{name} is empty") for problem in empty.problems())


def test_a_reference_to_nothing_is_named() -> None:
    job = dataclasses.replace(own().jobs[0], page="memorycell.jobs.forecasting.page.report:no_page")
    assert any("no_page" in problem for problem in job.problems())


def test_a_card_that_the_task_does_not_know_is_a_problem() -> None:
    assert any("another card" in problem for problem in dataclasses.replace(own().jobs[0], verb="foresee").problems())


@pytest.mark.parametrize("what, change", [
    ("verb", {"task": "elsewhere:Other", "commands": {}}), ("class", {"verb": "other", "commands": {}}),
    ("command", {"verb": "other", "task": "elsewhere:Other"}),
])  # fmt: skip
def test_two_jobs_cannot_share_a_name(what: str, change: dict) -> None:
    found = Registry(list(own().jobs))
    twin = dataclasses.replace(next(job for job in own().jobs if job.commands), **change)
    with pytest.raises(RegistryError, match=f"two jobs with the {what}"):
        found.add(room(twin), "elsewhere")
    assert found.jobs == own().jobs


@pytest.mark.parametrize("cards", [None, (), ("a card",), "JOBS"])
def test_a_room_without_cards_is_refused(cards: object) -> None:
    with pytest.raises(RegistryError, match="expected elsewhere to have JOBS"):
        Registry().add(types.SimpleNamespace(JOBS=cards), "elsewhere")


class Point:
    """An entry point that loads a room, or raises."""

    def __init__(self, name: str, loaded: object) -> None:
        self.name, self.value, self.loaded = name, f"{name}_package", loaded

    def load(self) -> object:
        if isinstance(self.loaded, Exception):
            raise self.loaded
        return self.loaded


@pytest.fixture
def plugged(monkeypatch: pytest.MonkeyPatch):
    """A registry with these entry points."""

    def make(*points: Point) -> Registry:
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group: list(points))
        registry.cache_clear()
        return registry()

    yield make
    registry.cache_clear()


def test_a_package_can_bring_a_job(plugged) -> None:
    extra = dataclasses.replace(own().jobs[0], verb="foresee", task="elsewhere:Seer", commands={}, formerly=())
    found = plugged(Point("seer", room(extra)))
    assert found.named("Seer") is extra
    assert found.failures == []
    assert len(own().jobs) == len(found.jobs) - 1


def test_a_package_that_fails_is_named_and_the_others_work(plugged) -> None:
    found = plugged(Point("broken", ImportError("no module named sound")), Point("twin", room(own().jobs[0])))
    assert found.jobs == own().jobs
    assert ["broken" in found.failures[0], "no module named sound" in found.failures[0]] == [True, True]
    assert "two jobs with the verb" in found.failures[1]


def test_what_failed_is_told_by_info(plugged, capsys) -> None:
    from memorycell.cli.main import main

    plugged(Point("broken", SyntaxError("bad")))
    assert main(["info"]) == 0
    assert "the job 'broken' (broken_package) was left out: SyntaxError: bad" in capsys.readouterr().out


@pytest.fixture
def foreign(tmp_path):
    """A model file of a job that this version does not know."""
    from pathlib import Path

    file = load_model(Path(__file__).parents[1] / "fixtures" / "0.1" / "tagger.safetensors")
    path = tmp_path / "foreign.safetensors"
    save_model(path, "Oracle", file.config, file.tensors)
    return path


def test_a_file_of_an_unknown_job_says_what_is_known(foreign) -> None:
    with pytest.raises(ModelFileError, match=r"holds a Oracle, written by memorycell .*SequenceClassifier.*upgrade"):
        load(foreign)


def test_a_file_of_a_job_that_failed_says_why(foreign, plugged) -> None:
    plugged(Point("oracle", ImportError("no module named sound")))
    with pytest.raises(ModelFileError, match="no module named sound"):
        load(foreign)


def test_references_have_one_form() -> None:
    for text in ("math", "math:", ":sqrt", ""):
        with pytest.raises(ValueError, match="module:name"):
            resolved(text)


def test_the_registry_is_one_row_a_room() -> None:
    assert len(registry_module.ROOMS) == len(set(registry_module.ROOMS))
    assert {job.task.split(":")[0].rpartition(".")[0] for job in own().jobs} == set(registry_module.ROOMS)
