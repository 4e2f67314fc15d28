"""LanguageModel: from a text to what comes next, its probability, and how surprising each word was."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch

from memorycell.data.text.corpus import Corpus
from memorycell.data.text.language_stream import LanguageStream
from memorycell.data.text.text_codec import TextCodec
from memorycell.jobs import transfer
from memorycell.jobs.insight import Insight
from memorycell.jobs.language import plan
from memorycell.jobs.language.generation import Speaker
from memorycell.jobs.language.measures import LanguageEvaluation, evaluate
from memorycell.jobs.language.network import LanguageNetwork
from memorycell.jobs.language.running import Cache, Dynamic, log_probabilities, option
from memorycell.jobs.language.text import Head, Token, corpus_of, source_of, spans
from memorycell.jobs.learner import Learner
from memorycell.kernels.native import flush_subnormals
from memorycell.training import using_threads

if TYPE_CHECKING:
    from memorycell.insight.explained import Explained
    from memorycell.insight.tracing import ModelTrace

Floats = np.ndarray[Any, np.dtype[np.float64]]


class LanguageModel(Learner, Insight):
    """An LSTM that predicts the next word, character or piece of a word, and writes text.

    Parameters
    ----------
    unit : "word", "character", "subword" or "whitespace"
        What a token is: see `TextCodec`. "whitespace": for texts that are already split.
    size : int or None
        Most tokens of the vocabulary.
    min_count : int or "auto" (words: 2, characters: 1)
        Tokens that occur less often in the training text are unknown.
    lowercase, normalization
        As for `TextCodec`.
    hidden_sizes : sequence of int or "auto"
        Units of each layer, by the length of the text.
    embedding_size : int or "auto"
    cell : "LSTM", "GRU" or "RNN"
    tied : bool or "auto" (words: True)
        Score with the embedding itself, which the last layer is then as wide as (Press & Wolf 2017).
    softmax : "auto", "full" or "adaptive"
        "adaptive" (Grave et al. 2017) for vocabularies of more than 50,000; it cannot be tied.
    dropout : "auto", float or mapping
        Strength of all dropouts, or each by its place: "embedding", "input", "between", "output", "weight" (missing
        ones: 0), as in the AWD-LSTM (Merity et al. 2017). "auto": the stronger the more often the text is read.
    alpha, beta : float or "auto"
        Activation and temporal activation regularisation.
    epochs, batch_size, learning_rate : number or "auto"
    bptt : int or "auto" (words 35, else 64)
        Steps that gradients travel back; chunks vary in length about it.
    optimizer : str
        One of `TrainingOptions`, or "asgd": gradient descent that is averaged once validation no longer improves
        (NT-ASGD, Merity et al. 2017, algorithm 1).
    precision : "float32" or "bfloat16"
        Of the softmax's products in training: "bfloat16" saves half their time on processors that multiply it.
    patience : int or None, default 10
        Epochs without improvement on the validation text before training stops.
    validation_fraction : float, default 0.05
        Share of the text, from its end, that is held out to tell when to stop. 0: none.
    training : mapping or None
        Further fields of `memorycell.TrainingOptions`.
    seed : int
    device : str, default "auto"
    n_threads : int or None
    verbose : bool or None

    Attributes
    ----------
    codec_ : TextCodec
    network_ : LanguageNetwork
    plan_ : dict, what "auto" became, with ``plan_["reasons"]``
    tokens_ : int, of the training text
    history_, best_epoch_, train_seconds_, stopped_, n_threads_, n_parameters_, notes_ : see `Learner`

    Examples
    --------
    >>> text = "the cat sat on the mat and the dog sat on the log\\n" * 40
    >>> model = LanguageModel("character", hidden_sizes=(32,), epochs=8, learning_rate=0.02, verbose=False).fit(text)
    >>> model.generate("the cat", length=12, temperature=0)
    ' sat on the '
    """

    CODECS: ClassVar[tuple[str, ...]] = ("codec_",)
    EXPLAINS: ClassVar[str] = "language.explained"
    LEARNED: ClassVar[tuple[str, ...]] = ("tokens_",)

    codec_: TextCodec
    network_: LanguageNetwork

    def __init__(
        self,
        unit: str = "word",
        *,
        size: int | None = None,
        min_count: int | str = "auto",
        lowercase: bool = False,
        normalization: str | None = "NFC",
        hidden_sizes: Sequence[int] | str = "auto",
        embedding_size: int | str = "auto",
        cell: str = "LSTM",
        tied: bool | str = "auto",
        softmax: str = "auto",
        dropout: float | Mapping[str, float] | str = "auto",
        alpha: float | str = "auto",
        beta: float | str = "auto",
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        bptt: int | str = "auto",
        optimizer: str = "adamw",
        learning_rate: float | str = "auto",
        precision: str = "float32",
        patience: int | None = 10,
        validation_fraction: float = 0.05,
        training: Mapping[str, Any] | None = None,
        seed: int = 0,
        device: str = "auto",
        n_threads: int | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.unit = unit
        self.size = size
        self.min_count = min_count
        self.lowercase = lowercase
        self.normalization = normalization
        self.hidden_sizes = hidden_sizes
        self.embedding_size = embedding_size
        self.cell = cell
        self.tied = tied
        self.softmax = softmax
        self.dropout = dropout
        self.alpha = alpha
        self.beta = beta
        self.epochs = epochs
        self.batch_size = batch_size
        self.bptt = bptt
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.precision = precision
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.training = training
        self.seed = seed
        self.device = device
        self.n_threads = n_threads
        self.verbose = verbose

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
        X : path, str, list of str or Corpus
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
        self._check_parameters(X, codec)
        begin = None if init_from is None else transfer.language_model(init_from)
        if begin is not None and codec is not None:
            raise ValueError("expected codec= or init_from=, got both: a model brings its vocabulary")
        held = self.validation_fraction if validation is None else 0.0
        self.notes_ = []
        self.codec_ = codec or self._fit_codec(X, 1.0 - held, begin)
        corpus = corpus_of(X, self.codec_, cache)
        cut = len(corpus) - int(held * len(corpus))
        ids, watched = corpus.ids[: cut + 1], corpus.ids[cut:] if cut < len(corpus) else None
        if validation is not None:
            watched = corpus_of(validation, self.codec_).ids
        self.tokens_ = len(ids) - 1
        parameters = self.get_params() if begin is None else {**self.get_params(), **transfer.sizes(begin)}
        self.plan_ = chosen = plan.choose(parameters, self.tokens_, self.codec_.size)
        length, tracks = chosen["bptt"], chosen["batch_size"]
        if self.tokens_ < 2 * length:
            raise ValueError(
                f"expected a text of at least {2 * length} tokens (two chunks of bptt={length}), "
                f"got {self.tokens_}: give more text or a smaller bptt"
            )
        self._note_choices(corpus)
        stream = LanguageStream(ids, tracks, length, seed=self.seed)
        held_out = None
        if watched is not None and len(watched) > 1:
            held_out = LanguageStream(watched, max(1, min(tracks, len(watched) // (4 * length))), length, vary=False)
        else:
            self._note("validation", "No text was held out: training does not stop early.")
        chosen["cell"] = self.cell if begin is None else begin.network_.encoder.cell
        network: Any = self._seeded(self._build)
        fields, more = plan.options(chosen, self.patience, held_out is not None), {}
        if begin is not None:
            transfer.continue_from(network, begin)
            if chosen["optimizer"] != "asgd":
                fields |= {"schedule": transfer.SCHEDULE, "warmup_steps": 0}
            more["groups"] = transfer.groups(network, chosen["epochs"], gradual=False)
        self._train_network(
            network,
            stream,
            self._options(**fields),
            validation=held_out,
            checkpoint=checkpoint,
            callbacks=callbacks,
            log=log,
            fingerprint={"vocabulary": self.codec_.size, "tokens": self.tokens_},
            **more,
        )
        self._train_ids = ids
        return self

    def _fit_codec(self, text: Any, share: float, begin: LanguageModel | None) -> TextCodec:
        if begin is not None:
            least, _ = plan.min_count(begin.codec_.unit, self.min_count)
            fixed = begin.network_.softmax == "adaptive"  # its clusters follow the ids
            codec, note = transfer.codec(begin, Head(source_of(text), share), least, fixed=fixed)
            self.notes_.append(note)
            return codec
        least, why = plan.min_count(self.unit, self.min_count)
        codec = TextCodec(self.unit, self.size, least, self.lowercase, self.normalization)
        self._note(
            "vocabulary", f"Tokens that occur fewer than {least} times are unknown: {why}."
        ) if least > 1 else None
        return codec.fit(Head(source_of(text), share))

    def _build(self) -> LanguageNetwork:
        chosen = self.plan_
        dropouts = {f"{name}_dropout": value for name, value in chosen["dropouts"].items()}
        return LanguageNetwork(
            self.codec_.size,
            chosen["embedding_size"],
            chosen["hidden_sizes"],
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

    def _check_parameters(self, text: Any, codec: TextCodec | None) -> None:
        if isinstance(text, Corpus) and codec is None:
            raise ValueError("expected codec= with a Corpus, got none: the codec that made its ids")
        if not 0 <= self.validation_fraction < 0.5:
            raise ValueError(
                f"expected validation_fraction of at least 0 and under 0.5, got {self.validation_fraction!r}"
            )
        for name in ("epochs", "batch_size", "bptt", "embedding_size"):
            value = getattr(self, name)
            if value != "auto" and (not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1):
                raise ValueError(f'expected {name} to be a whole number of at least 1 or "auto", got {value!r}')

    # ------------------------------------------------------------------ scoring

    @contextmanager
    def _running(self) -> Iterator[None]:
        """The network in evaluation mode, with the threads it was trained with."""
        self._check_fitted()
        self.network_.eval()
        with using_threads(self.n_threads_), flush_subnormals():
            yield

    def _log_probabilities(self, corpus: Corpus, cache: Any, dynamic: Any) -> Floats:
        """Natural logarithm of the probability of each token of a corpus."""
        with self._running():
            parts = log_probabilities(
                self.network_, corpus.ids, option(Cache, cache), option(Dynamic, dynamic)
            )  # fmt: skip
            return torch.cat(list(parts)).double().numpy()

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
        return evaluate(self, X, cache=cache, dynamic=dynamic, baseline=False).bits_per_character

    def score(self, X: Any, y: Any = None, *, cache: Any = None, dynamic: Any = None) -> float:
        """Mean log probability of a token, in nats: higher is better. `perplexity` is exp of its negative."""
        self._check_fitted()
        return float(self._log_probabilities(corpus_of(X, self.codec_), cache, dynamic).mean())

    def token_scores(self, text: str, *, cache: Any = None, dynamic: Any = None) -> list[Token]:
        """Each token of `text`: what it is to the model, where it stands, and its log probability in nats.

        ``text[token.start : token.stop]`` is what was written. An ``<end>`` stands for each end of a line of words,
        and for the end of the text.
        """
        self._check_fitted()
        if not isinstance(text, str):
            raise TypeError(f"expected a text, got {type(text).__name__}")
        scores = self._log_probabilities(Corpus.from_texts(text, self.codec_), cache, dynamic)
        return [Token(*span, score) for span, score in zip(spans(self.codec_, text), scores.tolist(), strict=True)]

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
        self._check_fitted()
        return evaluate(self, X, baseline=baseline, cache=cache, dynamic=dynamic, train=train)

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
        X : a text, a text file, or documents
        row : one line of it, of those that are not empty, from 0; None: all of it
        place : the token that is predicted, from 0; None: what comes after the last
        output : the token explained (default: the one that is written there; after the last, the likeliest)
        against : the token it is set against (default: the likeliest other one)

        Raises
        ------
        ValueError
            For a line, a place or a token that is not there.
        """
        return self._explaining().explained(self, X, row, place, output, against)

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
        X : a text, a text file, documents, or a `Corpus`
        row : one line of it, of those that are not empty, from 0; None: all of it
        path, force : a folder for traces that are too long for memory; see `memorycell.trace_network`
        """
        return self._explaining().trace(self, X, row, path, force)

    # ------------------------------------------------------------------ writing

    def generate(
        self,
        prompt: str = "",
        length: int = 100,
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        beam: int | None = None,
        until_end: bool = False,
        seed: int | None = None,
    ) -> str:
        """Text that goes on after `prompt`.

        Parameters
        ----------
        prompt : str
        length : int
            Tokens to write.
        temperature, top_k, top_p
            Sharper below 1, the best token at 0; only the k best; only the fewest that hold the probability p.
        beam : int, optional
            Look for the most probable continuation with so many hypotheses, in place of drawing.
        until_end : bool
            Stop at ``<end>``: of a line of words, else of a document. With `beam` always.
        seed : int, optional
            Default: the model's. The same seed gives the same text.

        Raises
        ------
        ValueError
            For a prompt of which nothing is known to the model, or numbers out of range.
        """
        if beam is not None:
            with self._running():
                return Speaker(self.network_, self.codec_).best(prompt, length, beam)
        options = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "until_end": until_end, "seed": seed}
        return "".join(self.stream(prompt, length, **options))

    def stream(self, prompt: str = "", length: int | None = None, **options: Any) -> Iterator[str]:
        """`generate`, piece by piece as it is written, in constant memory; without a `length` it never ends."""
        self._check_fitted()
        seed = options.pop("seed", None)
        speaker = Speaker(self.network_, self.codec_)
        with self._running():
            begun = speaker.begin(prompt)
        return self._spoken(speaker.speak(begun, length, seed=self.seed if seed is None else seed, **options))

    def _spoken(self, pieces: Iterator[str]) -> Iterator[str]:
        # Threads and modes are those of the model only while it works, not while the reader does.
        while True:
            with self._running():
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece
