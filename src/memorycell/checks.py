"""Checks that every job passes by being registered, as scikit-learn has them for estimators.

A package that brings a job runs them in its own tests:

>>> from memorycell.checks import CHECKS
>>> CHECKS[0].__name__
'check_the_card_is_whole'
"""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from memorycell.jobs.card import Job, Tiny, resolved
from memorycell.jobs.parameters import TrainingParameters, options

HOSTILE = "<img src=x onerror=alert(1)>"  # a name of a file


@dataclass(frozen=True)
class _Used:
    """What a command did: exit code, what it printed, how often it opened and encoded its file, the page it wrote."""

    code: int
    out: str
    err: str
    opened: int
    encoded: int
    page: str


@dataclass(eq=False)
class Case:
    """A job with its tiny data, fitted once.

    Parameters
    ----------
    job : Job
    folder : Path
        For files.
    """

    job: Job
    folder: Path

    @cached_property
    def tiny(self) -> Tiny:
        return resolved(self.job.tiny)(self.folder)

    def new(self, **more: Any) -> Any:
        """An unfitted task."""
        return resolved(self.job.task)(**{"verbose": False, "n_threads": 1, **self.tiny.parameters, **more})

    @cached_property
    def fitted(self) -> Any:
        task = self.new()
        return task.fit(task.read(self.tiny.file), **self.tiny.fit)

    @cached_property
    def model(self) -> Path:
        """The fitted model's file."""
        path = self.folder / f"{self.job.verb}.safetensors"
        self.fitted.save(path, force=True)
        return path

    def arguments(self) -> list[str]:
        """The parameters as options of ``memorycell fit``."""
        known = [*options(resolved(self.job.parameters)), *options(TrainingParameters), *self.job.of("fit")]
        found = []
        for option in known:
            parts = getattr(option.value, "parts", None)
            value = {**self.tiny.parameters, **self.tiny.fit, "n_threads": 1}.get(option.name)
            for each in [] if value is None else [(option, value)] if parts is None else [
                (part, value[part.name]) for part in parts if part.name in value
            ]:  # fmt: skip
                found += _typed(*each)
        return found

    @cached_property
    def used(self) -> dict[str, _Used]:
        """What each command did of one file, whose name looks like HTML; the others use the model of ``fit``."""
        file, model = self.folder / f"{HOSTILE}{self.tiny.file.suffix}", self.folder / "command.safetensors"
        file.write_bytes(self.tiny.file.read_bytes())
        pages = {name: self.folder / f"command-{name}" for name in ("report.html", "explain.html", "plot.svg")}
        done = {}
        for argv in (
            ("fit", self.job.verb, file, *self.arguments(), "-o", model, "-q", "--force"),
            ("predict", model, file, "--json", "-q"), ("evaluate", model, file, "--folds", "2", "-q"),
            ("report", model, file, "-o", pages["report.html"], "-q", "--force"),
            ("explain", model, file, "-o", pages["explain.html"], "-q", "--force"),
            ("plot", model, file, "-o", pages["plot.svg"], "-q", "--force"),
        ):  # fmt: skip
            with _watched(self, file) as seen:
                code, out, err = self.run(*argv)
            page = next((pages[name] for name in pages if name.startswith(str(argv[0]))), None)
            text = page.read_text(encoding="utf-8") if page and page.exists() else ""
            done[str(argv[0])] = _Used(code, out, err, seen.opened, seen.encoded, text)
        return done

    def run(self, *argv: object) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of the command."""
        from memorycell.cli.main import main

        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(argument) for argument in argv])
        return code, out.getvalue(), err.getvalue()


def _typed(option: Any, value: Any) -> list[str]:
    if option.value.switch:
        yes, _, no = option.option.partition("/")
        return [yes if value else no]
    values = value if option.value.repeated and isinstance(value, list | tuple) else [value]
    return [text for each in values for text in (option.first, option.value.said(each))]


# ---------------------------------------------------------------------- the card


def check_the_card_is_whole(case: Case) -> None:
    """Nothing is missing on the card, and what it refers to is there."""
    assert case.job.problems() == []


def check_parameters_are_declared_once(case: Case) -> None:
    """Constructor, help and check have the same parameters and defaults."""
    import inspect

    task = resolved(case.job.task)
    signature = inspect.signature(task).parameters
    declared = [*options(resolved(case.job.parameters)), *options(TrainingParameters)]
    assert {option.name for option in declared} | {"verbose"} == set(signature)
    for option in declared:
        assert signature[option.name].default == option.default, option.name
        option.value.check(option.name, option.default)
        assert option.text() in task.__doc__, option.name


def check_wrong_parameters_are_refused(case: Case) -> None:
    """A value of no kind is refused by name, by `fit`, before anything is learned."""
    for option in options(resolved(case.job.parameters)):
        task = case.new(**{option.name: _Wrong()})
        try:
            task.fit(case.tiny.file, **case.tiny.fit)
        except (ValueError, TypeError) as error:
            assert option.name in str(error), f"{option.name}: {error}"
        else:
            raise AssertionError(f"{option.name} may be anything")


class _Wrong:
    """What no parameter can be."""

    def __repr__(self) -> str:
        return "<wrong>"


# ---------------------------------------------------------------------- scikit-learn's manners


def check_it_can_be_cloned_and_shown(case: Case) -> None:
    """clone, get_params, set_params and repr; a repr names what differs from the defaults and nothing else."""
    from sklearn.base import clone

    task = case.new()
    again = clone(task)
    assert again is not task and again.get_params() == task.get_params()
    assert task.set_params(random_state=7).random_state == 7
    assert eval(repr(case.new(random_state=7)), {type(task).__name__: type(task)}).get_params() == task.get_params()  # noqa: S307
    assert repr(type(task)()) == f"{type(task).__name__}()"
    try:
        task.set_params(no_such_parameter=1)
    except ValueError as error:
        assert "no_such_parameter" in str(error)
    else:
        raise AssertionError("an unknown parameter can be set")


def check_not_fitted_is_said(case: Case) -> None:
    """What needs a fitted model raises scikit-learn's NotFittedError."""
    from sklearn.exceptions import NotFittedError

    asked: list[Callable[[Any], Any]] = [
        lambda task: task.answers(task.read(case.tiny.file)),
        lambda task: task.explained(task.read(case.tiny.file)),
        lambda task: task.save(case.folder / "unfitted.safetensors"),
        lambda task: task.plot(case.tiny.file),
    ]
    for ask in asked:
        try:
            ask(case.new())
        except NotFittedError as error:
            assert "not fitted" in str(error)
        else:
            raise AssertionError("an unfitted task answers")
    assert not (case.folder / "unfitted.safetensors").exists()


