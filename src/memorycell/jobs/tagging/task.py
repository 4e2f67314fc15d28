"""Tagger: a label at each step of a sequence: parts of speech, named entities, frames of a recording."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memorycell.data.forms import FLAG, field
from memorycell.data.labels.label_codec import LabelCodec
from memorycell.data.labels.label_doubts import label_doubts
from memorycell.data.lines import listing
from memorycell.data.ragged import Ragged
from memorycell.data.samples import Answers, Samples
from memorycell.data.sequences import SequenceDataset
from memorycell.data.signals.sequence_codec import SequenceCodec
from memorycell.data.streams import SampleStream
from memorycell.data.text.tagged import SPECIALS, TaggedDataset, WordCodec
from memorycell.data.text.tagged_files import format_tagged
from memorycell.data.weights import checked_step_weights, weights_note, weights_print
from memorycell.jobs import transfer
from memorycell.jobs.card import Job
from memorycell.jobs.insight import InsightByRow
from memorycell.jobs.learner import Learner
from memorycell.jobs.parameters import documented
from memorycell.jobs.plan import layer_sizes
from memorycell.jobs.tagging import TAG
from memorycell.jobs.tagging.measures import TagScores, tag_scores, weighted_score
from memorycell.jobs.tagging.network import TaggingNetwork
from memorycell.jobs.tagging.parameters import Tagging
from memorycell.jobs.tagging.plan import choose, rows_at_once
from memorycell.jobs.tagging.reading import NAMES, TaggedSamples, read_samples
from memorycell.jobs.tagging.stream import TaggerStream

if TYPE_CHECKING:
    from memorycell.insight.explained import Explained

Numbers = NDArray[np.float64]
MOST_NAMED = 8  # labels in one line


@documented
@dataclass(kw_only=True, eq=False, repr=False)
class Tagger(Learner, InsightByRow, Tagging):
    """Labels at each step, from words and their spelling or from numeric sequences, by a bidirectional LSTM.

    Words are read as embedded words beside the final states of an LSTM over their characters; where labels mark spans
    (BIO, IOB1, BIOES, BILOU, BMES, BMEWO) a conditional random field on top labels whole sequences (Huang et al. 2015,
    arXiv 1508.01991; Lample et al. 2016, arXiv 1603.01360).

    Attributes
    ----------
    classes_ : array of the labels, sorted
    codec_, target_codec_, network_, plan_ : what was fitted and chosen
    input_ : "words" or "steps"
    history_ : list of dict, one an epoch; `best_epoch_`, `train_seconds_`, `n_parameters_`, `n_threads_`
    notes_ : list of dict: what was decided, and why, in sentences

    Examples
    --------
    >>> x = [["a", "dog", "barks"], ["the", "cat", "sleeps"]] * 10
    >>> y = [["DET", "NOUN", "VERB"]] * 20
    >>> tagger = Tagger(hidden_size=16, epochs=8, verbose=False).fit(x, y)
    >>> tagger.predict([["the", "dog", "sleeps"]])
    [['DET', 'NOUN', 'VERB']]
    """

    JOB: ClassVar[Job] = TAG
    CODECS: ClassVar[tuple[str, ...]] = ("codec_", "target_codec_")
    LESS: ClassVar[str] = "a smaller hidden_size or embedding_size, or a larger min_count"
    EXPLAINS: ClassVar[str] = "memorycell.jobs.tagging.explained"
    LEARNED: ClassVar[tuple[str, ...]] = ("input_",)

    # ------------------------------------------------------------------ reading

    def read(
        self, source: Any, y: Any = None, *, labelled: bool | None = True, encoding: str | None = None
    ) -> TaggedSamples:
        """Sequences with their labels, out of whatever holds them; read once, and of the kind of the training's.

        Parameters
        ----------
        source : as X of `fit`; `TaggedSamples` as they are
        y : a list of labels for each sequence; not of a file, which holds them
        labelled : whether labels are wanted; None: where there are some
        encoding : of a file, where it is not that of the training's

        Raises
        ------
        ValueError, TypeError, FileNotFoundError
            With what was expected, what came and where.
        """
        return self._read(source, y, labelled, vars(self).get("input_"), encoding)

    def _read(
        self, source: Any, y: Any, labelled: bool | None, known: str | None, encoding: str | None = None
    ) -> TaggedSamples:
        """See `read`; `known` is the kind of the training's sequences, None before it."""
        if known == "steps" and isinstance(source, str | os.PathLike):
            raise ValueError("expected a tagger of words to tag a file, got one of numbers: use it from Python")
        samples = read_samples(
            source, y, word=self.word, tag=self.tag, labelled=labelled, weight=self.weight,
            sentence=self.sentence, encoding=encoding or self.encoding, blanks=known is not None and y is None,
        )  # fmt: skip
        if known is not None and samples.kind != known and any(samples.lengths):
            raise TypeError(f"expected {NAMES[known]}, as in training, got {NAMES[samples.kind]}")
        return samples

    # ------------------------------------------------------------------ fitting

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        validation: Any = None,
        checkpoint: str | os.PathLike[str] | None = None,
        callbacks: Sequence[Callable[..., Any]] = (),
        log: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Learn to label.

        Parameters
        ----------
        X : list of lists of words, list of arrays (T_i, F) or (T_i,), the path of a CoNLL, CoNLL-U or TSV file, or
            what `read` returned
        y : list of lists of labels, one for each word or step; None for a file, which holds them
        sample_weight : (n,), or a list of (T_i,), optional
            How much each sequence, or each step of it, counts: its loss is multiplied by it, in training and on
            held-out sequences. What weighs 0 is left out. A CRF weighs whole sequences. Default: the column named by
            `weight`, else all alike.
        validation : (X, y), (X, y, sample_weight), a path or what `read` returned, optional
            Decides when to stop, instead of sequences held out of X.
        checkpoint, callbacks, log : see `memorycell.train`

        Raises
        ------
        ValueError, TypeError, FileNotFoundError
            For parameters or data that cannot be used: what was expected, what came, and where.
        """
        self._begin()
        lender = self._lender()
        samples = self._weighed(self._read(X, y, True, None), sample_weight)
        watched = None
        if validation is not None:
            x, labels, *weights = validation if isinstance(validation, tuple) else (validation, None)
            watched = self._weighed(self._read(x, labels, True, samples.kind), *weights)
        self._take_notes(samples.notes)
        samples = self._weighty(samples)
        self.input_ = samples.kind
        train, held_out = self._split(len(samples), watched is not None)
        part: Any = samples.take(train) if len(held_out) else samples
        self._learn_labels(part.labels)
        beside = [] if watched is None else watched.labels
        names = self.classes_.tolist()
        self.plan_, broken = choose(self, samples.kind, part.lengths, names, [*samples.labels, *beside])
        if broken:
            self._note("labels", broken)
        self.codec_ = self._fit_codec(part.given, lender)
        samples.encoded(self.codec_, self.codec_.encode)  # all of it at once: its parts are taken out of that
        self._record(samples, noun=self._noun(), classes=_counts(samples.labels, names))
        watched = samples.take(held_out) if len(held_out) else watched  # type: ignore[assignment]
        self._train_on(part, watched, lender, checkpoint=checkpoint, callbacks=callbacks, log=log)
        return self

    def _weighed(self, samples: TaggedSamples, weights: Any = None) -> TaggedSamples:
        """The samples with weights of their own, where some are given."""
        if weights is None:
            return samples
        return samples.replaced(weights=checked_step_weights(weights, samples.lengths))

    def _weighty(self, samples: TaggedSamples) -> TaggedSamples:
        """The sequences that weigh anything; said where they are weighted."""
        weights = samples.weights
        if weights is None:
            return samples
        whole = isinstance(weights, np.ndarray)
        noun = f"{'sentence' if samples.kind == 'words' else 'sequence'}s"
        said = noun.capitalize() if whole else f"{samples.noun.capitalize()}s"
        self.notes_.append(weights_note(weights if whole else np.concatenate(weights), said))
        rows = np.flatnonzero(weights if whole else [part.any() for part in weights])
        if len(rows) == len(samples):
            return samples
        self._note("weights", f"{len(samples) - len(rows):,} of {len(samples):,} {noun} weigh 0: left out.")
        part: Any = samples.take(rows)
        return part

    def _noun(self) -> str:
        return "sentences" if self.input_ == "words" else "sequences"

    def _split(self, count: int, given: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Sequences to train on, and those held out."""
        held = 0 if given else round(self.validation_fraction * count)
        order = np.random.default_rng(self.seed_ % (1 << 64)).permutation(count)
        if held == 0 and not given:
            self._note("validation", "Nothing is held out: training does not stop early.")
        return np.sort(order[held:]), np.sort(order[:held])

    def _learn_labels(self, labels: Sequence[Sequence[Any]]) -> None:
        self.target_codec_ = LabelCodec().fit([label for row in labels for label in row])
        if len(self.classes_) < 2:
            raise ValueError(f"expected at least two different labels, got only {self.classes_.tolist()[0]!r}")
        self._take_notes(label_doubts(self.classes_.tolist(), self.target_codec_.counts_.tolist()))

    def _lender(self) -> Any:
        """The fitted language model of words that `pretrained` is, or that its file holds; None for None."""
        return (
            None if self.pretrained is None else transfer.language_model(self.pretrained, units=("word", "whitespace"))
        )

    def _fit_codec(self, sequences: Sequence[Any], lender: Any) -> Any:
        """The codec of words, or of numeric steps, learned from training sequences."""
        if self.input_ == "steps":
            return SequenceCodec().fit(sequences)
        if lender is None:
            return WordCodec(self.min_count, self.lowercase).fit(sequences)
        own = WordCodec(self.min_count, lender.codec_.lowercase).fit(sequences)
        words = own.vocabulary[len(SPECIALS) :]
        vocabulary = transfer.extended(lender.codec_.vocabulary, words)
        self._take_notes([transfer.vocabulary_note(lender, words, len(vocabulary))])
        return own.fit(sequences, vocabulary=vocabulary)

    def _build(self, lender: Any) -> TaggingNetwork:
        """A new network; above the encoder of a language model where there is one."""
        plan, codec, classes, p = self.plan_, self.codec_, self.classes_.tolist(), self.plan_["dropout"]
        layers = {
            "hidden_sizes": plan["hidden_size"],
            "cell": self.cell,
            "bidirectional": not plan["causal"],
            "input_dropout": p if self.input_ == "words" else 0.0,
            "between_dropout": p,
            "output_dropout": p,
            "recurrent_dropout": self.recurrent_dropout,
        }
        more: dict[str, Any] = {
            "head": "crf" if plan["crf"] else "softmax",
            "labels": [str(label) for label in classes] if plan["constrained"] else None,
            "constrained_training": plan["constrained"],
            "scheme": "IOB1" if plan["constrained"] and plan["scheme"] == "IOB1" else None,
            "label_smoothing": 0.0 if plan["crf"] else self.label_smoothing,
        }
        if self.input_ == "steps":
            return TaggingNetwork(len(classes), {"features": codec.features_, **layers}, **more)
        more |= {
            "characters": len(codec.characters) if plan["characters"] else None,
            "character_size": self.character_size,
            "character_hidden": self.character_hidden,
            "spelling_dropout": self.spelling_dropout,
            "word_dropout": self.word_dropout,
        }
        if lender is None:
            words = {"vocabulary": codec.size, "embedding_size": self.embedding_size, **layers}
            return TaggingNetwork(len(classes), words, **more)
        below = {**lender.network_.encoder.config(), "vocabulary": codec.size}
        network = TaggingNetwork(len(classes), below, above=layers, **more)
        network.encoder.load_state_dict(transfer.encoder_state(lender, codec.size))
        return network

    def _train_on(self, part: TaggedSamples, watched: TaggedSamples | None, lender: Any, **keep: Any) -> None:
        plan, begun = self.plan_, lender is not None and self.input_ == "words"
        more: dict[str, Any] = {"schedule": transfer.SCHEDULE} if begun else {}
        network: Any = self._seeded(lambda: self._build(lender))
        options = self._options(
            epochs=plan["epochs"],
            learning_rate=plan["learning_rate"],
            patience=None if watched is None else self.patience,
            clip_norm=5.0,
            **more,
        )
        more = {"groups": transfer.groups(network, options.epochs)} if begun else {}
        self._train_network(
            network,
            self._stream(part, plan["batch_size"], shuffle=True),
            options,
            validation=None
            if watched is None
            else self._stream(watched, rows_at_once(max(watched.lengths)), shuffle=False),
            fingerprint={"sequences": len(part), **weights_print(part.weights)},
            begun_with=network.encoder if begun else None,
            **more,
            **keep,
        )

    def _stream(self, samples: TaggedSamples, size: int, shuffle: bool) -> SampleStream:
        flat = self.target_codec_.encode([each for row in samples.labels for each in row], unknown="ignore")
        bounds = torch.tensor([0, *samples.lengths]).cumsum(0)
        weights = self._unseen_weights(flat, bounds) if bool((flat < 0).any()) else None
        typical, own = None, self._step_weights(samples)
        if own is not None:
            weights = Ragged(own if weights is None else own * weights.values, bounds)
            typical = float(weights.values.mean())
        dataset = self.dataset(samples, Ragged(flat.clamp(min=0), bounds), weights, typical)
        return SampleStream(dataset, size, shuffle=shuffle, seed=self.seed_, lengths=dataset.lengths)

    def _step_weights(self, samples: TaggedSamples) -> Tensor | None:
        """The weight of each step of all sequences, one after the other."""
        weights = samples.weights
        if weights is None:
            return None
        if isinstance(weights, np.ndarray):
            weights = np.repeat(weights, samples.lengths)
        else:
            mixed = next((row for row, part in enumerate(weights) if part.min() != part.max()), None)
            if self.plan_["crf"] and mixed is not None:
                raise ValueError(
                    f"expected one weight for all steps of a sequence, got several in sequence {mixed:,}: a CRF weighs "
                    "sequences; crf=False weighs steps"
                )
            weights = np.concatenate(weights)
        return torch.from_numpy(weights).float()

    def _unseen_weights(self, flat: Tensor, bounds: Tensor) -> Ragged:
        """Weights 0 of labels that training has not seen; with a CRF, of whole sequences that have one."""
        seen = (flat >= 0).float()
        self._note(
            "labels", f"{int((seen == 0).sum())} validation labels do not occur in training: left out of its loss."
        )
        if self.plan_["crf"]:
            whole = [part.min().expand(len(part)) for part in seen.split(bounds.diff().tolist())]
            seen = torch.cat(whole)
        return Ragged(seen, bounds)

    def check_parameters(self) -> None:
        """Raise ValueError or TypeError for a parameter that cannot be used."""
        super().check_parameters()
        if self.causal and self.crf is True:
            raise ValueError("a CRF looks at the whole sequence: expected crf=False with causal=True")
        layer_sizes(self.hidden_size, self.num_layers)

    # ------------------------------------------------------------------ labelling

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels, sorted: what the columns of `predict_proba` stand for."""
        if "target_codec_" not in vars(self):
            raise AttributeError("this Tagger is not fitted yet: it has no classes_")
        return self.target_codec_.classes_

    def dataset(
        self,
        samples: Samples,
        targets: Ragged | None = None,
        weights: Ragged | None = None,
        typical: float | None = None,
    ) -> SequenceDataset:
        """Sequences as the network reads them, encoded once."""
        encoded = samples.encoded(self.codec_, self.codec_.encode)
        if self.input_ == "steps":
            return SequenceDataset({"steps": encoded}, targets, weights, typical)
        return TaggedDataset(encoded, targets, weights, typical)

    def _raw(self, samples: Samples) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Rows, their raw scores and their lengths, batch by batch; without those that hold nothing."""
        self.check_fitted()
        there = np.flatnonzero([_holds_something(sequence) for sequence in samples.given])
        if not len(there):
            return
        dataset, name = self.dataset(samples.take(there)), self.network_.input
        for rows, batch in self._batches(dataset, rows_at_once(int(dataset.lengths.max()))):
            yield torch.from_numpy(there)[rows], self.network_(batch), batch.lengths[name]

    def predicted(self, samples: Samples) -> list[list[Any]]:
        """`predict` of samples."""
        found: list[list[Any]] = [[None] * len(sequence) for sequence in samples.given]
        for rows, raw, lengths in self._raw(samples):
            labels = self.network_.head.predict(raw, lengths).cpu().numpy()
            for place, each, length in zip(rows.tolist(), labels, lengths.tolist(), strict=True):
                found[place] = self.target_codec_.decode(each[:length]).tolist()
        return found

    def _chances(self, samples: Samples) -> list[Numbers]:
        found = [np.full((len(sequence), len(self.classes_)), np.nan) for sequence in samples.given]
        for rows, raw, lengths in self._raw(samples):
            chances = self.network_.head.probabilities(raw, lengths).double().cpu().numpy()
            for place, each, length in zip(rows.tolist(), chances, lengths.tolist(), strict=True):
                found[place] = each[:length]
        return found

    def predict(self, X: Any) -> list[list[Any]]:
        """The labels of each sequence; with a CRF the most probable sequence of labels.

        An empty sequence has none, and the labels of one with missing numbers alone are None.

        Parameters
        ----------
        X : as for `fit`; of a file only the column of words is read
        """
        return self.predicted(self.asked(X))

    def predict_proba(self, X: Any) -> list[Numbers]:
        """The probability (T_i, K) of each label at each step of each sequence; with a CRF the marginals."""
        return self._chances(self.asked(X))

    def answers(self, X: Any, *, probabilities: bool = False) -> Answers:
        """What the model says of sequences: a row each, with its words and their tags; of a file also that file tagged.

        Parameters
        ----------
        X : sequences as for `predict`, a file of them, or what `read` returned
        probabilities : whether those of `predict_proba` are wanted, too
        """
        samples = self.asked(X)
        tags = self.predicted(samples)
        columns = {"tags": _objects(tags)}
        if samples.kind == "words":
            columns = {"words": _objects(samples.given), **columns}
        return Answers(
            tags,
            columns,
            self._chances(samples) if probabilities else None,
            self.classes_.tolist(),
            None if samples.tagged is None else format_tagged(samples.tagged, tags),
            self._noun().removesuffix("s"),
        )

    # ------------------------------------------------------------------ measuring

    def kind_of(self, samples: Samples) -> Any:
        """What there is to be answered of these samples, and how it is measured."""
        from memorycell.evaluation.kinds import Tags

        known = self.classes_.tolist() if "target_codec_" in vars(self) else []
        return Tags(samples.given, samples.labels, known)  # type: ignore[attr-defined]

    def scores_of(self, samples: TaggedSamples, predicted: Sequence[Sequence[Any]]) -> TagScores:
        """How good predicted labels of samples are; see `evaluate`."""
        known = None
        if samples.kind == "words":
            known = [[self.codec_.knows(word) for word in words] for words in samples.given]
        return tag_scores(samples.labels, predicted, self.classes_.tolist(), known)

    def evaluate(self, X: Any, y: Any = None) -> TagScores:
        """How good the labels are: by label, for known and unknown words, and by entities. See `TagScores`.

        Labels that training has not seen count as wrong, and are named.
        """
        self.check_fitted()
        samples = self.read(X, y)
        return self.scores_of(samples, self.predicted(samples))

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """F1 of entities where labels mark spans (BIO, BIOES, …), else the share of steps whose label is right."""
        if sample_weight is None:
            return self.evaluate(X, y).score
        self.check_fitted()
        samples = self._weighed(self.read(X, y), sample_weight)
        return weighted_score(samples.labels, self.predicted(samples), samples.weights)

    # ------------------------------------------------------------------ looking inside

    def explained(
        self, X: Any, *, row: int = 0, place: int | None = None, output: Any = None, against: Any = None
    ) -> Explained:
        """The label of a word or step as a function of what the recurrent layers read. See `Explained`, and `explain`.

        Parameters
        ----------
        X : as for `predict`
        row : which sequence
        place : which of its words or steps, from 0 (default: the one whose label is least sure)
        output : the label explained (default: the one that it is given)
        against : the label it is set against (default: the likeliest other one)

        Raises
        ------
        ValueError
            For a row, a word or a label that is not there.
        """
        return self._explaining().explained(self, self.asked(X), row, place, output, against)

    def beside(self, samples: TaggedSamples, places: Sequence[int], keep: Any = None) -> list[dict[str, Any]]:
        """See `Insight.beside`: the words and their labels."""
        tags = self.predicted(samples.take(places))
        found = []
        for place, own in zip(places, tags, strict=True):
            number = int(samples.where(place).split()[-1].replace(",", ""))
            words = {"words": " ".join(samples[place])} if samples.kind == "words" else {}
            found.append({"row": number, **words, "tags": " ".join(map(str, own))})
        return found

    def step_names(self, samples: TaggedSamples, row: int, count: int) -> Sequence[Any]:
        """See `InsightByRow.step_names`."""
        return samples[row] if samples.kind == "words" else range(count)

    def stream(self) -> TaggerStream:
        """A stream that takes one word or step after the other; only with ``causal=True``."""
        self.check_fitted()
        return TaggerStream(self)

    # ------------------------------------------------------------------ in words

    def reads(self) -> str:
        """ "words" or "numbers"."""
        return "words" if self.input_ == "words" else "numbers"

    def headline(self) -> str:
        """ "3 labels for every step of words: ADJ, NOUN and VERB"."""
        labels = self.classes_.tolist()
        return f"{len(labels):,} labels for every step of {self.reads()}: {listing(labels, MOST_NAMED)}"

    def _network_extras(self) -> list[str]:
        return ["a CRF on top"] if self.network_.head_name == "crf" else []

    def rows(self) -> list[tuple[str, str]]:
        """Names and values of what a person asks first."""
        size = [("vocabulary", f"{self.codec_.size:,} tokens")] if self.input_ == "words" else []
        return [*super().rows(), *size]

    def _own_facts(self) -> dict[str, Any]:
        size = {"vocabulary": int(self.codec_.size)} if self.input_ == "words" else {}
        return {"classes": self.classes_.tolist(), **size}

    # ------------------------------------------------------------------ files

    @classmethod
    def _of_older(cls, config: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        config, tensors = super()._of_older(config, tensors)
        codecs = {{"label_codec_": "target_codec_"}.get(name, name): state for name, state in config["codecs"].items()}
        plan = config["plan"]
        if isinstance(plan, dict):
            plan = {cls.JOB.renamed.get(name, name): value for name, value in plan.items()}
        return {**config, "codecs": codecs, "plan": plan}, tensors

    def _check_loaded(self) -> None:
        network, codec, encoder = self.network_, self.codec_, self.network_.encoder
        if self.input_ not in NAMES:
            raise ValueError(f"expected a tagger of words or steps, got one of {self.input_!r:.40}")
        if not isinstance(codec, WordCodec if self.input_ == "words" else SequenceCodec):
            raise ValueError(f"expected a codec of {self.input_}, got another")
        if not isinstance(self.target_codec_, LabelCodec) or len(self.classes_) != network.n_labels:
            raise ValueError(f"expected {network.n_labels} labels, as many as the network gives, got others")
        if isinstance(codec, SequenceCodec):
            fits = encoder.embedding is None and encoder.features == codec.features_
        else:
            spelt = network.character_sizes[0]
            fits = encoder.embedding is not None and encoder.vocabulary == codec.size
            fits = fits and (not spelt or spelt == len(codec.characters))
        if not fits:
            raise ValueError("expected a codec of as many words, characters or numbers as the network reads")
        if not isinstance(self.plan_.get("causal"), bool) or (self.plan_["causal"] and encoder.bidirectional):
            raise ValueError("expected a plan that says whether the network looks ahead, got another")
        if field(self.plan_.values(), "crf", FLAG, "the plan") != (network.config()["head"] == "crf"):
            raise ValueError("expected a plan of the network's own head, got another")


def _counts(labels: Sequence[Sequence[Any]], names: Sequence[Any]) -> dict[str, int]:
    """How often each label occurs, in the order of `names`, others behind."""
    counts = Counter(label for row in labels for label in row)
    return {str(name): counts[name] for name in dict.fromkeys([*names, *counts])}


def _holds_something(sequence: Any) -> bool:
    """Whether there is a word, or a number that is not missing."""
    if not len(sequence):
        return False
    if isinstance(sequence[0], str):
        return True
    values = np.asarray(sequence)
    return values.dtype.kind != "f" or values.flat[0] == values.flat[0] or not np.isnan(values).all()


def _objects(values: Sequence[Any]) -> NDArray[Any]:
    """A column of lists."""
    column = np.empty(len(values), object)
    for place, value in enumerate(values):
        column[place] = list(value)
    return column
