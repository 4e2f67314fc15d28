"""Shown: what a job's demo has to tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shown:
    """A demo's last words, for people and as plain JSON."""

    text: str
    facts: dict[str, Any]