# ---------------------------------------------------------------------- numbers


def check_the_same_seed_gives_the_same_bits(case: Case) -> None:
    """Two fits are alike to the bit, another seed is not, and the global generators are as they were."""
    state: Any = np.random.get_state
    before = torch.random.get_rng_state(), state()[1].copy()
    again, other = (case.new(random_state=seed) for seed in (0, 1))
    for task in (again, other):
        task.fit(task.read(case.tiny.file), **case.tiny.fit)
    assert _same_weights(again, case.fitted)
    assert not _same_weights(other, case.fitted)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert np.array_equal(before[1], state()[1])


def _same_weights(one: Any, other: Any) -> bool:
    ours, theirs = one.network_.state_dict(), other.network_.state_dict()
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def check_a_saved_model_answers_alike(case: Case) -> None:
    """Save and load: the same answers, the same words, and no file is overwritten."""
    from memorycell import load

    loaded = load(case.model)
    assert type(loaded) is type(case.fitted)
    assert _answers(case, loaded) == _answers(case, case.fitted)
    assert loaded.headline() == case.fitted.headline()
    assert loaded.trained_on_ == case.fitted.trained_on_
    assert loaded.was_trained_on(loaded.read(case.tiny.file)) is True
    try:
        loaded.save(case.model)
    except FileExistsError:
        pass
    else:
        raise AssertionError("a file was overwritten")


def _answers(case: Case, model: Any) -> str:
    return json.dumps(model.answers(model.read(case.tiny.file)).records())


