"""log: what nobody asks for on the terminal goes to `logging`, under the name "memorycell"; and notes."""

from __future__ import annotations

import logging
from typing import Any

# Whoever wants to see it attaches a handler; until then nothing is printed, not even warnings.
logging.getLogger("memorycell").addHandler(logging.NullHandler())


def logger(name: str) -> logging.Logger:
    """The logger of a module, below the one named "memorycell": ``logger(__name__)``.

    INFO are decisions that a person may want to know of, a line each: notes on data, refits, devices, files, folds.
    DEBUG is the rest: every choice of a plan, every epoch, every checkpoint.

    Example
    -------
    >>> logger("memorycell.training.loop").parent.name
    'memorycell'
    """
    return logging.getLogger(name)


_LOG = logger(__name__)


def note(kind: str, text: str) -> dict[str, Any]:
    """An entry of a list of notes: what was decided, in a sentence, and of which kind that is; it is logged, too.

    Example
    -------
    >>> note("gaps", "3 rows are missing: filled in.")
    {'kind': 'gaps', 'text': '3 rows are missing: filled in.'}
    """
    _LOG.info(text)
    return {"kind": kind, "text": text}
