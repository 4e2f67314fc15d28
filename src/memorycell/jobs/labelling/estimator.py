"""SequenceEstimator: what classifier and regressor share, from the first look at X to the trained network."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.log import note
from memorycell.data.ragged import Ragged
from memorycell.data.samples import MOST_SCORES, Answers, Samples, Source
from memorycell.data.sequences import SequenceDataset
from memorycell.data.streams import SampleStream
from memorycell.data.weights import checked_weights, weights_note, weights_print
from memorycell.jobs.insight import InsightByRow
from memorycell.jobs.labelling import building, doubts, plan
from memorycell.jobs.labelling.known import Known, Named, cut, joined, with_kept
from memorycell.jobs.labelling.network import SequenceToOne
from memorycell.jobs.labelling.parameters import Regressing
from memorycell.jobs.labelling.reading import (
    SequenceInput,
    SequenceSamples,
    is_source,
    read_input,
    read_source,
    read_where_labelled,
    samples_of,
)
from memorycell.jobs.labelling.stream import SequenceStream
from memorycell.jobs.learner import Learner
from memorycell.jobs.plan import layer_sizes
from memorycell.kernels.quiet import tell

if TYPE_CHECKING:
    from memorycell.insight.explained import Explained

Numbers = NDArray[Any]
_FEWEST_CALIBRATED = 1000
_STEPS_AT_ONCE = 200_000  # steps of a batch when nothing is trained, padding included: bounds its memory
_READS = {"text": "texts", "numbers": "series of numbers", "symbols": "symbols"}


class SequenceEstimator(Learner, InsightByRow, Regressing):
    """Base of the tasks that answer a whole sequence; see `SequenceClassifier` for the parameters."""

    CODECS: ClassVar[tuple[str, ...]] = ("codec_",)
    classifies: ClassVar[bool] = False
    LESS: ClassVar[str] = "n_grams=0, a smaller hidden_size or vocabulary_size=, or fewer classes"
    EXPLAINS: ClassVar[str] = "memorycell.jobs.labelling.explained"
    LEARNED: ClassVar[tuple[str, ...]] = ("input_", "columns_")

    network_: SequenceToOne
    codec_: Any
    input_: dict[str, Any]
    columns_: dict[str, Any]

    # What the two tasks differ in.

    def _take_outcomes(self, y: Any, n: int, weights: Numbers | None = None) -> Any:
        """y checked, and what is to be learned of all of it: which classes there are, and how much each weighs."""
        raise NotImplementedError

    def _known_outcomes(self, y: Any, n: int, where: Callable[[int], str]) -> Any:
        """y of other data than the training's, checked; `where`: how a row is called."""
        raise NotImplementedError

    def _learn_scale(self, outcomes: Any, weights: Numbers | None) -> None:
        """What is to be learned of training samples alone."""

    def _targets(self, outcomes: Any) -> Tensor:
        """Outcomes as the network's head is to hit them."""
        raise NotImplementedError

    def _strata(self, outcomes: Any) -> Numbers | None:
        """Classes that the held-out samples should have in the same shares; None: there are none."""
        return None

    def _weights(self, known: Known) -> Numbers | None:
        """How much each sample counts in the loss: its weight, times that of its class; None: all alike."""
        return known.weights

    def _head(self) -> dict[str, Any]:
        """The network's head and its outputs, as `SequenceToOne` is told."""
        raise NotImplementedError

    def served(self, raw: Numbers) -> Numbers:
        """The network's raw answers (n, K) as the user is given them: probabilities, or numbers in units."""
        raise NotImplementedError

    def _calibrate(self, raw: Numbers | None, known: Known | None) -> None:
        """Learn from the network's raw answers to held-out samples; None: nothing was held out."""

    def _counted(self, outcomes: Any) -> dict[str, Any]:
        """What there is to remember of the outcomes that are trained on."""
        return {}

    # ------------------------------------------------------------------ reading

    def read(self, source: Any, y: Any = None, *, labelled: bool | None = True, group: Any = None, order: Any = None,
             **reading: Any) -> SequenceSamples:  # fmt: skip
        """Sequences with what they stand for, out of whatever holds them; read once, and the way the training's were.

        Parameters
        ----------
        source : as X of `fit`; `SequenceSamples` as they are
        y : what each sequence stands for; or the name of that column
        labelled : whether y is wanted; None: where there is any, and no row is left out for want of it
        group, order : column of a file, of groups that belong together, and of dates or numbers, for folds
        reading : arguments of `memorycell.read_labelled`, such as ``decimal=","``, where they differ from those in
            training

        Raises
        ------
        ValueError, TypeError, FileNotFoundError
            With what was expected, what came and where.
        """
        return self._read(source, y, labelled, group, order, vars(self).get("input_"), reading=reading)

    def _read(
        self,
        source: Any,
        y: Any,
        labelled: bool | None,
        group: Any,
        order: Any,
        known: Mapping[str, Any] | None,
        weight: Any = None,
        reading: Mapping[str, Any] | None = None,
    ) -> SequenceSamples:
        """See `read`; `known` is what is known of the training's sequences, None before it; `weight`: see `fit`."""
        named = isinstance(weight, str)
        samples = self._unweighed(source, y, labelled, group, order, known, weight if named else None, reading or {})
        if named or weight is None:
            if samples.weights is None and (named or (known is None and self.weight is not None)):
                raise ValueError(
                    f"weight={weight if named else self.weight!r} names a column, but {samples.source.name} has no "
                    "columns by name: give a weight for each sample as sample_weight="
                )
            return samples
        return samples.replaced(weights=checked_weights(weight, len(samples)))

    def _unweighed(
        self,
        source: Any,
        y: Any,
        labelled: bool | None,
        group: Any,
        order: Any,
        known: Mapping[str, Any] | None,
        weight: str | None,
        reading: Mapping[str, Any],
    ) -> SequenceSamples:
        """`_read`, but for weights that were given as numbers; `weight`: a column."""
        if isinstance(source, SequenceSamples):
            return source
        columns = {"text": self.text, "target": self.target, **(self.reading or {})}
        if known is not None:
            columns |= vars(self).get("columns_", {})
        columns |= {**reading, "classes": self.classifies}
        columns["weight"], columns["optional"] = weight or self.weight, () if known is None else ("weight",)
        if not is_source(source, y, columns, learning=known is None and bool(labelled)):
            named = Source(type(source).__name__ if y is None else "X, y")
            given = self._input(source, known, blanks=known is not None and y is None)
            return SequenceSamples(given, y, groups=group, source=named, notes=doubts.blanks(given))
        if isinstance(y, str):
            columns["target"] = y
        wanted = bool(labelled) and (y is None or isinstance(y, str))
        columns["group"] = self.group if group is None and labelled and known is None else group
        if labelled is None:
            data, stamps = read_where_labelled(source, columns), None
        else:
            data, stamps = read_source(source, wanted, columns, order)
        if not (wanted or labelled is None):
            data.y = y
        return samples_of(self._input(data.x, known, blanks=known is not None), data, source, order=stamps)

    def _input(self, X: Any, known: Mapping[str, Any] | None, blanks: bool) -> SequenceInput:
        """X as sequences; after training, of the kind and the width of the training's."""
        if known is None:
            return self._kind_of(read_input(X, self.kind))
        if hasattr(X, "iloc") and known.get("names"):
            # scikit-learn's own words for columns that are missing, new or in another order.
            from sklearn.utils.validation import validate_data

            validate_data(Named(known["names"], type(self).__name__), X, reset=False, skip_check_array=True)
        given = read_input(X, known["kind"], known["features"], blanks=blanks)
        self._check_width(given)
        return given

    def _kind_of(self, given: SequenceInput) -> SequenceInput:
        """Texts as symbols, where nobody says that they are words, and only their letters can be learned."""
        said = self.kind != "auto" or self.pretrained is not None or self.word_vectors is not None
        if said or given.kind != "text" or self.unit != "word":
            return given
        if self.separator is not None:
            return replace(given, kind="symbols")
        return replace(given, kind="symbols") if doubts.are_spelt(given.sequences) else given

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
                + doubts.turned(given, expected)
            )

    def _known(self, samples: SequenceSamples, learn: bool = False) -> Known:
        """Samples with their outcomes, checked."""
        if samples.targets is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None: "
                "give the labels, or the name of their column"
            )
        if learn:
            return Known(samples, self._take_outcomes(samples.targets, len(samples), samples.weights))
        return Known(samples, self._known_outcomes(samples.targets, len(samples), samples.where))

    # ------------------------------------------------------------------ fitting

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        groups: Any = None,
        validation: Any = None,
        checkpoint: str | os.PathLike[str] | None = None,
        callbacks: Sequence[Callable[..., Any]] = (),
        log: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Learn what sequences stand for.

        Parameters
        ----------
        X : list of texts, list of arrays (T_i, F), array (n, T, F) or (n, T), lists of symbols; or a file or frame
            that `memorycell.read_labelled` reads, with columns named by `text`, `target` and `group`; or what `read`
            returned
        y : what each sequence stands for; or the name of that column of X
        sample_weight : (n,), optional; or the name of that column of X
            How much each sample counts: its loss is multiplied by it (and by `class_weight`), in training, on held-out
            samples and in calibration. What weighs 0 is left out. Default: the column named by `weight`, else all
            alike.
        groups : (n,), optional
            Samples of one group (a speaker, a user) are all held out or all trained on.
        validation : (X, y), (X, y, sample_weight), or a file, optional
            Decides when to stop, instead of samples held out of X.
        checkpoint : file to resume from if it exists and to save progress to; ``checkpoint + ".refit"`` is that of the
            second training
        callbacks, log : see `memorycell.train`

        Raises
        ------
        ValueError, TypeError
            For parameters or data that cannot be used: what was expected, what came, and how to mend it.
        """
        self._begin()
        samples = self._read(X, y, True, None, None, None, sample_weight)
        self._take_notes(samples.notes)
        self.columns_ = {name: value for name, value in samples.columns.items() if name != "weight"}
        groups = self._checked_groups(samples.groups if groups is None else groups, len(samples))
        samples, groups = self._weighty(samples, groups)
        given = samples.given
        self._take_notes(doubts.doubts(given, self.lowercase, spelt=self.kind == "auto" and self.separator is None))
        everything = self._known(samples, learn=True)
        self.input_ = {"kind": given.kind, "steps": given.steps, "features": given.features, "names": given.names}
        watched = None if validation is None else self._known(self._validation(validation))
        train, held_out = self._split(everything, groups, watched is not None)
        if len(held_out):
            watched = everything.take(held_out)
        self._record(samples, **self._counted(everything.outcomes))
        plan.choose(self, given, len(train))
        keep = {"callbacks": callbacks, "log": log}
        self._train_on(everything.take(train), watched, self.plan_["epochs"], checkpoint=checkpoint, **keep)
        self._calibrate(*(None, None) if watched is None else self._to_calibrate(watched))
        refit = self.refit if self.refit != "auto" else len(given) < plan.FEW_ENOUGH_TO_REFIT
        if refit and len(held_out) and self.stopped_ != "interrupted":
            path = None if checkpoint is None else os.fspath(checkpoint) + ".refit"
            self._refit_with(
                lambda epochs: self._train_on(everything, None, epochs, checkpoint=path, **keep),
                plan.LEAST_REFIT, "samples",
            )  # fmt: skip
        elif self.refit is True and not len(held_out):
            self._note("refit", "Not trained a second time: no sample was held out, so it has seen all of them.")
        return self

    def _to_calibrate(self, watched: Known) -> tuple[Numbers, Known]:
        """Raw answers to held-out samples: to all of them, or to as many as memory has room for."""
        most = max(_FEWEST_CALIBRATED, MOST_SCORES // self.network_.head.n_outputs)
        if len(watched.samples) > most:
            chosen = np.random.default_rng(self.seed_ % (1 << 64)).permutation(len(watched.samples))[:most]
            watched = watched.take(np.sort(chosen))
        return self.raw(watched.samples), watched

    def _weighty(self, samples: SequenceSamples, groups: Numbers | None) -> tuple[SequenceSamples, Numbers | None]:
        """The samples that weigh anything, with their groups; said where samples are weighted."""
        weights = samples.weights
        if weights is None:
            return samples, groups
        self.notes_.append(weights_note(weights))
        rows = np.flatnonzero(weights)
        if len(rows) == len(samples):
            return samples, groups
        self._note("weights", f"{len(samples) - len(rows):,} of {len(samples):,} samples weigh 0: left out.")
        part: Any = samples.take(rows)
        return part, None if groups is None else groups[rows]

    def _validation(self, given: Any) -> SequenceSamples:
        if isinstance(given, tuple):
            X, y, *weights = given
            samples = self._read(X, y, True, None, None, self.input_, *weights)
        else:
            samples = self.read(given)
        self._take_notes(samples.notes)
        return samples

    def _checked_groups(self, groups: Any, n: int) -> Numbers | None:
        if groups is None:
            return None
        groups = np.asarray(groups)
        if groups.shape != (n,):
            raise ValueError(f"expected a group for each of {n} samples, got shape {groups.shape}")
        return groups

    def _split(
        self, known: Known, groups: Numbers | None, watched: bool
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows to train on, and rows held out."""
        n = len(known.samples)
        if watched:
            return np.arange(n), np.empty(0, np.int64)
        strata = self._strata(known.outcomes)
        rarest = None if strata is None else int(np.unique(strata, return_counts=True)[1].min())
        fraction, why_not = plan.choose_validation(self.validation_fraction, n, rarest)
        if why_not is not None:
            self._note(
                "validation", f"Nothing is held out ({why_not}): trained for a set number of steps, weights averaged."
            )
        return plan.hold_out(n, fraction, self.seed_, strata, groups)

    def _train_on(self, known: Known, watched: Known | None, epochs: int, *, checkpoint: Any, **keep: Any) -> None:
        """A new codec and network, learned from these samples."""
        self._learn_scale(known.outcomes, known.weights)
        self.codec_ = building.fit_codec(self, known.samples.given)
        network: Any = self._seeded(lambda: building.build(self, self.codec_, self._head()))
        options, more = building.training(self, network, epochs, watched is not None)
        self._train_network(
            network,
            self._stream(known, shuffle=True),
            options,
            validation=None if watched is None else self._stream(watched, shuffle=False),
            checkpoint=checkpoint,
            fingerprint={"samples": len(known.samples), **weights_print(known.weights)},
            begun_with=None if self.pretrained is None and self.word_vectors is None else network.encoder,
            **keep,
            **more,
        )

    def _stream(self, known: Known, shuffle: bool) -> SampleStream:
        inputs = self.dataset(known.samples, in_training=True).inputs
        weights = self._weights(known)
        own = (
            {} if weights is None else {"weights": torch.from_numpy(weights).float(), "typical": float(weights.mean())}
        )
        dataset = SequenceDataset(inputs, self._targets(known.outcomes), **own)  # type: ignore[arg-type]
        lengths = dataset.lengths
        ragged = len(lengths) > 0 and int(lengths.min()) != int(lengths.max())
        size = self.plan_["batch_size"] if shuffle else 256
        sizes = lengths.numpy() if ragged else None
        return SampleStream(dataset, size, shuffle=shuffle, seed=self.seed_, lengths=sizes)

    # ------------------------------------------------------------------ answering

    def dataset(self, samples: Samples, in_training: bool = False) -> SequenceDataset:
        """Sequences as the network reads them, encoded once, those that are too long cut."""
        encoded = samples.encoded(self.codec_, lambda given: self._encode(samples, given, in_training))
        return SequenceDataset({"steps" if self.input_["kind"] == "numbers" else "tokens": encoded})

    def _encode(self, samples: Samples, given: SequenceInput, in_training: bool) -> Ragged:
        encoded = self.codec_.encode(given.sequences)
        most = self.plan_["max_length"]
        long = int((encoded.lengths > most).sum()) if most is not None else 0
        if not long:
            return encoded
        text = f"{long} of {len(encoded)} sequences are longer than {most} steps: only so many are read (max_length)."
        shortened = note("length", text)
        samples.notes.append(shortened)
        if in_training:
            self.notes_ = [*(each for each in self.notes_ if each["kind"] != "length"), shortened]
        return cut(encoded, most)

    def raw(self, samples: Samples) -> Numbers:
        """What the network answers, float64 (n, K); NaN to what is empty."""
        self.check_fitted()
        dataset = self.dataset(samples)
        longest = max(1, int(dataset.lengths.max()))
        raw = torch.full((len(dataset), self.network_.head.n_outputs), torch.nan, dtype=torch.float32)
        blank = samples.given.blank
        there = None if blank is None else torch.from_numpy(np.flatnonzero(~blank))
        some = dataset if there is None else dataset.take(there)
        for rows, batch in self._batches(some, size=max(1, min(256, _STEPS_AT_ONCE // longest))):
            raw[rows if there is None else there[rows]] = self.network_(batch).float().cpu()
        return raw.double().numpy()

    def _asked_in_parts(self, X: Any) -> list[SequenceSamples]:
        """X as a user gives it, encoded, in parts whose answers fit into memory.

        The user is told where a sequence is empty, or was not read to its end.
        """
        samples = self.asked(X)
        parts = self._parts(samples)
        if samples is not X:
            for text in [note["text"] for note in samples.notes if note["kind"] in ("length", "empty")]:
                tell(text)
        return parts

    def _parts(self, samples: Any) -> list[Any]:
        self.check_fitted()
        self.dataset(samples)
        size = max(1, MOST_SCORES // self.network_.head.n_outputs)
        starts = range(0, len(samples), size)
        return [samples] if len(starts) < 2 else [samples.take(range(s, min(s + size, len(samples)))) for s in starts]

    def _answered(self, X: Any) -> Numbers:
        """`raw` of X as a user gives it, all of it at once."""
        return np.concatenate([self.raw(part) for part in self._asked_in_parts(X)])

    def answers(self, X: Any, *, keep: str | Sequence[str] | None = None) -> Answers:
        """What the model says of sequences: a row each, with where it was, its text, the answer, probabilities.

        Parameters
        ----------
        X : sequences as for `predict`, a file of them, or what `read` returned
        keep : columns of the file or frame that come along: names, "all", "auto" (one of different values that is
            named id, …_id or uuid), or None. What an answer's column is called too, comes as ``given_`` and its name.

        Raises
        ------
        ValueError
            For a column that is not there.
        """
        samples = self.asked(X)
        columns: dict[str, Any] = {}
        beside = samples.kept(keep)
        if samples.ids is not None:
            columns["id"] = np.array(samples.ids, object)
        else:
            columns["row"] = np.arange(len(samples)) if samples.origin is None else samples.origin.numbers
        if self.input_["kind"] == "text":
            columns["text"] = np.array([" ".join(text.split()) for text in samples.given], object)
        parts = self._parts(samples)
        if len(parts) == 1:
            return with_kept(self._told(columns, self.raw(samples)), beside)
        said = f"{len(samples):,} × {self.network_.head.n_outputs:,} probabilities are too many to keep: only those of "
        samples.notes.append(note("brief", f"{said}the answers are told; predict_proba gives those of fewer at once."))
        told = [self._told({}, self.raw(part), brief=True) for part in parts]
        columns |= {name: np.concatenate([each.columns[name] for each in told]) for name in told[0].columns}
        return with_kept(Answers(joined([each.predictions for each in told]), columns, None, told[0].classes), beside)

    def _told(self, columns: dict[str, Any], raw: Numbers, brief: bool = False) -> Answers:
        """The answers that raw ones stand for; `columns` come before them. Brief: no probabilities of all classes."""
        raise NotImplementedError

    def stream(self) -> SequenceStream:
        """A stream that takes one step of a sequence after the other; only with ``causal=True``."""
        self.check_fitted()
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
        return self._explaining().explained(self, self.asked(X), row, output, against)

    def beside(self, samples: SequenceSamples, places: Sequence[int], keep: Any = None) -> list[dict[str, Any]]:
        """See `Insight.beside`: the answers, and what stands in the data."""
        part: Any = samples.take(places)
        called = super().beside(samples, places)
        found = [{**row, **name} if "row" in row else row
                 for row, name in zip(self.answers(part, keep=keep).records(), called, strict=True)]  # fmt: skip
        if part.targets is not None:
            for row, true in zip(found, np.asarray(part.targets, object), strict=True):
                row["true"] = true
        return found

    def step_names(self, samples: SequenceSamples, row: int, count: int) -> list[Any]:
        """See `InsightByRow.step_names`."""
        return self._explaining().steps(self, samples.given, row, count)[0]

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
        return self._explaining().attention(self, self.asked(X), row)

    def attended(self, samples: Samples, where: Mapping[str, Any]) -> Numbers | None:
        """See `Learner.attended`."""
        if "attention" not in self.network_.pooling.kinds:
            return None
        return self.attention(samples, row=where.get("row") or 0)

    def unread(self, samples: Samples, explained: Explained, where: Mapping[str, Any]) -> str:
        """See `Learner.unread`."""
        most = self.plan_.get("max_length")
        if most is None or len(explained) < most:
            return ""
        sequence = samples[where.get("row") or 0]
        count = len(self.codec_.tokens(sequence)) if isinstance(sequence, str) else len(sequence)
        if count <= len(explained):
            return ""
        return (
            f"Only the first {len(explained):,} of {count:,} {explained.noun} were read: the model takes no more "
            "(max_length)."
        )

    # ------------------------------------------------------------------ in words

    def reads(self) -> str:
        """ "texts", "series of numbers" or "symbols"."""
        return _READS[self.input_["kind"]]

    def _network_extras(self) -> list[str]:
        return ["convolutions beside it"] if self.network_.convolution is not None else []

    def rows(self) -> list[tuple[str, str]]:
        """Names and values of what a person asks first."""
        size = [("vocabulary", f"{self.codec_.size:,} tokens")] if self.input_["kind"] != "numbers" else []
        return [*super().rows(), *size]

    def _own_facts(self) -> dict[str, Any]:
        return {"vocabulary": int(self.codec_.size)} if self.input_["kind"] != "numbers" else {}

    # ------------------------------------------------------------------ scikit-learn

    @property
    def n_features_in_(self) -> int:
        """Columns of a matrix X, or numbers per step; texts and symbols have none."""
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

    def check_parameters(self) -> None:
        """Raise ValueError or TypeError for a parameter that cannot be used."""
        super().check_parameters()
        if self.causal and self.bidirectional is True:
            raise ValueError("expected bidirectional=False with causal=True: the backward direction looks ahead")
        layer_sizes(self.hidden_size, self.num_layers)

    def _check_loaded(self) -> None:
        building.check_loaded(self)