def check_answers_do_not_depend_on_the_batch(case: Case) -> None:
    """Alone or among others, with one thread or two: the same bits."""
    whole = _answers(case, case.fitted)
    threads = case.fitted.n_threads_
    try:
        case.fitted.n_threads_ = 2
        assert _answers(case, case.fitted) == whole
    finally:
        case.fitted.n_threads_ = threads


def check_a_model_can_be_pickled(case: Case) -> None:
    """As joblib does it between processes."""
    again = pickle.loads(pickle.dumps(case.fitted))  # noqa: S301
    assert _answers(case, again) == _answers(case, case.fitted)


# ---------------------------------------------------------------------- reading once


def check_samples_are_read_once(case: Case) -> None:
    """What was read is taken as it is, everywhere."""
    samples = case.fitted.read(case.tiny.file)
    assert case.fitted.read(samples) is samples
    assert samples.source.file == case.tiny.file and len(samples) > 0


def check_a_command_reads_and_encodes_its_file_once(case: Case) -> None:
    """fit, predict, evaluate, report, plot and explain open it as often as `read` does, and once more for its checksum;
    what is in it goes through the codec once."""
    with _watched(case, case.tiny.file) as seen:
        case.new().read(case.tiny.file)
    most = seen.opened
    for name, used in case.used.items():
        assert used.code == 0, (name, used.err)
        assert used.opened <= most + 1, (name, f"opened {used.opened} times, read opens it {most} times")
        assert used.encoded <= 1, (name, f"encoded {used.encoded} times")


@dataclass
class _Watched:
    """How often a file was opened, and all that is in it was encoded by the same codec."""

    file: str
    opened: int = 0
    encodings: dict[int, int] = field(default_factory=dict)

    @property
    def encoded(self) -> int:
        return max(self.encodings.values(), default=0)


_WATCHING: list[_Watched] = []


@cache
def _listen() -> None:
    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            for watched in _WATCHING:
                watched.opened += str(arguments[0]) == watched.file

    sys.addaudithook(heard)  # which no one can take away: it listens only while something is watched


@contextlib.contextmanager
def _watched(case: Case, file: Path) -> Iterator[_Watched]:
    codec, samples = type(case.fitted.codec_), case.fitted.read(case.tiny.file)
    encode, seen, kept = codec.encode, _Watched(str(file)), []

    def watched(self: Any, raw: Any, *more: Any, **options: Any) -> Any:
        if (
            hasattr(raw, "__len__")
            and len(raw) >= len(samples)
            and (
                # A single text is encoded in parts, too: all of it is as long as it is.
                len(samples) > 1 or sum(map(len, raw)) >= len(samples[0])
            )
        ):
            kept.append(self)  # so that no other gets its number
            seen.encodings[id(self)] = seen.encodings.get(id(self), 0) + 1
        return encode(self, raw, *more, **options)

    _listen()
    codec.encode = watched
    _WATCHING.append(seen)
    try:
        yield seen
    finally:
        _WATCHING.remove(seen)
        codec.encode = encode


# ---------------------------------------------------------------------- the command


def check_the_command_fits_and_uses_a_model(case: Case) -> None:
    """fit, predict, evaluate, report, explain, info and the model card, each from a file."""
    used, model = case.used, case.folder / "command.safetensors"
    assert used["fit"].out.startswith(f"{model}: ") and "Next:" in used["fit"].out, used["fit"].err
    for argv in (
        ("info", model), ("info", model, "--json"), ("info", model, "--card"),
        ("explain", model, case.tiny.file, "--json", "-q"),
    ):  # fmt: skip
        code, out, err = case.run(*argv)
        assert code == 0, (argv, err)
        assert out.strip(), argv
        if "--json" in argv:
            json.loads(out)
    for name in ("predict", "evaluate", "report", "explain", "plot"):
        assert used[name].code == 0 and used[name].out.strip(), (name, used[name].err)
    json.loads(used["predict"].out)
    assert all("<html" in used[name].page for name in ("report", "explain"))


