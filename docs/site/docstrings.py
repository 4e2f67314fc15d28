"""Docstrings as this project writes them, turned into reStructuredText for Sphinx.

They are plain text with `code` between backticks, and sections whose titles are underlined. Names such as ``codec_``
and products such as ``a * b`` mean themselves there, but are markup in reStructuredText: all but code and examples is
escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from textwrap import dedent, indent

# Sections whose lines are entries: a name, perhaps its type after a colon, and what it is, indented below.
OF_ENTRIES = ("Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns")
OF_TEXT = ("Example", "Examples", "Notes", "References", "See Also")

_CODE = re.compile(r"``(.+?)``|`([^`]+)`", re.DOTALL)
_MARKUP = re.compile(r"([\\*|]|(?<=\w)_(?!\w)|(?<!\w)_(?=\w))")
_UNDERLINED = re.compile(r"-{3,}")


def restructured(docstring: str) -> str:
    """A docstring, without its indentation, as reStructuredText.

    >>> print(restructured("Of `x`, see codec_.\\n\\nParameters\\n----------\\nx, y : int\\n    How many."))
    Of :known:`x`, see codec\\_.
    <BLANKLINE>
    .. rubric:: Parameters
    <BLANKLINE>
    ``x``, ``y`` : int
        How many.
    """
    parts = []
    for title, lines in sections(docstring.splitlines()):
        if title:
            parts.append(f".. rubric:: {title}")
        text = dedent("\n".join(lines)).strip("\n")
        parts.append(entries(text) if title in OF_ENTRIES else prose(text))
    return "\n\n".join(part for part in parts if part)


def sections(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    """The text before the first title under "", then title by title."""
    title, found = "", list[str]()
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if line in (*OF_ENTRIES, *OF_TEXT) and _UNDERLINED.fullmatch(below):
            yield title, found
            title, found = line, []
        elif not (_UNDERLINED.fullmatch(line) and not found):
            found.append(line)
    yield title, found


def entries(text: str) -> str:
    """Entries as a definition list; a line that is not indented begins one."""
    found = []
    for block in re.split(r"\n(?=\S)", text):
        head, _, body = block.partition("\n")
        names, colon, kind = head.partition(" : ")
        if colon or re.fullmatch(r"[\w.*]+(, [\w.*]+)*", names):
            names = ", ".join(f"``{name.strip()}``" for name in names.split(","))
        else:  # a sentence on what comes back
            names = inline(names)
        below = (
            prose(dedent(body).strip("\n")) if body.strip() else "\\ "
        )  # of nothing, docutils would make no definition
        found.append(names + (f" : {inline(kind)}" if colon else "") + "\n" + indent(below, "    "))
    return "\n".join(found)


def prose(text: str) -> str:
    """Paragraphs, examples after ``>>>`` and their output left as they are."""
    blocks = []
    for block in re.split(r"\n{2,}", text):
        lines = block.split("\n")
        before = list(takewhile(lambda line: not line.lstrip().startswith(">>>"), lines))
        if before:
            blocks.append(inline("\n".join(before)))
        if example := "\n".join(lines[len(before) :]):
            blocks.append(example)
    return "\n\n".join(blocks)


def inline(text: str) -> str:
    """Text with everything escaped that would be markup; code links to the reference where a name has a page there."""
    parts, end = [], 0
    for found in _CODE.finditer(text):
        parts.append(escaped(text[end : found.start()]))
        code = (found[1] or found[2]).replace("\n", " ")
        # A role needs something that is no letter on both sides.
        before = "\\ " if text[: found.start()][-1:].isalnum() else ""
        after = "\\ " if text[found.end() :][:1].isalnum() else ""
        parts.append(f"{before}:known:`{code.replace(chr(92), chr(92) * 2)}`{after}")
        end = found.end()
    return "".join((*parts, escaped(text[end:])))


def escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text).replace("`", "\\`")
