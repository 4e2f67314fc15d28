"""Scripts that are written without spaces between words: what their texts are split into, and put together from."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from memorycell.data.lines import listing

_SAMPLE = 1000  # texts that are looked at
_HEAD = 500  # characters of each
_SHARE = 0.1  # of a text's letters from which on a script is worth a word


class Script(NamedTuple):
    """A script without spaces between words: its name, what is written in it, and its characters."""

    name: str
    language: str
    characters: str  # as within the brackets of a regular expression


# South-East Asia's: line breaking class SA of Unicode (UAX #14), whose words only a dictionary knows.
CLUSTERED = (
    Script("Thai", "Thai", "\u0e01-\u0e3a\u0e40-\u0e5b"),
    Script("Lao", "Lao", "\u0e81-\u0eff"),
    Script("Myanmar", "Burmese", "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"),
    Script("Khmer", "Khmer", "\u1780-\u17d3\u17d7-\u17ff"),
    Script("Tai Le", "Tai Nüa", "\u1950-\u197f"),
    Script("New Tai Lue", "Lü", "\u1980-\u19df"),
    Script("Tai Tham", "Northern Thai", "\u1a20-\u1aaf"),
    Script("Javanese", "Javanese", "\ua980-\ua9df"),
    Script("Tai Viet", "Tai Dam", "\uaa80-\uaadf"),
)
IDEOGRAPHS = Script(
    "Han", "Chinese or Japanese", "\u3005-\u3007\u3041-\u3096\u309d-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff",
)  # fmt: skip
_CLUSTERED = {script.name: script for script in CLUSTERED}
_PUNCTUATION = "\u3001-\u3003\u3008-\u3011\u3014-\u301f\uff00-\uff65\u104a\u104b\u17d4-\u17d6"
_SPACELESS = re.compile(f"[{''.join(script.characters for script in (IDEOGRAPHS, *CLUSTERED))}]")
_BESIDE = re.compile(f"[{_PUNCTUATION}]")
_FINDERS = {script: re.compile(f"[{script.characters}]") for script in (IDEOGRAPHS, *CLUSTERED)}
_LETTERS = re.compile(r"[^\W\d_]")

# A vowel that is written before its consonant, what a reader sees as one (`\X`), and what never begins a cluster:
# vowels written after it and other marks (Theeramunkong et al. 2000), what is stacked below, and in Burmese a final
# consonant.
_BEFORE = "\u0e40-\u0e44\u0ec0-\u0ec4"
_AFTER = "\u0e30\u0e32\u0e33\u0e45\u0eb0\u0eb2\u0eb3"
_CLUSTER = (
    f"(?=[%s])[{_BEFORE}]?\\X"
    f"(?:(?<=[\u1039\u17d2])\\X|[\\p{{M}}{_AFTER}]|[\u1000-\u1021]\u1037?\u103a)*"
)  # fmt: skip


def clusters(scripts: Iterable[str]) -> str | None:
    """A pattern (Oniguruma) of one cluster of these scripts, and of none without any.

    Raises
    ------
    KeyError
        For a script that is none of `CLUSTERED`.
    """
    characters = letters_of(scripts)
    return _CLUSTER % characters if characters else None


def letters_of(scripts: Iterable[str]) -> str:
    """The characters of some of the scripts `CLUSTERED`, as within the brackets of a regular expression."""
    return "".join(_CLUSTERED[name].characters for name in scripts)


def clustered_in(texts: Iterable[str]) -> list[str]:
    """The names of the scripts `CLUSTERED` that occur.

    Example
    -------
    >>> clustered_in(["สวัสดี", "hello"])
    ['Thai']
    """
    text = "".join(texts)
    return [] if text.isascii() else [script.name for script in CLUSTERED if _FINDERS[script].search(text)]


def without_spaces(texts: Iterable[str]) -> list[Script]:
    """The scripts without spaces in which a good part of the texts is written, by their beginnings.

    Example
    -------
    >>> [script.language for script in without_spaces(["我爱北京", "今天 good"])]
    ['Chinese or Japanese']
    """
    texts = list(texts)
    every = max(1, len(texts) // _SAMPLE)
    sample = "".join(text[:_HEAD] for text in texts[::every])
    if sample.isascii():
        return []
    counts = {script: len(finder.findall(sample)) for script, finder in _FINDERS.items()}
    # Marks above and below are no letters for Python: of a script that has them they count all the same.
    total = len(_LETTERS.findall(sample)) + 1
    return [script for script, count in counts.items() if count > _SHARE * total]


def has_marks(texts: Iterable[str]) -> bool:
    """Whether letters carry marks of their own, as in Hindi: what a word is takes more than its letters to say.

    Example
    -------
    >>> has_marks(["नमस्ते"]), has_marks(["déjà vu"])
    (True, False)
    """
    sample = "".join(text[:_HEAD] for text, _ in zip(texts, range(_SAMPLE), strict=False))
    return not sample.isascii() and any(unicodedata.category(sign).startswith("M") for sign in set(sample))


def said(scripts: Iterable[Script]) -> str:
    """How texts in these scripts are split into words, in a sentence; "" for none.

    Example
    -------
    >>> said(without_spaces(["我爱北京"]))
    'Chinese or Japanese is written without spaces between words: each character is a token.'
    """
    scripts = list(scripts)
    if not scripts:
        return ""
    whole, split = IDEOGRAPHS in scripts, any(script != IDEOGRAPHS for script in scripts)
    tokens = "each character is a token" if whole else "each cluster of a consonant and its signs is a token"
    if whole and split:
        tokens = "each character, or cluster of a consonant and its signs, is a token"
    languages = listing([script.language for script in scripts])
    verb = "is" if len(scripts) == 1 else "are"
    return f"{languages} {verb} written without spaces between words: {tokens}."


def together(first: str, second: str) -> bool:
    """Whether no space stands between two tokens: both of scripts without spaces, or one of these and its punctuation.

    Example
    -------
    >>> together("天", "气"), together("天", "。"), together("天", "good")
    (True, True, False)
    """
    last, begin = first[-1:], second[:1]
    one, other = bool(_SPACELESS.match(last)), bool(_SPACELESS.match(begin))
    if one and other:
        return True
    beside = bool(_BESIDE.match(last)), bool(_BESIDE.match(begin))
    return (one or beside[0]) and (other or beside[1])
