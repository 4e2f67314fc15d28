"""SequenceEstimator: what classifier and regressor share, from the first look at X to the trained network."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.ragged import Ragged
from memorycell.data.sequences import SequenceDataset
from memorycell.data.streams import SampleStream
from memorycell.jobs.insight import InsightByRow
from memorycell.jobs.labelling import building as sequence_network
from memorycell.jobs.labelling import plan as sequence_plan
from memorycell.jobs.labelling.network import SequenceToOne
from memorycell.jobs.labelling.reading import SequenceInput, read_input
from memorycell.jobs.labelling.stream import SequenceStream
from memorycell.jobs.learner import Learner

if TYPE_CHECKING:
    from memorycell.insight.explained import Explained

Numbers = NDArray[Any]
_STEPS_AT_ONCE = 200_000  # steps of a batch when nothing is trained, padding included: bounds its memory


class Samples(NamedTuple):
    """Sequences with what they stand for, and the groups they belong to."""

    given: SequenceInput
    outcomes: Any
    groups: Numbers | None


class SequenceEstimator(Learner, InsightByRow):
    """Base of the tasks that answer a whole sequence; see `SequenceClassifier` for the parameters."""

    CODECS: ClassVar[tuple[str, ...]] = ("codec_",)
    EXPLAINS: ClassVar[str] = "labelling.explained"
    LEARNED: ClassVar[tuple[str, ...]] = ("input_", "columns_")

    network_: SequenceToOne
    codec_: Any
    input_: dict[str, Any]
    columns_: dict[str, Any]
    # Parameters of both tasks, set by their constructors.
    kind: str
    unit: str
    vocabulary_size: int | None
    min_count: int | str
    lowercase: bool
    separator: str | None
    max_length: int | str | None
    embedding_size: int | str
    hidden_size: int | str
    num_layers: int
    cell: str
    bidirectional: bool | str
    pooling: str | Sequence[str]
    convolution: bool | str
    n_grams: int | str
    causal: bool
    layer_norm: bool
    embedding_dropout: float | str
    input_dropout: float | str
    between_dropout: float | str
    output_dropout: float | str
    weight_dropout: float
    recurrent_dropout: float
    head_dropout: float | str
    word_vectors: Any
    pretrained: Any
    text: str | None
    target: str | None
    group: str | None
    reading: Mapping[str, Any] | None
    validation_fraction: float | str
    refit: bool | str
    epochs: int | str
    batch_size: int | str
    learning_rate: float | str
    patience: int | None
    training: Mapping[str, Any] | None

    def _store(self, parameters: dict[str, Any]) -> None:
        """Keep the constructor's arguments under their own names."""
        vars(self).update({name: parameters[name] for name in self._parameters()})

    # What the two tasks differ in.

    def _take_outcomes(self, y: Any, n: int) -> Any:
        """y checked, and what is to be learned of all of it: which classes there are."""
        raise NotImplementedError

    def _learn_scale(self, outcomes: Any) -> None:
        """What is to be learned of training samples alone."""

    def _targets(self, outcomes: Any) -> Tensor:
        """Outcomes as the network's head is to hit them."""
        raise NotImplementedError

    def _strata(self, outcomes: Any) -> Numbers | None:
        """Classes that the held-out samples should have in the same shares; None: there are none."""
        return None

    def _weights(self, outcomes: Any) -> Tensor | None:
        """The weight of each sample."""
        return None

    def _head(self) -> dict[str, Any]:
        """The network's head and its outputs, as `SequenceToOne` is told."""
        raise NotImplementedError

    def _served(self, raw: Numbers) -> Numbers:
        """The network's raw answers as the user is given them: probabilities, or numbers in units."""
        raise NotImplementedError

    def _calibrate(self, raw: Numbers | None, outcomes: Any) -> None:
        """Learn from the network's raw answers to held-out samples; None: nothing was held out."""

    # ------------------------------------------------------------------ fitting

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        groups: Any = None,
        validation: tuple[Any, Any] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        callbacks: Sequence[Callable[..., Any]] = (),
        log: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Learn what sequences stand for.

        Parameters
        ----------
        X : list of texts, list of arrays (T_i, F), array (n, T, F) or (n, T), lists of symbols; or a file or frame
            that `memorycell.read_labelled` reads, with columns named by `text`, `target` and `group`
        y : what each sequence stands for; or the name of that column of X
        groups : (n,), optional
            Samples of one group (a speaker, a user) are all held out or all trained on.
        validation : (X, y), optional
            Decides when to stop, instead of samples held out of X.
        checkpoint : file to resume from if it exists and to save progress to; ``checkpoint + ".refit"`` is that of the
            second training
        callbacks, log : see `memorycell.train`

        Raises
        ------
        ValueError, TypeError
            For parameters or data that cannot be used: what was expected, what came, and how to mend it.
        """
        self._check_parameters()
        self.notes_, self.columns_ = [], {}
        everything = self._samples(X, y, groups, learn=True)
        given, outcomes, groups = everything
        self.input_ = {"kind": given.kind, "steps": given.steps, "features": given.features, "names": given.names}
        train, held_out = self._split(len(given), outcomes, groups, validation)
        watched = None if validation is None else self._samples(*validation)
        if len(held_out):
            watched = _take(everything, held_out)
        self.plan_ = self._plan(given, len(train))
        keep = {"callbacks": callbacks, "log": log}
        self._train_on(_take(everything, train), watched, self.plan_["epochs"], checkpoint=checkpoint, **keep)
        self._calibrate(None if watched is None else self._raw(watched.given), watched and watched.outcomes)
        refit = self.refit if self.refit != "auto" else len(given) < sequence_plan.FEW_ENOUGH_TO_REFIT
        if refit and len(held_out) and self.stopped_ != "interrupted":
            self._refit(everything, checkpoint, keep)
        return self

    def _samples(self, X: Any, y: Any, groups: Any = None, learn: bool = False) -> Samples:
        data = sequence_network.from_source(self, X, y, labelled=True)
        X, y, groups = data.x, data.y, data.groups if groups is None else groups
        self.notes_.extend(entry for entry in data.notes if entry not in self.notes_)
        if learn:
            self.columns_ = data.columns or {}
        given = self._read(X, learn)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: "
                "give the labels, or the name of their column"
            )
        outcomes = self._take_outcomes(y, len(given)) if learn else self._known_outcomes(y, len(given))
        if groups is not None:
            groups = np.asarray(groups)
            if groups.shape != (len(given),):
                raise ValueError(f"expected a group for each of {len(given)} samples, got shape {groups.shape}")
        return Samples(given, outcomes, groups)

    def _known_outcomes(self, y: Any, n: int) -> Any:
        """y of other data than the training's, checked."""
        raise NotImplementedError

    def _read(self, X: Any, learn: bool = False) -> SequenceInput:
        """X as sequences; after training, of the kind and the width of the training's."""
        if hasattr(X, "iloc") and (learn or self.input_.get("names")):
            # scikit-learn's own words for columns that are missing, new or in another order.
            from sklearn.utils.validation import validate_data

            if learn:
                return read_input(X, self.kind)
            validate_data(_Named(self.input_["names"], type(self).__name__), X, reset=False, skip_check_array=True)
        given = read_input(X, self.kind if learn else self.input_["kind"])
        if not learn:
            self._check_width(given)
        return given

    def _check_width(self, given: SequenceInput) -> None:
        if given.kind != "numbers":
            return
        expected = self.n_features_in_
        got = given.features if self.input_["steps"] is None or given.steps is None else given.steps
        if self.input_["steps"] is not None and given.steps is None:
            expected = self.input_["features"]
        if got != expected:
            raise ValueError(
                f"X has {got} features, but {type(self).__name__} is expecting {expected} features as input"
            )

    def _split(
        self, n: int, outcomes: Any, groups: Numbers | None, validation: Any
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows to train on, and rows held out."""
        if validation is not None:
            return np.arange(n), np.empty(0, np.int64)
        strata = self._strata(outcomes)
        rarest = None if strata is None else int(np.unique(strata, return_counts=True)[1].min())
        fraction, why_not = sequence_plan.choose_validation(self.validation_fraction, n, rarest)
        if why_not is not None:
            self._note(
                "validation", f"Nothing is held out ({why_not}): trained for a set number of steps, weights averaged."
            )
        return sequence_plan.hold_out(n, fraction, self.seed, strata, groups)

    def _plan(self, given: SequenceInput, samples: int) -> dict[str, Any]:
        plan = sequence_network.choose(self, given, samples)
        plan["batch_size"] = sequence_plan.choose_batch_size(samples) if self.batch_size == "auto" else self.batch_size
        plan["epochs"] = self.epochs
        if self.epochs == "auto":
            plan["epochs"] = sequence_plan.choose_epochs(samples, plan["batch_size"], given.kind, plan["convolution"])
        return plan

    def _train_on(
        self, samples: Samples, watched: Samples | None, epochs: int, *, checkpoint: Any, **keep: Any
    ) -> None:
        """A new codec and network, learned from `samples`."""
        self._learn_scale(samples.outcomes)
        self.codec_ = sequence_network.fit_codec(self, samples.given, self.plan_)
        network: Any = self._seeded(lambda: sequence_network.build(self, self.codec_, self._head(), self.plan_))
        options, more = sequence_network.training(self, network, self.plan_, epochs, watched is not None)
        self._train_network(
            network,
            self._stream(samples, shuffle=True),
            options,
            validation=None if watched is None else self._stream(watched, shuffle=False),
            checkpoint=checkpoint,
            fingerprint={"samples": len(samples.given)},
            **keep,
            **more,
        )

    def _refit(self, everything: Samples, checkpoint: Any, keep: dict[str, Any]) -> None:
        """Train once more on all samples, for as long as was best; interrupted, the first model stays."""
        first = {name: value for name, value in vars(self).items() if name.endswith("_")}
        epochs = max(self.best_epoch_, round(sequence_plan.LEAST_REFIT * self.plan_["epochs"]), 1)
        path = None if checkpoint is None else os.fspath(checkpoint) + ".refit"
        self._train_on(everything, None, epochs, checkpoint=path, **keep)
        interrupted, seconds = self.stopped_ == "interrupted", self.train_seconds_
        vars(self).update(first if interrupted else {n: first[n] for n in ("history_", "best_epoch_", "stopped_")})
        self.train_seconds_ = first["train_seconds_"] + seconds
        if interrupted:
            self.stopped_ = "interrupted"
            self._note(
                "refit", "Training on all samples was interrupted: this is the model of the training part alone."
            )
            return
        self._note(
            "refit",
            f"Trained once more on all samples for {epochs} {'epoch' if epochs == 1 else 'epochs'} "
            f"(epoch {self.best_epoch_} was best on validation).",
        )

    def _stream(self, samples: Samples, shuffle: bool) -> SampleStream:
        dataset = self._dataset(samples.given, self._targets(samples.outcomes), self._weights(samples.outcomes))
        lengths = dataset.lengths
        ragged = len(lengths) > 0 and int(lengths.min()) != int(lengths.max())
        size = self.plan_["batch_size"] if shuffle else 256
        return SampleStream(dataset, size, shuffle=shuffle, seed=self.seed, lengths=lengths.numpy() if ragged else None)

    def _dataset(
        self, given: SequenceInput, targets: Tensor | None = None, weights: Tensor | None = None
    ) -> SequenceDataset:
        """Sequences as the network reads them, those that are too long cut."""
        encoded = self.codec_.encode(given.sequences)
        most = self.plan_["max_length"]
        long = int((encoded.lengths > most).sum()) if most is not None else 0
        if long:
            encoded = _cut(encoded, most)
            text = (
                f"{long} of {len(encoded)} sequences are longer than {most} steps: only so many are read (max_length)."
            )
            if any(note["kind"] == "length" for note in self.notes_):
                warnings.warn(text, UserWarning, stacklevel=4)
            else:
                self._note("length", text)
        name = "steps" if given.kind == "numbers" else "tokens"
        return SequenceDataset({name: encoded}, targets, weights)

    # ------------------------------------------------------------------ answering

    def _raw(self, given: SequenceInput) -> Numbers:
        """What the network answers, float64 (n, K)."""
        dataset = self._dataset(given)
        longest = max(1, int(dataset.lengths.max()))
        raw = torch.empty(len(dataset), self.network_.head.n_outputs)
        for rows, batch in self._batches(dataset, size=max(1, min(256, _STEPS_AT_ONCE // longest))):
            raw[rows] = self.network_(batch).float().cpu()
        return raw.double().numpy()

    def _answers(self, X: Any) -> Numbers:
        """`_raw` of X as a user gives it."""
        self._check_fitted()
        return self._raw(self._read(sequence_network.from_source(self, X).x))

    def read_file(self, source: Any, *, labelled: bool = False, group: Any = None) -> Any:
        """A file or frame, read the way the training's was: sequences, and where asked for labels and groups."""
        labels = "sequence" if labelled else "none"
        return sequence_network.read_source(self, source, labels=labels, group=group)

    def stream(self) -> SequenceStream:
        """A stream that takes one step of a sequence after the other; only with ``causal=True``."""
        self._check_fitted()
        return SequenceStream(self)

    # ------------------------------------------------------------------ looking inside

    def explained(self, X: Any, *, row: int = 0, output: Any = None, against: Any = None) -> Explained:
        """One answer as a function of what the recurrent layers read. See `Explained`, and `explain`.

        Parameters
        ----------
        X : sequences as for `predict`, or a file of them
        row : which of them
        output : a class, of which the score is explained (default: the likeliest); of several numbers, which
        against : the class whose score is taken from it (default: the likeliest other one); not of numbers

        Raises
        ------
        ValueError
            For a row or a class that is not there.
        """
        return self._explaining().explained(self, X, row, output, against)

    def attention(self, X: Any, *, row: int = 0) -> Numbers:
        """The share of each step in what pooling by attention made of one sequence: (T,), which sum to 1.

        Parameters
        ----------
        X, row : as for `explained`

        Raises
        ------
        ValueError
            For a model whose `pooling` has no "attention", or a row that is not there.
        """
        return self._explaining().attention(self, X, row)

    # ------------------------------------------------------------------ scikit-learn

    @property
    def n_features_in_(self) -> int:
        """Columns of a matrix X, or numbers a step; texts and symbols have none."""
        known = vars(self).get("input_") or {}
        count = known.get("steps") or known.get("features")
        if count is None:
            raise AttributeError(f"this {type(self).__name__} has seen no numbers: it has no n_features_in_")
        return count

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the columns of a matrix X that was given as a frame."""
        names = (vars(self).get("input_") or {}).get("names")
        if names is None:
            raise AttributeError(f"this {type(self).__name__} has seen no named columns")
        return np.array(names, object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.input_tags.string = self.kind in ("text", "symbols")
        return tags

    @classmethod
    def _from_file(cls, file: Any) -> Self:
        model = super()._from_file(file)
        sequence_network.check_loaded(model)
        return model

    def _check_parameters(self) -> None:
        sequence_network.check_parameters(self)
        self._device()


class _Named:
    """An estimator of named columns, as scikit-learn's check of them asks for it."""

    def __init__(self, names: list[str], name: str) -> None:
        self.feature_names_in_ = np.array(names, object)
        self.n_features_in_ = len(names)
        self.__class__ = type(name, (_Named,), {})


def _take(samples: Samples, rows: NDArray[np.int64]) -> Samples:
    given = samples.given
    part = SequenceInput(given.take(rows), given.kind, given.steps, given.features, given.names)
    return Samples(part, samples.outcomes[rows], None)


def _cut(ragged: Ragged, most: int) -> Ragged:
    """The first `most` steps of each sequence."""
    lengths = ragged.lengths.clamp(max=most)
    offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
    where = torch.arange(int(offsets[-1])) + (ragged.offsets[:-1] - offsets[:-1]).repeat_interleave(lengths)
    return Ragged(ragged.values[where], offsets)
