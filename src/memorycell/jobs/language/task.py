"""LanguageModel: from a text to what comes next, its probability, and how surprising each word was."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, overload

import numpy as np
import torch
from torch import Tensor

from memorycell.data.samples import Answers, Samples
from memorycell.data.text.corpus import Corpus
from memorycell.data.text.language_stream import LanguageStream
from memorycell.data.text.text_codec import TextCodec
from memorycell.jobs import transfer
from memorycell.jobs.card import Job
from memorycell.jobs.language import LANGUAGE, plan
from memorycell.jobs.language.generation import Speaker
from memorycell.jobs.language.measures import LanguageEvaluation, measured
from memorycell.jobs.language.network import LanguageNetwork
from memorycell.jobs.language.parameters import Modelling
from memorycell.jobs.language.running import Cache, Dynamic, log_probabilities, option
from memorycell.jobs.language.stream import TokenStream
from memorycell.jobs.language.text import Head, TextSamples, Token, documents, doubts, read_samples, spans
from memorycell.jobs.learner import Learner, Progress
from memorycell.jobs.parameters import documented

if TYPE_CHECKING:
    from memorycell.insight.explained import Explained
    from memorycell.insight.tracing import ModelTrace

Floats = np.ndarray[Any, np.dtype[np.float64]]


@documented
@dataclass(kw_only=True, eq=False, repr=False)
class LanguageModel(Learner, Modelling):
    """An LSTM that predicts the next word, character or piece of a word, and writes text.

    Attributes
    ----------
    codec_ : TextCodec
    network_ : LanguageNetwork
    plan_ : Plan, what "auto" became, and why
    tokens_ : int, of the training text
    history_ : list of dict, one an epoch; `best_epoch_`, `train_seconds_`, `n_parameters_`, `n_threads_`
    notes_ : list of dict: what was decided, and why, in sentences

    Examples
    --------
    >>> text = "the cat sat on the mat and the dog sat on the log\\n" * 40
    >>> model = LanguageModel("character", hidden_size=32, epochs=8, learning_rate=0.02, verbose=False).fit(text)
    >>> model.generate("the cat", length=12, temperature=0)
    ' sat on the '
    """

    JOB: ClassVar[Job] = LANGUAGE
    CODECS: ClassVar[tuple[str, ...]] = ("codec_",)
    EXPLAINS: ClassVar[str] = "memorycell.jobs.language.explained"
    LEARNED: ClassVar[tuple[str, ...]] = ("tokens_",)

    # The ids of the training text, for n-grams beside it; a model that was loaded has none.
    _train_ids = None

    # ------------------------------------------------------------------ reading

    def read(self, source: Any, *, labelled: bool | None = True, encoding: str | None = None) -> TextSamples:
        """Texts out of whatever holds them, read once; a file of more than 64 MB stays where it is.

        Parameters
        ----------
        source : as X of `fit`; `TextSamples` as they are
        labelled : makes no difference: what is to be answered is the text itself
        encoding : of a file, where it is not that of the training's

        Raises
        ------
        FileNotFoundError, TypeError, ValueError
            For no such file, something else than text, or a text that is empty.
        """
        return read_samples(source, encoding or self.encoding)

    # ------------------------------------------------------------------ fitting

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        validation: Any = None,
        codec: TextCodec | None = None,
        init_from: Any = None,
        cache: str | os.PathLike[str] | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        callbacks: Sequence[Callable[..., Any]] = (),
        log: str | os.PathLike[str] | None = None,
    ) -> Self:
        """Learn to predict each token of a text from those before it.

        Parameters
        ----------
        X : path, str, list of str, Corpus, or what `read` returned
            A text file (also .gz), which may be larger than memory; a text; documents; or a `Corpus` with its codec.
        y : ignored
        validation : like `X`, optional
            Default: the end of the text.
        codec : TextCodec, optional
            Fitted; default: one is fitted on the training part of the text.
        init_from : fitted LanguageModel or path of its file, optional
            Begin with its weights, vocabulary and sizes, and learn this text too (the second step of Howard & Ruder
            2018): new tokens begin with its mean embedding, lower layers learn at lower rates.
        cache : path, optional
            File for the ids of a large text, to be used again.
        checkpoint, callbacks, log
            See `memorycell.train`.

        Raises
        ------
        FileNotFoundError, TypeError, ValueError
            For no such file, something else than text, a text that is empty, no UTF-8 or too short, and for
            parameters out of range.
        """
        self._begin()
        samples = self.read(X)
        if not samples.written and codec is None:
            raise ValueError("expected codec= with a Corpus, got none: the codec that made its ids")
        begin = None if init_from is None else transfer.language_model(init_from)
        if begin is not None and codec is not None:
            raise ValueError("expected codec= or init_from=, got both: a model brings its vocabulary")
        held = self.validation_fraction if validation is None else 0.0
        self.codec_ = codec or self._fit_codec(samples, 1.0 - held, begin)
        corpus = samples.corpus(self.codec_, cache)
        cut = len(corpus) - int(held * len(corpus))
        ids, watched = corpus.ids[: cut + 1], corpus.ids[cut:] if cut < len(corpus) else None
        if validation is not None:
            watched = self.read(validation).corpus(self.codec_).ids
        self.tokens_ = len(ids) - 1
        self._take_notes(doubts(self.codec_, corpus))
        inherited = None if begin is None else _inherited(begin)
        self.plan_ = plan.choose(self.get_params(), self.tokens_, self.codec_.size, inherited)
        self._record(samples, rows=len(corpus), noun="tokens", characters=corpus.counts.characters)
        self._train_on(ids, watched, corpus, begin, checkpoint=checkpoint, callbacks=callbacks, log=log)
        self._train_ids = ids
        return self

    def _fit_codec(self, samples: TextSamples, share: float, begin: Any) -> TextCodec:
        """The vocabulary of the training part of a text."""
        text = Head(samples.pieces, share)
        if begin is not None:
            least, _ = plan.min_count(begin.codec_.unit, self.min_count)
            fixed = begin.network_.softmax == "adaptive"  # its clusters follow the ids
            codec, note = transfer.codec(begin, text, least, fixed=fixed)
            self._take_notes([note])
            return codec
        least, why = plan.min_count(self.unit, self.min_count)
        codec = TextCodec(self.unit, self.vocabulary_size, least, self.lowercase, self.normalization)
        if least > 1:
            self._note("vocabulary", f"Tokens that occur fewer than {least} times are unknown: {why}.")
        return codec.fit(text)

    def _train_on(self, ids: Any, watched: Any, corpus: Corpus, begin: Any, **keep: Any) -> None:
        """A new network, trained on ids, and watched on others where there are some."""
        length, tracks = self.plan_["bptt"], self.plan_["batch_size"]
        if self.tokens_ < 2 * length:
            raise ValueError(
                f"expected a text of at least {2 * length} tokens (two chunks of bptt={length}), "
                f"got {self.tokens_}: give more text or a smaller bptt"
            )
        self._note_choices(corpus)
        held_out = None
        if watched is not None and len(watched) > 1:
            held_out = LanguageStream(watched, max(1, min(tracks, len(watched) // (4 * length))), length, vary=False)
        else:
            self._note("validation", "No text was held out: training does not stop early.")
        network: Any = self._seeded(self._build)
        more: dict[str, Any] = {}
        fields = plan.options(self.plan_, self.patience, held_out is not None)
        if begin is not None:
            network.continue_from(begin.network_)
            if self.plan_["optimizer"] != "asgd":
                fields |= {"schedule": transfer.SCHEDULE, "warmup_steps": 0}
            more["groups"] = transfer.groups(network, self.plan_["epochs"], gradual=False)
        self._train_network(
            network,
            LanguageStream(ids, tracks, length, seed=self.seed_),
            self._options(**fields),
            validation=held_out,
            fingerprint={"vocabulary": self.codec_.size, "tokens": self.tokens_},
            begun_with=None if begin is None else begin.network_,
            **keep,
            **more,
        )

    def _build(self) -> LanguageNetwork:
        chosen = self.plan_
        dropouts = {f"{name}_dropout": value for name, value in chosen["dropout"].items()}
        return LanguageNetwork(
            self.codec_.size,
            chosen["embedding_size"],
            chosen["hidden_size"],
            chosen["cell"],
            tied=chosen["tied"],
            softmax=chosen["softmax"],
            alpha=chosen["alpha"],
            beta=chosen["beta"],
            precision=self.precision,
            **dropouts,
        )

    def _note_choices(self, corpus: Corpus) -> None:
        if self.plan_["softmax"] == "adaptive":
            self._note(
                "softmax",
                f"The adaptive softmax scores {self.codec_.size:,} tokens in clusters, so the embedding is not tied.",
            )
        unknown = corpus.counts.unknown / max(1, corpus.counts.tokens)
        if unknown > 0:
            self._note("unknown", f"{unknown:.2%} of the text's tokens are unknown.")

    # ------------------------------------------------------------------ scoring

    def _log_probabilities(self, ids: Any, cache: Cache | None = None, dynamic: Dynamic | None = None) -> Floats:
        """Natural logarithm of the probability of each token but the first."""
        with self.at_work():
            found = log_probabilities(self.network_, ids, cache, dynamic, self.verbose)
            return torch.cat(list(found)).double().numpy()

    def log_probabilities(self, X: Any) -> list[Floats]:
        """Natural logarithm of the probability of each token of each text, line ends included: a text after the other.

        Parameters
        ----------
        X : as for `fit`; each text begins from nothing
        """
        return [self._log_probabilities(ids) for ids in documents(self.asked(X).corpus(self.codec_))]

    def answers(self, X: Any) -> Answers:
        """What the model says of texts: a row for each token: what it is, where it stands, how likely it was.

        Parameters
        ----------
        X : texts or a file of one, or what `read` returned
        """
        samples = self.asked(X)
        logs = self.log_probabilities(samples)
        corpus, flat = samples.corpus(self.codec_), np.concatenate(logs)
        vocabulary = np.array(self.codec_.vocabulary, object)
        columns: dict[str, Any] = {}
        if len(samples) > 1:
            columns["row"] = np.repeat(np.arange(len(logs)), [len(each) for each in logs])
        columns["token"] = vocabulary[np.asarray(corpus.ids[1:], np.int64)]
        if samples.written:
            starts = [start for text in samples.texts for _, start, _ in spans(self.codec_, text)]
            columns["start"] = np.array(starts)
        columns |= {"probability": np.exp(flat), "surprise": -flat}
        return Answers(logs, columns)

    def perplexity(self, X: Any, *, cache: Any = None, dynamic: Any = None) -> float:
        """exp of the mean negative log probability of a token, over the whole text with carried state.

        Every token counts, line ends and unknown ones too. See `evaluate` for `cache` and `dynamic`, and for the
        share of unknown tokens, which makes perplexities of different vocabularies incomparable.
        """
        return math.exp(-self.score(X, cache=cache, dynamic=dynamic))

    def bits_per_character(self, X: Any, *, cache: Any = None, dynamic: Any = None) -> float:
        """Bits that the model needs to write the text down, over its characters, line breaks included.

        Unknown tokens cost what it takes to spell them, see `evaluate`.
        """
        return self.evaluate(X, cache=cache, dynamic=dynamic, baseline=False).bits_per_character

    def score(self, X: Any, y: Any = None, *, cache: Any = None, dynamic: Any = None) -> float:
        """Mean log probability of a token, in nats: higher is better. `perplexity` is exp of its negative."""
        ids = self.asked(X).corpus(self.codec_).ids
        return float(self._log_probabilities(ids, option(Cache, cache), option(Dynamic, dynamic)).mean())

    def token_scores(self, text: str, *, cache: Any = None, dynamic: Any = None) -> list[Token]:
        """Each token of `text`: what it is to the model, where it stands, and its log probability in nats.

        ``text[token.start : token.stop]`` is what was written. An ``<end>`` stands for each end of a line of words,
        and for the end of the text.
        """
        self.check_fitted()
        if not isinstance(text, str):
            raise TypeError(f"expected a text, got {type(text).__name__}")
        return self.scored(TextSamples([text]), option(Cache, cache), option(Dynamic, dynamic))

    def scored(self, samples: TextSamples, cache: Cache | None = None, dynamic: Dynamic | None = None) -> list[Token]:
        """`token_scores` of samples of one text."""
        scores = self._log_probabilities(samples.corpus(self.codec_).ids, cache, dynamic).tolist()
        return [Token(*span, score) for span, score in zip(spans(self.codec_, samples[0]), scores, strict=True)]

    def evaluate(
        self,
        X: Any,
        *,
        baseline: bool = True,
        cache: Any = None,
        dynamic: Any = None,
        train: Any = None,
    ) -> LanguageEvaluation:
        """How well the model predicts a text that it was not trained on, beside an n-gram model.

        Parameters
        ----------
        X : as for `fit`
        baseline : bool
            Score interpolated Kneser–Ney n-grams of the training text on the same tokens.
        cache : True, mapping or Cache, optional
            Continuous cache (Grave et al. 2017), for example ``{"window": 2000, "theta": 0.6, "weight": 0.2}``.
        dynamic : True, mapping or Dynamic, optional
            Dynamic evaluation (Krause et al. 2018). The network has its trained weights again afterwards.
        train : as for `fit`
            Training text for the baseline, of a model that was loaded from a file.
        """
        samples = self.asked(X)
        corpus = samples.corpus(self.codec_)
        helped = option(Cache, cache), option(Dynamic, dynamic)
        before = self._train_ids if train is None else self.read(train).corpus(self.codec_).ids
        return measured(
            self._log_probabilities(corpus.ids, *helped),
            corpus,
            self.codec_,
            samples.pieces if samples.written else None,
            options=[each for each in helped if each is not None],
            train=before if baseline else None,
        )

    def kind_of(self, samples: Samples) -> Any:
        """What there is to be answered of these samples, and how it is measured."""
        from memorycell.evaluation.kinds import Language

        return Language()

    def _held_out(self, samples: Samples, before: Samples | None, progress: Progress) -> LanguageEvaluation:
        return self.evaluate(samples, train=before, baseline=before is not None)

    # ------------------------------------------------------------------ looking inside

    def explained(
        self,
        X: Any,
        *,
        row: int | None = None,
        place: int | None = None,
        output: Any = None,
        against: Any = None,
    ) -> Explained:
        """The next token as a function of those before it. See `Explained`, and `explain`.

        Parameters
        ----------
        X : a text, a text file, documents, or what `read` returned
        row : one line of it, of those that are not empty, from 0; None: all of it
        place : the token that is predicted, from 0; None: what comes after the last
        output : the token explained (default: the one that is written there; after the last, the likeliest)
        against : the token it is set against (default: the likeliest other one)

        Raises
        ------
        ValueError
            For a line, a place or a token that is not there.
        """
        return self._explaining().explained(self, self.asked(X), row, place, output, against)

    def trace(
        self,
        X: Any,
        *,
        row: int | None = None,
        path: str | os.PathLike[str] | None = None,
        force: bool = False,
    ) -> ModelTrace:
        """What every gate did on each token of a text. See `ModelTrace`.

        Parameters
        ----------
        X : a text, a text file, documents, a `Corpus`, or what `read` returned
        row : one line of it, of those that are not empty, from 0; None: all of it
        path, force : a folder for traces that are too long for memory; see `memorycell.trace_network`
        """
        return self._explaining().trace(self, self.asked(X), row, path, force)

    # ------------------------------------------------------------------ writing

    @overload
    def generate(
        self, prompt: str = ..., length: int = ..., *, temperature: float = ..., top_k: int | None = ...,
        top_p: float | None = ..., beam: int | None = ..., until_end: bool = ..., seed: int | None = ...,
        stream: Literal[False] = ...,
    ) -> str: ...  # fmt: skip

    @overload
    def generate(
        self, prompt: str = ..., length: int | None = ..., *, temperature: float = ..., top_k: int | None = ...,
        top_p: float | None = ..., beam: int | None = ..., until_end: bool = ..., seed: int | None = ...,
        stream: Literal[True],
    ) -> Iterator[str]: ...  # fmt: skip

    def generate(
        self,
        prompt: str = "",
        length: int | None = 100,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        beam: int | None = None,
        until_end: bool = False,
        seed: int | None = None,
        stream: bool = False,
    ) -> str | Iterator[str]:
        """Text that goes on after `prompt`.

        Parameters
        ----------
        prompt : str
        length : int or None
            Tokens to write; None, with `stream` alone: it never ends.
        temperature, top_k, top_p
            Sharper below 1, the best token at 0; only the k best; only the fewest that hold the probability p.
        beam : int, optional
            Look for the most probable continuation with so many hypotheses, in place of drawing.
        until_end : bool
            Stop at ``<end>``: of a line of words, else of a document. With `beam` always.
        seed : int, optional
            Default: the model's. The same seed gives the same text.
        stream : bool
            Return the text piece by piece, as it is written, in constant memory: an iterator.

        Raises
        ------
        ValueError
            For a prompt of which nothing is known to the model, or numbers out of range.
        """
        self.check_fitted()
        speaker = Speaker(self.network_, self.codec_)
        if length is None and (beam is not None or not stream):
            raise ValueError("expected a length, got None: only with stream=True a text may go on for ever")
        if beam is not None:
            with self.at_work():
                text = speaker.best(prompt, length or 0, beam)
            return iter([text]) if stream else text
        with self.at_work():
            begun = speaker.begin(prompt)
        drawing: dict[str, Any] = {
            "temperature": temperature, "top_k": top_k, "top_p": top_p, "until_end": until_end,
        }  # fmt: skip
        pieces = self._spoken(speaker.speak(begun, length, seed=self.seed_ if seed is None else seed, **drawing))
        return pieces if stream else "".join(pieces)

    def _spoken(self, pieces: Iterator[str]) -> Iterator[str]:
        # Threads and modes are those of the model only while it works, not while the reader does.
        while True:
            with self.at_work():
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def stream(self) -> TokenStream:
        """A stream that takes one token after the other, and tells how likely each is to come next."""
        self.check_fitted()
        return TokenStream(self)

    # ------------------------------------------------------------------ in words

    def reads(self) -> str:
        """ "text"."""
        return "text"

    def headline(self) -> str:
        """ "predicts a text word by word, from 12,345 tokens"."""
        return f"predicts a text {self.codec_.unit} by {self.codec_.unit}, from {self.tokens_:,} tokens"

    def _network_extras(self) -> list[str]:
        return ["tied embedding"] if self.network_.tied else []

    def rows(self) -> list[tuple[str, str]]:
        """Names and values of what a person asks first."""
        return [*super().rows(), ("vocabulary", f"{self.codec_.size:,} tokens")]

    def _own_facts(self) -> dict[str, Any]:
        return {"tokens": int(self.tokens_), "vocabulary": int(self.codec_.size)}

    # ------------------------------------------------------------------ files

    @classmethod
    def _of_older(cls, config: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        config, tensors = super()._of_older(config, tensors)
        known = config["plan"]
        if isinstance(known, dict):
            names = {**cls.JOB.renamed, "dropouts": "dropout"}
            known = {names.get(name, name): value for name, value in known.items()}
            if isinstance(known.get("reasons"), dict):
                known["reasons"] = {names.get(name, name): why for name, why in known["reasons"].items()}
        return {**config, "plan": known}, tensors

    def _check_loaded(self) -> None:
        if not isinstance(self.codec_, TextCodec) or self.codec_.size != self.network_.vocabulary:
            raise ValueError(f"expected a codec of the {self.network_.vocabulary} tokens that the network scores")
        if not isinstance(self.tokens_, int) or isinstance(self.tokens_, bool) or self.tokens_ < 1:
            raise ValueError(f"expected the number of tokens trained on, got {self.tokens_!r:.40}")


def _inherited(begin: Any) -> dict[str, Any]:
    """What a model that another begins with decides for it, as its weights would not fit else."""
    network = begin.network_
    return {
        "unit": begin.codec_.unit,
        "hidden_size": list(network.encoder.hidden_sizes),
        "embedding_size": network.encoder.embedding_size,
        "cell": network.encoder.cell,
        "tied": network.tied,
        "softmax": network.softmax,
    }
