"""memorycell generate: text from a language model, as it is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer


class Written:
    """A prompt and what goes on after it, piece by piece."""

    def __init__(self, prompt: str, pieces: Iterator[str]) -> None:
        self.prompt, self.pieces = prompt, pieces

    def __iter__(self) -> Iterator[str]:
        first = next(self.pieces, "")
        yield self.prompt + first
        yield from self.pieces

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"prompt": self.prompt, "text": "".join(self.pieces)}


def generate(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model file that fit language wrote.")],
    prompt: Annotated[str, typer.Option(metavar="TEXT", help="What the text begins with.")] = "",
    length: Annotated[int, typer.Option(metavar="N", min=1, help="Tokens to write.")] = 200,
    temperature: Annotated[
        float, typer.Option(metavar="X", min=0.0, help="Below 1 safer, above wilder; 0 the likeliest token.")
    ] = 1.0,
    top_k: Annotated[int | None, typer.Option(metavar="K", min=1, help="Only the K likeliest tokens.")] = None,
    top_p: Annotated[
        float | None, typer.Option(metavar="P", help="Only the fewest tokens that hold the probability P.")
    ] = None,
    beam: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Search the likeliest text with N hypotheses instead.")
    ] = None,
    until_end: Annotated[bool, typer.Option("--until-end", help="Stop at the end of a line or document.")] = False,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed gives the same text.")] = 0,
) -> Written:
    """Write text with a language model.

    memorycell generate book.safetensors --prompt "It was" --temperature 0.8
    """
    from memorycell.jobs.language.task import LanguageModel

    speaker = LanguageModel.load(model)
    drawing: dict[str, Any] = {
        "temperature": temperature, "top_k": top_k, "top_p": top_p, "until_end": until_end, "seed": seed,
    }  # fmt: skip
    if beam is not None:
        return Written(prompt, iter([speaker.generate(prompt, length, beam=beam)]))
    return Written(prompt, speaker.generate(prompt, length, stream=True, **drawing))
