"""Tagger: a label at each step of a sequence: parts of speech, named entities, frames of a recording."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray

from memorycell.data.labels.label_codec import LabelCodec
from memorycell.data.ragged import Ragged
from memorycell.data.sequences import SequenceDataset
from memorycell.data.streams import SampleStream
from memorycell.data.text.tagged import TaggedDataset
from memorycell.jobs.insight import InsightByRow
from memorycell.jobs.learner import Learner
from memorycell.jobs.tagging import building as tagger_network
from memorycell.jobs.tagging.measures import TagScores, tag_scores
from memorycell.jobs.tagging.network import TaggingNetwork
from memorycell.jobs.tagging.reading import Labelled, read_input
from memorycell.jobs.tagging.stream import TaggerStream
from memorycell.networks.encoder import CELLS

if TYPE_CHECKING:
    from memorycell.insight.explained import Explained

Numbers = NDArray[np.float64]


class Tagger(Learner, InsightByRow):
    """Labels at each step, from words and their spelling or from numeric sequences, by a bidirectional LSTM.

    Words are read as embedded words beside the final states of an LSTM over their characters; where labels mark spans
    (BIO, BIOES) a conditional random field on top labels whole sequences (Huang et al. 2015, arXiv 1508.01991; Lample
    et al. 2016, arXiv 1603.01360).

    Parameters
    ----------
    word, tag : int or str, optional
        Columns of the files that `fit` and the others are given (see `memorycell.data.text.tagged_files.read_tagged`).
    crf : bool or "auto"
        Put a CRF on top; "auto": where labels are BIO or BIOES. What the scheme forbids is then never predicted, unless
        the training labels break it themselves.
    hidden_sizes : int, sequence of int or "auto" (200 for words, 128 for numbers)
        Units of each layer, in each direction.
    cell : "LSTM", "GRU" or "RNN"
    embedding_size : int, default 100
    characters : bool, default True
        Read the spelling of words.
    character_size, character_hidden : int, default 48 and 64
    min_count : int, default 2
        Words that are rarer in training are unknown, and known by their spelling alone.
    lowercase : bool, default True
        Look words up in lower case; their spelling keeps the case.
    dropout : float or "auto" (0.3 for words, 0.2 for numbers)
        Before words enter, between layers and after the last, one mask a sequence.
    recurrent_dropout, spelling_dropout : float, default 0 and 0.1
    word_dropout : float, default 0.05
        Share of words read as unknown in training.
    label_smoothing : float, default 0.03
        Share of each target that is spread over all labels in training (without a CRF).
    causal : bool, default False
        Never look ahead: one direction and no CRF, served step by step by `stream()`.
    pretrained : LanguageModel or path of its file, or None
        Its encoder (words only), which reads in one direction, goes below the tagger's layers, with its vocabulary and
        the training words that it lacks. It learns slower than what is above, and begins later (Howard & Ruder 2018).
    validation_fraction : float, default 0.1
        Share of the sequences that decides when to stop. 0: none, all epochs are trained.
    epochs, batch_size, learning_rate : number or "auto"
    patience : int or None
        Epochs without improvement on validation before training stops.
    training : mapping or None
        Further fields of `memorycell.TrainingOptions`.
    seed : int, default 0
    device : str, default "auto"
    n_threads : int or None
    verbose : bool or None
        Progress bar; None: where stderr is a terminal.

    Attributes
    ----------
    classes_ : array of the labels, sorted
    codec_, label_codec_, network_ : what was fitted
    input_ : "words" or "steps"
    history_, best_epoch_, stopped_, train_seconds_, n_threads_, n_parameters_, plan_, notes_ : see `Learner`

    Examples
    --------
    >>> x = [["a", "dog", "barks"], ["the", "cat", "sleeps"]] * 10
    >>> y = [["DET", "NOUN", "VERB"]] * 20
    >>> tagger = Tagger(hidden_sizes=16, epochs=8, verbose=False).fit(x, y)
    >>> tagger.predict([["the", "dog", "sleeps"]])
    [['DET', 'NOUN', 'VERB']]
    """

    CODECS: ClassVar[tuple[str, ...]] = ("codec_", "label_codec_")
    EXPLAINS: ClassVar[str] = "tagging.explained"
    LEARNED: ClassVar[tuple[str, ...]] = ("input_",)

    network_: TaggingNetwork
    codec_: Any
    label_codec_: LabelCodec
    input_: str

    def __init__(
        self,
        *,
        word: int | str | None = None,
        tag: int | str | None = None,
        crf: bool | str = "auto",
        hidden_sizes: int | Sequence[int] | str = "auto",
        cell: str = "LSTM",
        embedding_size: int = 100,
        characters: bool = True,
        character_size: int = 48,
        character_hidden: int = 64,
        min_count: int = 2,
        lowercase: bool = True,
        dropout: float | str = "auto",
        recurrent_dropout: float = 0.0,
        spelling_dropout: float = 0.1,
        word_dropout: float = 0.05,
        label_smoothing: float = 0.03,
        causal: bool = False,
        pretrained: Any = None,
        validation_fraction: float = 0.1,
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        learning_rate: float | str = "auto",
        patience: int | None = 4,
        training: Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str = "auto",
        n_threads: int | None = None,
        verbose: bool | None = None,
    ) -> None:
        given = locals()
        vars(self).update({name: given[name] for name in self._parameters()})

    # Declared for those who read or check types; `__init__` sets them all.
    word: int | str | None
    tag: int | str | None
    crf: bool | str
    hidden_sizes: int | Sequence[int] | str
    cell: str
    embedding_size: int
    characters: bool
    character_size: int
    character_hidden: int
    min_count: int
    lowercase: bool
    dropout: float | str
    recurrent_dropout: float
    spelling_dropout: float
    word_dropout: float
    label_smoothing: float
    causal: bool
    pretrained: Any
    validation_fraction: float
    epochs: int | str
    batch_size: int | str
    learning_rate: float | str
    patience: int | None

    # ------------------------------------------------------------------ fitting

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        validation: Any = None,
        checkpoint: str | os.PathLike[str] | None = None,
        callbacks: Sequence[Callable[..., Any]] = (),
        log: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Learn to label.

        Parameters
        ----------
        X : list of lists of words, list of arrays (T_i, F) or (T_i,), or the path of a CoNLL, CoNLL-U or TSV file
        y : list of lists of labels, one for each word or step; None for a file, which holds them
        validation : (X, y) or path, optional
            Decides when to stop, instead of sequences held out of X.
        checkpoint, callbacks, log : see `memorycell.train`

        Raises
        ------
        ValueError, TypeError, FileNotFoundError
            For parameters or data that cannot be used: what was expected, what came, and where.
        """
        self._check_parameters()
        self.notes_ = []
        given = self._read(X, y)
        watched = None
        if validation is not None:
            pair = validation if isinstance(validation, tuple) else (validation, None)
            watched = self._read(*pair, kind=given.kind)
        self.notes_ += given.notes
        self.input_ = given.kind
        train, held_out = self._split(len(given.sequences), watched is not None)
        if len(held_out):
            watched = _take(given, held_out)
        part = _take(given, train)
        self.label_codec_ = LabelCodec().fit([label for labels in part.labels or [] for label in labels])
        if len(self.classes_) < 2:
            raise ValueError(f"expected at least two different labels, got only {self.classes_.tolist()[0]!r}")
        beside = [] if validation is None or watched is None else watched.labels or []
        self.plan_ = tagger_network.choose(self, given.kind, part.sequences, [*(given.labels or []), *beside])
        self.codec_ = tagger_network.fit_codec(self, given.kind, part.sequences)
        self._train_on(part, watched, checkpoint=checkpoint, callbacks=callbacks, log=log)
        return self

    def _train_on(self, part: Labelled, watched: Labelled | None, **keep: Any) -> None:
        plan = self.plan_
        network: Any = self._seeded(lambda: tagger_network.build(self, plan))
        options, more = tagger_network.training(self, network, plan, watched is not None)
        self._train_network(
            network,
            self._stream(part, plan["batch_size"], shuffle=True),
            options,
            validation=None
            if watched is None
            else self._stream(watched, tagger_network.rows_at_once(watched.sequences), shuffle=False),
            fingerprint={"sequences": len(part.sequences)},
            **more,
            **keep,
        )

    def _stream(self, part: Labelled, size: int, shuffle: bool) -> SampleStream:
        dataset = self._dataset(part.sequences, part.labels)
        lengths = dataset.lengths
        return SampleStream(dataset, size, shuffle=shuffle, seed=self.seed, lengths=lengths)

    def _dataset(self, sequences: Sequence[Any], labels: Sequence[Sequence[Any]] | None = None) -> SequenceDataset:
        targets = weights = None
        if labels is not None:
            flat = self.label_codec_.encode([each for row in labels for each in row], unknown="ignore")
            bounds = torch.tensor([0, *map(len, labels)]).cumsum(0)
            targets = Ragged(flat.clamp(min=0), bounds)
            if bool((flat < 0).any()):
                weights = self._unseen_weights(flat, bounds)
        if self.input_ == "steps":
            return SequenceDataset({"steps": self.codec_.encode(sequences)}, targets, weights)
        return TaggedDataset(self.codec_.encode(sequences), targets, weights)

    def _unseen_weights(self, flat: torch.Tensor, bounds: torch.Tensor) -> Ragged:
        """Weights 0 of labels that training has not seen; with a CRF, of whole sequences that have one."""
        seen = (flat >= 0).float()
        self._note(
            "labels", f"{int((seen == 0).sum())} validation labels do not occur in training: left out of its loss."
        )
        if self.plan_["crf"]:
            whole = [part.min().expand(len(part)) for part in seen.split(bounds.diff().tolist())]
            seen = torch.cat(whole)
        return Ragged(seen, bounds)

    def _split(self, count: int, given: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Sequences to train on, and those held out."""
        held = 0 if given else round(self.validation_fraction * count)
        order = np.random.default_rng(self.seed % (1 << 64)).permutation(count)
        if held == 0 and not given:
            self._note("validation", "Nothing is held out: training does not stop early.")
        return np.sort(order[held:]), np.sort(order[:held])

    def _read(self, X: Any, y: Any = None, *, labelled: bool = True, kind: str | None = None) -> Labelled:
        given = read_input(X, y, word=self.word, tag=self.tag, labelled=labelled)
        if kind is not None and given.kind != kind:
            names = {"words": "lists of words", "steps": "numeric sequences"}
            raise TypeError(f"expected {names[kind]}, as in training, got {names[given.kind]}")
        return given

    def _check_parameters(self) -> None:
        self._device()
        if self.crf not in (True, False, "auto"):
            raise ValueError(f'expected crf to be True, False or "auto", got {self.crf!r}')
        if self.causal and self.crf is True:
            raise ValueError("a CRF looks at the whole sequence: expected crf=False with causal=True")
        if self.cell not in CELLS:
            raise ValueError(f"expected cell to be {', '.join(CELLS)}, got {self.cell!r}")
        for name in ("dropout", "recurrent_dropout", "spelling_dropout", "word_dropout", "label_smoothing"):
            value = getattr(self, name)
            if not (name == "dropout" and value == "auto") and not (_is_number(value) and 0 <= value < 1):
                raise ValueError(f"expected {name} to be at least 0 and under 1, got {value!r}")
        if not _is_number(self.validation_fraction) or not 0 <= self.validation_fraction < 1:
            raise ValueError(
                f"expected validation_fraction to be at least 0 and under 1, got {self.validation_fraction!r}"
            )
        for name in ("embedding_size", "character_size", "character_hidden", "min_count", "batch_size", "epochs"):
            value = getattr(self, name)
            if value != "auto" and not _is_count(value):
                raise ValueError(f"expected {name} to be a whole number of at least 1, got {value!r}")
        sizes = self.hidden_sizes
        if sizes != "auto" and not _is_count(sizes):
            if isinstance(sizes, str) or not isinstance(sizes, Iterable) or not sizes or not all(map(_is_count, sizes)):
                raise ValueError(f"expected hidden_sizes to be whole numbers of at least 1, got {sizes!r}")
        tagger_network.language_model(self.pretrained)

    # ------------------------------------------------------------------ labelling

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels, sorted: what the columns of `predict_proba` stand for."""
        if "label_codec_" not in vars(self):
            raise AttributeError("this Tagger is not fitted yet: it has no classes_")
        return self.label_codec_.classes_

    def predict(self, X: Any) -> list[list[Any]]:
        """The labels of each sequence; with a CRF the most probable sequence of labels.

        Parameters
        ----------
        X : as for `fit`; of a file only the column of words is read
        """
        return self._predict(self._asked(X).sequences)

    def _predict(self, sequences: Sequence[Any]) -> list[list[Any]]:
        found: list[list[Any]] = [[] for _ in sequences]
        for row, raw, lengths in self._raw(sequences):
            labels = self.network_.labels(raw, lengths).cpu().numpy()
            for place, each, length in zip(row.tolist(), labels, lengths.tolist(), strict=True):
                found[place] = self.label_codec_.decode(each[:length]).tolist()
        return found

    def predict_proba(self, X: Any) -> list[Numbers]:
        """The probability (T_i, K) of each label at each step of each sequence; with a CRF the marginals."""
        sequences = self._asked(X).sequences
        found: list[Numbers] = [np.empty(0)] * len(sequences)
        for row, raw, lengths in self._raw(sequences):
            chances = self.network_.probabilities(raw, lengths).double().cpu().numpy()
            for place, each, length in zip(row.tolist(), chances, lengths.tolist(), strict=True):
                found[place] = each[:length]
        return found

    def _asked(self, X: Any) -> Labelled:
        self._check_fitted()
        return self._read(X, labelled=False, kind=self.input_)

    def _raw(self, sequences: Sequence[Any]) -> Iterable[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        self._check_fitted()
        dataset = self._dataset(sequences)
        name = "steps" if self.input_ == "steps" else "tokens"
        for rows, batch in self._batches(dataset, tagger_network.rows_at_once(sequences)):
            yield rows, self.network_.raw(batch)[0], batch.lengths[name]

    def evaluate(self, X: Any, y: Any = None) -> TagScores:
        """How good the labels are: by label, for known and unknown words, and by entities. See `TagScores`.

        Labels that training has not seen count as wrong, and are named.
        """
        self._check_fitted()
        given = self._read(X, y, kind=self.input_)
        known = None
        if self.input_ == "words":
            known = [[self.codec_.knows(word) for word in words] for words in given.sequences]
        return tag_scores(given.labels or [], self._predict(given.sequences), self.classes_.tolist(), known)

    def score(self, X: Any, y: Any = None) -> float:
        """F1 of entities where labels are BIO or BIOES, else the share of steps whose label is right."""
        return self.evaluate(X, y).score

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
        return self._explaining().explained(self, X, row, place, output, against)

    def stream(self) -> TaggerStream:
        """A stream that takes one word or step after the other; only with ``causal=True``."""
        self._check_fitted()
        return TaggerStream(self)


def _take(given: Labelled, rows: NDArray[np.int64]) -> Labelled:
    labels = None if given.labels is None else [given.labels[row] for row in rows]
    return Labelled([given.sequences[row] for row in rows], labels, given.kind, given.notes)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= 1)
