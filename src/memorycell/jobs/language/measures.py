"""How well a language model predicts a text, beside n-grams."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memorycell.data.text.corpus import Corpus
from memorycell.data.text.text_codec import UNK, TextCodec
from memorycell.evaluation.kneser_ney import KneserNey
from memorycell.evaluation.result import Result
from memorycell.evaluation.tables import plain
from memorycell.jobs.language.text import spelling_bits
from memorycell.pages.wording import significant

_ORDERS = {"word": 5, "whitespace": 5, "subword": 6, "character": 7}  # tokens of the baseline's longest n-gram
_BLOCKS = 50  # of the text, which are compared in pairs
_LEAST = 2000  # tokens from which a difference is told
_REACH = 2.01  # Student's t of 95 % with 49 degrees of freedom


@dataclass(frozen=True, repr=False)
class LanguageEvaluation(Result):
    """What `LanguageModel.evaluate` returns.

    Attributes
    ----------
    tokens, characters : int
        That were predicted (line ends and unknown tokens included); of the text.
    nats : float
        Mean negative log probability of a token.
    perplexity : float
        exp(nats).
    bits_per_character : float
        All tokens' bits and `spelling_bits` over the characters, line breaks included: the length of a code from
        which the text can be read again, but for the spaces between words.
    unknown : float
        Share of tokens that the vocabulary lacks. Perplexity counts them as one kind of token, which makes it too
        low where they are many, and incomparable between vocabularies; bits per character spell them out.
    spelling_bits : float
        What that takes: for each character of an unknown word, and its end, log2 of the size of the training
        vocabulary's alphabet and two; for characters outside of it that of a code point.
    options : list of str
        "continuous cache (…)", "dynamic evaluation (…)": what the figures were reached with beside the model.
    baseline, baseline_perplexity : str or None, float or None
        The n-gram model, and its perplexity on the same tokens.
    outcome : str or None
        "better", "worse", or "too few to tell": the model beside the baseline, from blocks of the text in pairs.
    text : str
        All this in sentences.
    """

    tokens: int
    characters: int
    nats: float
    perplexity: float
    bits_per_character: float
    unknown: float
    spelling_bits: float
    options: list[str] = field(default_factory=list)
    baseline: str | None = None
    baseline_perplexity: float | None = None
    outcome: str | None = None

    @property
    def text(self) -> str:
        by = f" with {' and '.join(self.options)}" if self.options else ""
        lines = [
            f"Perplexity {self.perplexity:.2f} over {self.tokens:,} tokens ({self.nats:.4f} nats each){by}; "
            f"{self.bits_per_character:.3f} bits per character."
        ]
        if self.unknown:
            lines.append(
                f"{self.unknown:.2%} of the tokens are unknown to the model: perplexity counts each as the one token "
                "<unk>, bits per character spell it out."
            )
        if self.baseline is not None and self.baseline_perplexity is not None:
            than = {"better": "the model is better", "worse": "the n-grams are better"}.get(
                self.outcome or "", self.outcome
            )
            name = self.baseline[0].upper() + self.baseline[1:]
            lines.append(f"{name}: perplexity {self.baseline_perplexity:.2f}: {than}.")
        return " ".join(lines)

    @property
    def subject(self) -> str:
        """How much was predicted."""
        return f"{self.tokens:,} tokens, {self.characters:,} characters"

    @property
    def sentence(self) -> str:
        """`text`."""
        return self.text

    def table(self) -> list[dict[str, Any]]:
        """The model, and behind it the n-grams."""
        rows = [
            {
                "model": "this model",
                "perplexity": self.perplexity,
                "nats": self.nats,
                "bits_per_character": self.bits_per_character,
            }
        ]
        if self.baseline is not None and self.baseline_perplexity is not None:
            other = self.baseline_perplexity
            rows.append(
                {"model": self.baseline, "perplexity": other, "nats": math.log(other), "bits_per_character": math.nan}
            )
        return rows

    def cells(self) -> list[list[str]]:
        """`table` as people read it."""
        rows = [["", "perplexity", "nats per token", "bits per character"]]
        for row in self.table():
            bits = row["bits_per_character"]
            rows.append(
                [
                    row["model"],
                    significant(row["perplexity"], 4),
                    f"{row['nats']:.4f}",
                    "–" if math.isnan(bits) else f"{bits:.3f}",
                ]
            )
        return rows

    def summary(self) -> str:
        """`text`."""
        return self.text

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; NaN becomes None."""
        return plain({**asdict(self), "text": self.text})


def measured(
    scores: NDArray[np.float64],
    corpus: Corpus,
    codec: TextCodec,
    texts: Iterable[str] | None,
    *,
    options: Iterable[Any] = (),
    train: Any = None,
) -> LanguageEvaluation:
    """What log probabilities of the tokens of a corpus say of the model that gave them.

    Parameters
    ----------
    scores : (n,) of each token, natural logarithms
    texts : that the corpus was made of, or None: it has forgotten how its unknown words were spelled
    options : what the scores were reached with beside the model
    train : ids of the training text, for the n-grams beside it; None: there are none
    """
    unknown = int((np.asarray(corpus.ids[1:]) == UNK).sum())
    spelled = 0.0
    if unknown:
        spelled = math.nan if texts is None else spelling_bits(codec, texts)
    nats = -float(scores.mean())
    name = other = outcome = None
    if train is not None:
        order = _ORDERS[codec.unit]
        name = f"interpolated Kneser–Ney {order}-grams"
        n_grams = KneserNey(order).fit(np.asarray(train[1:], np.int64), codec.size)
        theirs = n_grams.log_probabilities(np.asarray(corpus.ids[1:], np.int64))
        other, outcome = math.exp(-float(theirs.mean())), compared(scores - theirs)
    return LanguageEvaluation(
        tokens=len(scores),
        characters=corpus.counts.characters,
        nats=nats,
        perplexity=math.exp(nats),
        bits_per_character=(nats * len(scores) / math.log(2) + spelled) / max(1, corpus.counts.characters),
        unknown=unknown / len(scores),
        spelling_bits=spelled,
        options=[str(each) for each in options],
        baseline=name,
        baseline_perplexity=other,
        outcome=outcome,
    )


def compared(gains: NDArray[np.float64]) -> str:
    """ "better", "worse" or "too few to tell", from log probabilities less the baseline's, token by token.

    Neighbouring tokens are not independent: the means of 50 blocks of the text are what t is computed from.
    """
    if len(gains) < _LEAST:
        return "too few to tell"
    blocks = np.array([block.mean() for block in np.array_split(gains, _BLOCKS)])
    reach = _REACH * float(blocks.std(ddof=1)) / math.sqrt(_BLOCKS)
    mean = float(blocks.mean())
    return "better" if mean > reach else "worse" if mean < -reach else "too few to tell"
