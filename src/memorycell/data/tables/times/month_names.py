"""Names of months in the languages of the world, as Babel has them of Unicode's CLDR, and which a column is in."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

# Asked first, so that most columns are settled after a few; all others of Babel's follow.
_USUAL = (
    "de", "fr", "es", "pt", "it", "nl", "pl", "sv", "da", "nb", "fi", "cs", "sk", "hu", "ro", "tr", "ru", "uk", "el",
    "bg", "hr", "sr", "sr_Latn", "sl", "lt", "lv", "et", "ca", "eu", "gl", "id", "ms", "vi", "th", "he", "ar", "fa",
    "hi", "bn", "ja", "zh", "ko", "sw", "af",
)  # fmt: skip
_ENGLISH = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
            "november", "december")  # fmt: skip
# What spreadsheets and people write that CLDR has in another form.
_OTHERS = {"de": {"mrz": 3, "maerz": 3, "jaen": 1, "jaenner": 1, "feber": 2}, "en": {"sept": 9}, "es": {"set": 9}}
_SHORTEST = 3
_MOST = 60  # names that a column of months has at most, however they are written


def months_of(
    names: Iterable[str], language: str | None = None, thorough: bool = True
) -> tuple[dict[str, int], str] | None:
    """The number of each month's name, and the language that has all of them; None where none has.

    A name may be whole, abbreviated, or cut after three letters or more where that leaves one month only; case, dots
    and accents are of no matter.

    Parameters
    ----------
    language : str, optional
        Where it is known; by default English, then those of Babel are asked.
    thorough : bool
        Whether the less usual ones are asked, too: reading their names takes a second.

    Example
    -------
    >>> months_of(["Jan", "Mär", "Okt."])
    ({'Jan': 1, 'Mär': 3, 'Okt.': 10}, 'de')
    """
    asked = list(dict.fromkeys(names))
    if len(asked) > _MOST:
        return None
    for code in [language] if language else ["en", *_USUAL]:
        found = {name: _month(name, code) for name in asked}
        if all(found.values()):
            return {name: int(month or 0) for name, month in found.items()}, code
    if language or not thorough:
        return None
    for code in _all_languages():
        found = {name: _month(name, code) for name in asked}
        if all(found.values()):
            return {name: int(month or 0) for name, month in found.items()}, code
    return None


def language_name(code: str) -> str:
    """What English calls a language."""
    if code == "en":
        return "English"
    from babel import Locale

    return str(Locale.parse(code).get_display_name("en"))


def _month(name: str, code: str) -> int | None:
    table, plain = _names(code)
    text = _folded(name)
    exact = table.get(text) or plain.get(_bare(text))
    if exact or len(text) < _SHORTEST:
        return exact
    cut = {month for known, month in table.items() if known.startswith(text)} or {
        month for known, month in plain.items() if known.startswith(_bare(text))
    }
    return cut.pop() if len(cut) == 1 else None


@lru_cache(maxsize=512)
def _names(code: str) -> tuple[dict[str, int], dict[str, int]]:
    """Names with their accents and without, folded."""
    pairs = [(name, month) for month, name in enumerate(_ENGLISH, 1)] if code == "en" else _of_babel(code)
    pairs += list(_OTHERS.get(code, {}).items())
    table: dict[str, int] = {}
    for name, month in pairs:
        table.setdefault(_folded(name), month)
    plain: dict[str, int] = {}
    for name, month in table.items():
        plain.setdefault(_bare(name), month)
    return table, plain


def _of_babel(code: str) -> list[tuple[str, int]]:
    from babel import Locale

    months = Locale.parse(code).months
    kinds = [months[form][width] for form in ("format", "stand-alone") for width in ("wide", "abbreviated")]
    return [(name, month) for kind in kinds for month, name in kind.items() if not name.strip(". ").isdigit()]


@lru_cache(maxsize=1)
def _all_languages() -> list[str]:
    from babel.localedata import locale_identifiers

    return sorted(code for code in locale_identifiers() if code not in ("en", "root", *_USUAL) and "_" not in code)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold().replace(".", "").strip()


def _bare(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", name) if not unicodedata.combining(c))
