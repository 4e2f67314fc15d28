"""Learner: what all tasks share: parameters, training by the one loop, running in batches, measuring, files."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn

from memorycell.data.bars import tracked
from memorycell.data.batch import Batch, BatchStream
from memorycell.data.codec import codec_from_json
from memorycell.data.content import fingerprint as fingerprint_of
from memorycell.data.forms import ANY, TEXT, field, fitting
from memorycell.data.lines import counted
from memorycell.data.log import logger, note
from memorycell.data.memory import remedied
from memorycell.data.samples import Answers, Samples
from memorycell.data.sequences import SequenceDataset
from memorycell.jobs.card import Job
from memorycell.jobs.devices import device_of, usable
from memorycell.jobs.estimator import Estimator
from memorycell.jobs.insight import Insight
from memorycell.jobs.memory import Estimating
from memorycell.jobs.parameters import TrainingParameters, check, renamed_in
from memorycell.jobs.plan import Plan
from memorycell.jobs.rebuilding import build_network
from memorycell.jobs.shown import Shown
from memorycell.jobs.stored import TRAINED, checked_plan, plain, unplain
from memorycell.jobs.surroundings import ended_with_the_call, shelter
from memorycell.kernels.drawing import Drawing
from memorycell.kernels.native import flush_subnormals
from memorycell.networks.base import Network
from memorycell.training import TrainingOptions, train, using_threads
from memorycell.training.checkpoint import CONTENT
from memorycell.training.files import WRONG, ModelFile, ModelFileError, check_tensors, load_model, reading, save_model
from memorycell.training.lock import keeps_checkpoint
from memorycell.training.threads import usable_threads

_LOG = logger(__name__)

_IN_TRAINING = remedied("to train", "give a smaller batch_size=, a smaller hidden_size=, or shorter or fewer sequences")
_IN_ANSWERING = remedied("to answer all of this at once", "ask about fewer rows at a time, in several calls")
_ANSWERING = {"predict", "predict_proba", "predict_interval", "predict_quantiles", "answers", "measured"}

_SEEN = "the model was trained on it: these figures flatter"
_MAY_BE_SEEN = "the model was asked about all of it: if it was trained on some of that, these figures flatter"

Progress = Callable[[str], None] | None


class Learner(TrainingParameters, Estimator, Insight, Shown):
    """A task: one network and some codecs.

    A subclass is a dataclass of its parameters, and says what others ask of a task: `read`, `fit`, `answers`, `kind`,
    `explained`, `trace`, `headline`. What it names in `CODECS` and `LEARNED` goes into its model file.

    Attributes
    ----------
    JOB : Job
        The card.
    CODECS : tuple of str
        Learned attributes that are codecs (or None).
    LEARNED : tuple of str
        Further learned attributes, plain JSON, beside those of every training: ``history_`` (a dict an epoch),
        ``best_epoch_``, ``train_seconds_``, ``stopped_``, ``n_threads_``, ``n_parameters_``, ``seed_``, ``notes_``
        (dicts of "kind" and "text"), ``trained_on_`` (rows, file, SHA-256, …) and ``plan_`` (a `Plan`: what was
        chosen, and why).
    LESS : str
        What makes the network smaller, for who asks for more than memory holds.
    """

    JOB: ClassVar[Job]
    CODECS: ClassVar[tuple[str, ...]] = ()
    LEARNED: ClassVar[tuple[str, ...]] = ()
    LESS: ClassVar[str] = "a smaller hidden_size"

    file_: str | None = None  # where the model lies, as it was told: saved there or loaded from there
    _stage = "fitting"  # what the bar of a training says that it is
    network_: Any
    notes_: list[dict[str, str]]
    plan_: Plan
    history_: list[dict[str, Any]]
    best_epoch_: int
    train_seconds_: float
    stopped_: str
    n_threads_: int
    n_parameters_: int
    seed_: int
    trained_on_: dict[str, Any]

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        if "fit" in vars(cls):  # its trainings share a checkpoint, and nobody else is to write it between them
            cls.fit = keeps_checkpoint(_IN_TRAINING(vars(cls)["fit"]))  # type: ignore[attr-defined]
        for name in _ANSWERING & vars(cls).keys():
            setattr(cls, name, _IN_ANSWERING(vars(cls)[name]))
        shelter(cls)

    # ------------------------------------------------------------------ what every job says for itself

    def read(self, source: Any, *, labelled: bool = True) -> Samples:
        """Whatever holds samples, read once; `Samples` as they are.

        Parameters
        ----------
        labelled : whether what is to be answered is wanted, too
        """
        raise NotImplementedError

    def asked(self, X: Any) -> Any:
        """Samples that a fitted model is asked about."""
        self.check_fitted()
        if X is None:
            raise ValueError(f"expected data, got None: a {type(self).__name__} keeps none of what it was trained on")
        return self.read(X, labelled=False)

    def answers(self, X: Any) -> Answers:
        """What the model says of samples, in Python and as columns."""
        raise NotImplementedError

    def kind_of(self, samples: Samples) -> Any:
        """What there is to be answered, and how answers are measured: a `memorycell.evaluation.kinds.Kind`."""
        raise NotImplementedError

    def headline(self) -> str:
        """What the model does, after its file's name: "3 labels for texts: …"."""
        raise NotImplementedError

    def attended(self, samples: Samples, where: Mapping[str, Any]) -> Any:
        """The share of each step in what attention made of one answer, (T,); None where there is no attention."""
        return None

    def unread(self, samples: Samples, explained: Any, where: Mapping[str, Any]) -> str:
        """That only a part of what is explained was read, in a sentence; "" where all of it was."""
        return ""

    # ------------------------------------------------------------------ parameters

    def check_parameters(self) -> None:
        """Raise ValueError or TypeError for a parameter that cannot be used."""
        check(self)
        self._device()

    def _device(self) -> torch.device:
        return device_of(self.device)

    def _draw_seed(self) -> int:
        """The seed of this training, from `random_state` as scikit-learn has it."""
        state = self.random_state
        if state is None:
            return secrets.randbits(31)
        if isinstance(state, int | np.integer):
            return int(state)
        return int(state.randint(1 << 31) if hasattr(state, "randint") else state.integers(1 << 31))

    def __sklearn_clone__(self) -> Self:
        # A pre-trained model is what it has learned: scikit-learn would copy it without that.
        from sklearn.base import clone

        parameters = self.get_params(deep=False)
        again = type(self)(
            **{name: each if name == "pretrained" else clone(each, safe=False) for name, each in parameters.items()}
        )
        if "_requests" in vars(self):
            again._requests = self._requests  # never changed, only replaced
        return again

    # ------------------------------------------------------------------ training

    def _begin(self) -> None:
        """Forget what was learned, and what was noted."""
        self.check_parameters()
        self.notes_, self.plan_, self.seed_ = [], Plan(), self._draw_seed()
        _LOG.info("%r with seed %d on %s", self, self.seed_, self._device())

    def _seeded(self, build: Callable[[], Network]) -> Network:
        """The network that `build` makes, its weights drawn from the task's seed, where it is to be trained.

        Raises
        ------
        ValueError
            If its training needs more memory than there is; nothing of that size is allocated.
        """
        with Drawing(self.seed_), Estimating(self._device(), self.LESS):
            network = build()
        return network.to(self._device())

    def _options(self, **fields: Any) -> TrainingOptions:
        """Options of a training: `fields`, then whatever the user gave as ``training=``."""
        return TrainingOptions(**{"seed": self.seed_, "n_threads": self.n_threads, **fields, **(self.training or {})})

    def _train_network(
        self,
        network: Network,
        stream: BatchStream,
        options: TrainingOptions,
        *,
        validation: BatchStream | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        callbacks: Sequence[Callable[..., Any]] = (),
        log: str | os.PathLike[str] | None = None,
        fingerprint: Mapping[str, Any] | None = None,
        begun_with: nn.Module | None = None,
        **more: Any,
    ) -> None:
        """Train `network` and learn the attributes of a training. `more` goes to `train`.

        `begun_with` has the weights that a pre-trained network, or part of one, begins with: a checkpoint notes them.
        """
        result = train(
            network,
            stream,
            options,
            validation=validation,
            checkpoint=None if checkpoint is None else os.fspath(checkpoint),
            callbacks=callbacks,
            log=None if log is None else os.fspath(log),
            progress=self.verbose,
            what=self._stage,
            fingerprint={
                "task": type(self).__name__, "network": network.config(), **(fingerprint or {}),
                **({} if checkpoint is None else self._learned_content(begun_with)),
            },
            **more,
        )  # fmt: skip
        self._take_notes(result.notes)
        self.network_ = network
        self.history_, self.best_epoch_, self.stopped_ = result.history, result.best_epoch, result.stopped
        self.train_seconds_, self.n_threads_ = result.seconds, result.n_threads
        self.n_parameters_ = sum(parameter.numel() for parameter in network.parameters())

    def _learned_content(self, begun_with: nn.Module | None) -> dict[str, str]:
        """What tells scales, vocabularies, labels and first weights from others, which encoded data do not show."""
        codecs = [(name, getattr(self, name, None)) for name in self.CODECS]
        learned = [(name, getattr(self, name, None)) for name in self.LEARNED]
        states = [(name, None if codec is None else {**codec.to_json(), "notes": None}) for name, codec in codecs]
        found = {f"{CONTENT}scales, vocabularies or labels": fingerprint_of([*states, *learned])}
        if begun_with is not None:
            found[f"{CONTENT}weights that it begins with"] = fingerprint_of(begun_with.state_dict().items())
        return found

    def _refit_with(self, train_again: Callable[[int], None], least: float, what: str) -> None:
        """Train once more, on all there is, for as long as was best; interrupted, the first model stays.

        Parameters
        ----------
        train_again : a training of so many epochs
        least : share of the planned epochs that it has at least
        what : what all there is, is called: "rows"
        """
        first = {name: value for name, value in vars(self).items() if name.endswith("_")}
        epochs = max(self.best_epoch_, round(least * self.plan_["epochs"]), 1)
        self._stage = f"refitting on all {what}"
        try:
            train_again(epochs)
        finally:
            del self._stage
        interrupted, seconds = self.stopped_ == "interrupted", self.train_seconds_
        vars(self).update(first if interrupted else {n: first[n] for n in ("history_", "best_epoch_", "stopped_")})
        self.train_seconds_ = first["train_seconds_"] + seconds
        if interrupted:
            self.stopped_ = "interrupted"
            self._note(
                "refit", f"Training on all {what} was interrupted: this is the model of the training part alone."
            )
            return
        self._note(
            "refit",
            f"Trained once more on all {what} for {epochs} {'epoch' if epochs == 1 else 'epochs'} "
            f"(epoch {self.best_epoch_} was best on validation).",
        )

    def _record(self, samples: Samples, **more: Any) -> None:
        """Remember what the model is trained on."""
        source = samples.source
        self.trained_on_ = {
            "rows": len(samples), "source": source.name, "bytes": source.size, "sha256": source.sha256, **more,
        }  # fmt: skip

    def was_trained_on(self, samples: Samples) -> bool | None:
        """Whether samples are of the very file that the model was trained on; None where that cannot be known."""
        known, asked = self.trained_on_.get("sha256"), samples.source.sha256
        return None if known is None or asked is None else known == asked

    def _note(self, kind: str, text: str) -> None:
        self.notes_.append(note(kind, text))

    def _take_notes(self, notes: Iterable[dict[str, Any]]) -> None:
        """Add notes that are not there yet."""
        self.notes_.extend(note for note in notes if note not in self.notes_)

    # ------------------------------------------------------------------ running

    def _batches(self, dataset: SequenceDataset, size: int = 256) -> Iterator[tuple[Tensor, Batch]]:
        """Rows and batches of `dataset`, those of similar length together; within it the network is in evaluation.

        A row's result does not depend on what else is in its batch, so the order is no one's business.
        """
        self.check_fitted()
        device = next(self.network_.parameters()).device
        self.network_.eval()
        parts = torch.argsort(dataset.lengths, stable=True).split(size)

        def batches() -> Generator[tuple[Tensor, Batch], None, None]:
            with torch.inference_mode(), using_threads(usable_threads(self.n_threads_)), flush_subnormals():
                for rows in tracked(parts, "answering", len(parts), show=self.verbose):
                    yield rows, dataset.gather(rows).to(device)

        return ended_with_the_call(batches())

    def check_fitted(self) -> None:
        """Raise scikit-learn's NotFittedError, or a ValueError where scikit-learn is not loaded, before `fit`."""
        if not hasattr(self, "network_"):
            # scikit-learn's own error where it is loaded: its tools ask for it by class.
            name = type(self).__name__
            text = f"this {name} is not fitted yet: call fit first, or load a saved one"
            raise _not_fitted()(text)

    # ------------------------------------------------------------------ measuring

    def measured(
        self,
        data: Any,
        *,
        train: Any = None,
        folds: int | None = None,
        jobs: int = 1,
        progress: Progress = None,
        learning_curve: bool = False,
    ) -> Any:
        """How good the model is on data that it was not trained on, or its settings on folds, beside baselines.

        Parameters
        ----------
        data : as for `read`, with what is to be answered
        train : the training data, for the baselines
        folds : train anew for each of so many parts of the data; None: the model as it is
        jobs : folds fitted at once
        progress : called with a sentence at each stage
        learning_curve : train on growing parts of the data instead

        Raises
        ------
        ValueError
            For options that cannot go together, and data that cannot be measured by.
        """
        samples = self.read(data)
        if folds is not None or learning_curve:
            if train is not None:
                raise ValueError(
                    "--train is for a model measured as it is; --folds trains on parts of the data: choose one"
                )
            return self._on_folds(samples, folds or 5, jobs, progress, learning_curve)
        if samples.order is not None:
            raise ValueError("--order says how folds follow time: add --folds N, or leave it out")
        before = None if train is None else self.read(train)
        if before is None and progress is not None and self.was_trained_on(samples) is not False:
            known = self.was_trained_on(samples)
            progress(f"{samples.source.name}: {_SEEN if known else _MAY_BE_SEEN}; see --folds")
        result = self._held_out(samples, before, progress)
        notes = getattr(result, "notes", None)
        if isinstance(notes, list):
            notes += self._sources(samples, before)
        return result

    def _sources(self, samples: Samples, before: Samples | None) -> list[str]:
        """Whether the model, and the baselines, were trained on what they are measured by, as far as files tell."""
        said = []
        if self.was_trained_on(samples):
            said.append(
                f"measured on {samples.source.name}, the file that the model was trained on: its figures flatter it"
            )
        if before is None:
            return said
        name, known = before.source.name, self.was_trained_on(before)
        its = self.trained_on_.get("source")
        begun = f"baselines were trained on {name} ({counted(len(before), 'row')})"
        if known:
            said.append(f"{begun}, as the model was")
        elif known is False:
            said.append(f"{begun}, the model on another file ({its}): they did not learn from the same")
        else:
            said.append(f"{begun}; whether the model was trained on the same is not known")
        same = before.source.sha256 is not None and before.source.sha256 == samples.source.sha256
        if same and not self.was_trained_on(samples):
            said.append(f"baselines were trained on what they are measured by, {name}: their figures flatter them")
        return said

    def _held_out(self, samples: Samples, before: Samples | None, progress: Progress) -> Any:
        """How good the model is on samples, beside baselines that learn from those of its training, `before`."""
        from memorycell.evaluation.cross_validation import evaluate_held_out

        return evaluate_held_out(self, samples, train=before, progress=progress)

    def _on_folds(self, samples: Samples, folds: int, jobs: int, progress: Progress, curve: bool) -> Any:
        if curve:
            from memorycell.evaluation.learning_curve import learning_curve

            return learning_curve(self, samples, folds=folds, jobs=jobs, progress=progress)
        from memorycell.evaluation.cross_validation import cross_validate

        return cross_validate(self, samples, folds=folds, jobs=jobs, progress=progress)

    # ------------------------------------------------------------------ in words

    def purpose(self) -> str:
        """What the model is for, in a sentence without its stop."""
        return self.headline()

    def data_rows(self) -> list[tuple[str, str]]:
        """Names and values of what there is to say of the training data, for the model card."""
        return []

    def reads(self) -> str:
        """What it reads, in the plural: "texts", "series of numbers"."""
        return "samples"

    def network_text(self) -> str:
        """The network in one line: cells, sizes, parameters."""
        encoder = self.network_.encoder
        sizes = "-".join(str(size) for size in encoder.hidden_sizes)
        both = " in each direction" if encoder.bidirectional else ""
        extra = "".join(f", {text}" for text in self._network_extras())
        return f"{encoder.cell} of {sizes} units{both}{extra}: {self.n_parameters_:,} parameters"

    def _network_extras(self) -> list[str]:
        """What else there is to say of the network."""
        return []

    def rows(self) -> list[tuple[str, str]]:
        """Names and values of what a person asks first."""
        return [("answers", self.headline()), ("network", self.network_text())]

    def facts(self) -> dict[str, Any]:
        """What the model is and learned, as plain JSON."""
        best = self.best_epoch_row()
        return {
            "task": type(self).__name__,
            "reads": self.reads(),
            **self._own_facts(),
            "network": _json(self.network_.config()),
            "choices": _json(self.plan_.values()),
            "parameters": int(self.n_parameters_),
            "trained_on": _json(self.trained_on_),
            "epochs": len(self.history_),
            "best_epoch": int(self.best_epoch_),
            "loss": best.get("loss"),
            "validation_loss": best.get("val_loss"),
            "stopped": self.stopped_,
            "train_seconds": round(float(self.train_seconds_), 3),
            "threads": int(self.n_threads_),
            "seed": int(self.seed_),
            "settings": {name: _setting(value) for name, value in self.get_params(deep=False).items()},
            "notes": [note["text"] for note in self.notes_],
        }

    def _own_facts(self) -> dict[str, Any]:
        return {}

    def best_epoch_row(self) -> dict[str, Any]:
        """The row of the history whose weights were best; empty when no epoch was finished."""
        rows = [row for row in self.history_ if row["epoch"] == self.best_epoch_]
        return rows[-1] if rows else {}

    # ------------------------------------------------------------------ files

    def _tensors(self) -> dict[str, Tensor]:
        """Learned tensors beside the network's weights."""
        return {}

    def _take_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `_tensors` gave; raise ValueError where it does not fit."""
        if tensors:
            raise ValueError(f"tensor {next(iter(tensors))!r} does not belong to this configuration")

    def _check_loaded(self) -> None:
        """Raise ValueError where what a model file says does not fit together."""

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the fitted model to one safetensors file. Refuses to overwrite without `force`."""
        self.check_fitted()
        parameters = {**self.get_params(deep=False), "verbose": None}
        codecs = {name: getattr(self, name) for name in self.CODECS}
        config = {
            "parameters": {name: plain(value) for name, value in parameters.items()},
            "codecs": {name: None if codec is None else codec.to_json() for name, codec in codecs.items()},
            "network": {"network": type(self.network_).__name__, **plain(self.network_.config())},
            "learned": {name: plain(getattr(self, name)) for name in (*TRAINED, *self.LEARNED)},
            "plan": plain(self.plan_.to_json()),
        }
        tensors = {f"network.{name}": value for name, value in self.network_.state_dict().items()}
        tensors |= {f"learned.{name}": value for name, value in self._tensors().items()}
        save_model(os.fspath(path), type(self).__name__, config, tensors, force=force)
        self.file_ = os.fspath(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The model that `save` wrote, also of release 0.1.

        Raises
        ------
        FileNotFoundError, ModelFileError
            When there is no such file, or it is truncated, foreign, of a newer version or tampered with.
        """
        file = load_model(os.fspath(path))
        if file.kind not in (cls.__name__, *cls.JOB.formerly):
            raise ModelFileError(f"{os.fspath(path)} holds a {file.kind}, expected a {cls.__name__}")
        try:
            learner = cls._from_file(file)
        except WRONG as error:
            raise ModelFileError(f"{os.fspath(path)} is damaged or was tampered with: {error}") from error
        learner.network_.to(learner._device())
        learner.file_ = os.fspath(path)
        return learner

    @classmethod
    def _of_older(cls, config: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Configuration and tensors of a file of an older release, as this one writes them."""
        learned = config["learned"]
        renamed = renamed_in(cls)
        parameters = {renamed.get(name, name): value for name, value in config["parameters"].items()}
        if "plan" not in config:
            seed = parameters.setdefault("random_state", 0)
            learned = {"seed_": seed, "trained_on_": {}, **learned}
            config = {**config, "plan": learned.pop("plan_"), "learned": learned}
        return {**config, "parameters": parameters}, tensors

    @classmethod
    def _from_file(cls, file: ModelFile) -> Self:
        with reading("sections of parameters, codecs, network, training and plan"):
            config, tensors = cls._of_older(file.config, dict(file.tensors))
        with reading("parameters"):
            parameters = {name: unplain(value) for name, value in config["parameters"].items()}
            parameters["device"] = usable(fitting(parameters.get("device", "auto"), TEXT, "device"))
            learner = cls(**parameters)
            check(learner)
        for name in cls.CODECS:
            with reading(f"the codec {name}"):
                state = field(config["codecs"], name, ANY, "codecs")
                setattr(learner, name, None if state is None else codec_from_json(state))
        for name in (*TRAINED, *cls.LEARNED):
            setattr(learner, name, field(config["learned"], name, TRAINED.get(name, ANY), "learned"))
        learner.plan_ = checked_plan(config["plan"])
        with reading("the sizes and options of a network"):
            network = build_network(cls.JOB, config["network"], tensors)
        weights = {f"network.{name}": value for name, value in network.state_dict().items()}
        own = {name: value for name, value in tensors.items() if name.startswith("learned.")}
        check_tensors({name: value for name, value in tensors.items() if name not in own}, weights)
        network.load_state_dict({name: tensors[f"network.{name}"] for name in network.state_dict()})
        learner.network_ = network.eval()
        with reading("what was learned"):
            learner._take_tensors({name.removeprefix("learned."): value for name, value in own.items()})
            learner._check_loaded()
        return learner


def _not_fitted() -> type[Exception]:
    import sys

    exceptions = sys.modules.get("sklearn.exceptions")
    return ValueError if exceptions is None else exceptions.NotFittedError


def _json(value: Any) -> Any:
    """`value` as JSON shows it."""
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


def _setting(value: Any) -> Any:
    """A parameter as JSON; a model among them by its name."""
    simple = (str, int, float, bool, list, tuple, dict, type(None), np.generic)
    return _json(value) if isinstance(value, simple) else str(value)
