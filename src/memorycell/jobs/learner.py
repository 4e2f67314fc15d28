"""Learner: what the tasks on labelled sequences and on text share: training, running in batches, files."""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from memorycell.data.batch import Batch, BatchStream
from memorycell.data.codec import codec_from_json
from memorycell.data.sequences import SequenceDataset
from memorycell.jobs.estimator import Estimator
from memorycell.kernels.native import flush_subnormals
from memorycell.networks.base import Network
from memorycell.training import TrainingOptions, train, using_threads
from memorycell.training.files import ModelFile, ModelFileError, check_tensors, load_model, save_model

# Where the networks live that a model file may name.
NETWORKS = {
    "LanguageNetwork": "memorycell.jobs.language.network",
    "SequenceToOne": "memorycell.jobs.labelling.network",
    "TaggingNetwork": "memorycell.jobs.tagging.network",
}
_TRAINED = ("history_", "best_epoch_", "train_seconds_", "stopped_", "n_threads_", "n_parameters_", "notes_", "plan_")
_PAIRS = "pairs"  # a dict whose keys are no texts, as JSON


class Learner(Estimator):
    """A task with one network and some codecs.

    Subclasses name what belongs into their model file, and get `save` and `load` for it.

    Attributes
    ----------
    CODECS : tuple of str
        Learned attributes that are codecs (or None).
    LEARNED : tuple of str
        Further learned attributes, plain JSON, beside those of every training: ``history_`` (a dict an epoch),
        ``best_epoch_``, ``train_seconds_``, ``stopped_``, ``n_threads_``, ``n_parameters_``, ``notes_`` (dicts of
        "kind" and "text") and ``plan_`` (what "auto" became).
    """

    CODECS: ClassVar[tuple[str, ...]] = ()
    LEARNED: ClassVar[tuple[str, ...]] = ()

    network_: Any
    notes_: list[dict[str, str]]
    plan_: dict[str, Any]
    # Parameters that every task has.
    seed: int
    device: str
    n_threads: int | None
    verbose: bool | None
    training: Mapping[str, Any] | None

    # ------------------------------------------------------------------ training

    def _seeded(self, build: Callable[[], Network]) -> Network:
        """The network that `build` makes, its weights drawn from the task's seed, where it is to be trained."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return build().to(self._device())

    def _options(self, **fields: Any) -> TrainingOptions:
        """Options of a training: `fields`, then whatever the user gave as ``training=``."""
        return TrainingOptions(**{"seed": self.seed, "n_threads": self.n_threads, **fields, **(self.training or {})})

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
        **more: Any,
    ) -> None:
        """Train `network` and learn the attributes of a training. `more` goes to `train`."""
        result = train(
            network,
            stream,
            options,
            validation=validation,
            checkpoint=None if checkpoint is None else os.fspath(checkpoint),
            callbacks=callbacks,
            log=None if log is None else os.fspath(log),
            progress=self.verbose,
            fingerprint={"task": type(self).__name__, "network": network.config(), **(fingerprint or {})},
            **more,
        )
        self.network_ = network
        self.history_, self.best_epoch_, self.stopped_ = result.history, result.best_epoch, result.stopped
        self.train_seconds_, self.n_threads_ = result.seconds, result.n_threads
        self.n_parameters_ = sum(parameter.numel() for parameter in network.parameters())

    def _note(self, kind: str, text: str) -> None:
        self.notes_.append({"kind": kind, "text": text})

    def __sklearn_clone__(self) -> Self:
        # A pre-trained model is what it has learned: scikit-learn would copy it without that.
        from sklearn.base import clone

        parameters = self.get_params(deep=False)
        return type(self)(
            **{name: each if name == "pretrained" else clone(each, safe=False) for name, each in parameters.items()}
        )

    def _device(self) -> str:
        if self.device != "auto":
            if self.device != "cpu" and not torch.cuda.is_available():
                raise ValueError(
                    f'device {self.device!r} was asked for, but torch finds no GPU here: use device="auto"'
                )
            return self.device
        return "cuda" if torch.cuda.is_available() else "cpu"

    # ------------------------------------------------------------------ running

    def _batches(self, dataset: SequenceDataset, size: int = 256) -> Iterator[tuple[Tensor, Batch]]:
        """Rows and batches of `dataset`, those of similar length together; within it the network is in evaluation.

        A row's result does not depend on what else is in its batch, so the order is no one's business.
        """
        self._check_fitted()
        device = next(self.network_.parameters()).device
        self.network_.eval()
        order = torch.argsort(dataset.lengths, stable=True)
        with torch.inference_mode(), using_threads(self.n_threads_), flush_subnormals():
            for rows in order.split(size):
                yield rows, dataset.gather(rows).to(device)

    def _check_fitted(self) -> None:
        if not hasattr(self, "network_"):
            # scikit-learn's own error where it is loaded: its tools ask for it by class.
            name = type(self).__name__
            text = f"this {name} is not fitted yet: call fit first, or load a saved one"
            raise _not_fitted()(text)

    # ------------------------------------------------------------------ files

    def _tensors(self) -> dict[str, Tensor]:
        """Learned tensors beside the network's weights."""
        return {}

    def _take_tensors(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `_tensors` gave; raise ValueError where it does not fit."""
        if tensors:
            raise ValueError(f"tensor {next(iter(tensors))!r} does not belong to this configuration")

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Write the fitted model to one safetensors file. Refuses to overwrite without `force`."""
        self._check_fitted()
        parameters = {**self.get_params(deep=False), "verbose": None}
        codecs = {name: getattr(self, name) for name in self.CODECS}
        config = {
            "parameters": {name: _plain(value) for name, value in parameters.items()},
            "codecs": {name: None if codec is None else codec.to_json() for name, codec in codecs.items()},
            "network": {"network": type(self.network_).__name__, **self.network_.config()},
            "learned": {name: _plain(getattr(self, name)) for name in (*_TRAINED, *self.LEARNED)},
        }
        tensors = {f"network.{name}": value for name, value in self.network_.state_dict().items()}
        tensors |= {f"learned.{name}": value for name, value in self._tensors().items()}
        save_model(os.fspath(path), type(self).__name__, config, tensors, force=force)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """The model that `save` wrote.

        Raises
        ------
        FileNotFoundError, ModelFileError
            When there is no such file, or it is truncated, foreign, of a newer version or tampered with.
        """
        file = load_model(os.fspath(path))
        if file.kind != cls.__name__:
            raise ModelFileError(f"{os.fspath(path)} holds a {file.kind}, expected a {cls.__name__}")
        try:
            return cls._from_file(file)
        except (ImportError, OSError):
            raise
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, IndexError) as error:
            raise ModelFileError(f"{os.fspath(path)} is damaged or was tampered with: {error}") from error

    @classmethod
    def _from_file(cls, file: ModelFile) -> Self:
        parameters = {name: _unplain(value) for name, value in file.config["parameters"].items()}
        if str(parameters.get("device")).startswith("cuda") and not torch.cuda.is_available():
            parameters["device"] = "auto"  # trained on a GPU, used where there is none
        learner = cls(**parameters)
        for name in cls.CODECS:
            state = file.config["codecs"][name]
            setattr(learner, name, None if state is None else codec_from_json(state))
        for name in (*_TRAINED, *cls.LEARNED):
            setattr(learner, name, file.config["learned"][name])
        network = build_network(file.config["network"], file.tensors)
        weights = {f"network.{name}": value for name, value in network.state_dict().items()}
        own = {name: value for name, value in file.tensors.items() if name.startswith("learned.")}
        check_tensors({name: value for name, value in file.tensors.items() if name not in own}, weights)
        network.load_state_dict({name: file.tensors[f"network.{name}"] for name in network.state_dict()})
        learner.network_ = network.to(learner._device()).eval()
        learner._take_tensors({name.removeprefix("learned."): value for name, value in own.items()})
        return learner