def check_it_is_measured_beside_a_baseline(case: Case) -> None:
    """On folds, with at least one baseline, and a sentence on the outcome."""
    samples = case.fitted.read(case.tiny.file)
    result = case.fitted.measured(samples, folds=2)
    assert len(result.models) > 1
    assert result.outcome in result.summary()
    json.dumps(result.to_dict())
    frame = result.to_frame()
    assert len(frame) >= len(result.models)
    assert len(repr(result)) < 600


def check_it_draws_a_picture(case: Case) -> None:
    """One that notebooks show by themselves, without pyplot, as wide as is asked for; and the command keeps it."""
    loaded = "matplotlib.pyplot" in sys.modules
    picture = case.fitted.plot(case.fitted.read(case.tiny.file), width=400)
    data, about = picture._repr_mimebundle_()
    assert data["image/svg+xml"].startswith("<svg") and about["image/png"]["width"] == 400
    assert loaded or "matplotlib.pyplot" not in sys.modules
    assert len(repr(picture)) < 200
    try:
        case.fitted.plot(case.tiny.file, no_such_option=1)
    except ValueError as error:
        assert "no_such_option" in str(error)
    else:
        raise AssertionError("an unknown option is taken")
    file = case.folder / "picture.svg"
    code, out, err = case.run("plot", case.model, case.tiny.file, "-o", file, "-q")
    assert code == 0 and out == f"{file}\n", err
    before = file.read_bytes()
    assert b"<svg" in before
    code, out, err = case.run("plot", case.model, case.tiny.file, "-o", file, "-q")
    assert code == 2 and not out and "--force" in err and file.read_bytes() == before


def check_an_empty_row_stops_nothing(case: Case) -> None:
    """A row without anything in it takes no answer from the others, and has none itself."""
    text = case.tiny.file.read_text(encoding="utf-8").rstrip("\n") + "\n"
    file = case.folder / f"blank{case.tiny.file.suffix}"
    file.write_text(text + case.tiny.blank, encoding="utf-8")
    code, out, err = case.run("predict", case.model, file, "--json")
    assert code == 0, err
    answers = json.loads(out)
    before = json.loads(case.used["predict"].out)
    assert len(answers) >= len(before)
    if case.tiny.blank.strip():
        assert answers[:-1] == before, (answers[:3], before[:3])
        assert "no answer there" in err and any(value is None for value in answers[-1].values()), (err, answers[-1])
        assert len(case.fitted.read(file)) == len(before)  # what is measured has an answer


def check_bad_files_get_one_line(case: Case) -> None:
    """An empty file, one that is not there, one of another kind, a truncated model: one line, exit code 2."""
    empty, other = case.folder / f"empty{case.tiny.file.suffix}", case.folder / f"other{case.tiny.file.suffix}"
    empty.write_bytes(b"")
    other.write_bytes(bytes(range(256)) * 4)
    cut = case.folder / "cut.safetensors"
    cut.write_bytes(case.model.read_bytes()[:200])
    missing, none = case.folder / f"missing{case.tiny.file.suffix}", case.folder / "none.safetensors"
    for argv in (
        *(("fit", case.job.verb, file, "-o", none, "-q") for file in (empty, other, missing)),
        *(("predict", case.model, file, "-q") for file in (empty, missing)), ("predict", cut, case.tiny.file),
        ("info", missing), ("predict", case.model, case.tiny.file, "--no-such-option"),
    ):  # fmt: skip
        code, out, err = case.run(*argv)
        assert code == 2 and not out, (argv, code, out, err)
        assert len(err.splitlines()) == 1 and err.startswith("memorycell: "), (argv, err)
    assert not none.exists()


def check_pages_show_hostile_text_as_text(case: Case) -> None:
    """Names of files are the user's text."""
    for name in ("report", "explain"):
        assert "<html" in case.used[name].page and HOSTILE not in case.used[name].page, name


CHECKS: tuple[Callable[[Case], None], ...] = tuple(
    value for name, value in list(globals().items()) if name.startswith("check_")
)


def checks_of(job: Job, folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """The checks of a job, by name: each is called without arguments and raises AssertionError where it fails."""
    case = Case(job, folder)
    for check in CHECKS:
        yield check.__name__.removeprefix("check_"), lambda check=check: check(case)  # type: ignore[misc]