def build_network(config: dict[str, Any], tensors: Mapping[str, Tensor]) -> Network:
    """The network that a file's configuration describes, its weights not yet those of the file.

    Raises
    ------
    ModelFileError
        If it would be larger than `tensors`, the file's own, bear out: nothing of that size is allocated.
    """
    config = dict(config)
    name = config.pop("network")
    if name not in NETWORKS:
        raise ModelFileError(f"expected a network of this version ({', '.join(NETWORKS)}), got {name!r:.60}")
    kind = getattr(importlib.import_module(NETWORKS[name]), name)
    held = sum(tensor.numel() for tensor in tensors.values())
    # The weights that follow overwrite these: drawing them must not move the user's generator.
    with torch.random.fork_rng(devices=[]), _Budget(2 * held + 100_000):
        return kind(**config)


class _Budget(TorchFunctionMode):
    """Within it torch makes new tensors of at most so many elements in all."""

    def __init__(self, elements: int) -> None:
        super().__init__()
        self.left = elements

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _FACTORIES:
            size = kwargs.get("size", args[0] if args and not isinstance(args[0], int) else args)
            self.left -= math.prod(size)
            if self.left < 0:
                raise ModelFileError("its configuration tells of a larger network than the file holds weights for")
        return func(*args, **kwargs)


_FACTORIES = frozenset({torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.full})


def _not_fitted() -> type[Exception]:
    import sys

    exceptions = sys.modules.get("sklearn.exceptions")
    return ValueError if exceptions is None else exceptions.NotFittedError


def _plain(value: Any) -> Any:
    """The value as JSON can hold it; what it cannot hold (a model, a generator) becomes None."""
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: _plain(item) for key, item in value.items()}
        return {_PAIRS: [[_plain(key), _plain(item)] for key, item in value.items()]}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value if value is None or isinstance(value, str | int | float | bool) else None


def _unplain(value: Any) -> Any:
    """A parameter as it was given: a list was most likely a tuple."""
    if isinstance(value, list):
        return tuple(_unplain(item) for item in value)
    if isinstance(value, dict) and set(value) == {_PAIRS}:
        return {_unplain(key): _unplain(item) for key, item in value[_PAIRS]}
    return value
