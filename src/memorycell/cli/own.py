"""Commands that a single job brings: its function's parameters are options, what it returns is printed."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from memorycell.cli.errors import say
from memorycell.cli.options import with_options
from memorycell.cli.output import print_json
from memorycell.cli.pipes import local
from memorycell.jobs.card import Job
from memorycell.jobs.parameters import TrainingParameters
from memorycell.jobs.parameters import options as declared


def command(job: Job, name: str) -> Callable[..., None]:
    """The command `name` of a job.

    Its function is given ``progress``, where it asks for that, and the parameters of the job's task, where its
    ``**settings`` ask for them. It returns a result with ``to_dict()``, and ``summary()`` or pieces of text, which
    are printed as they come.
    """
    function = job.look_up(job.commands[name])
    signature = inspect.signature(function, eval_str=True)
    own = [
        each for each in signature.parameters.values() if each.name != "progress" and each.kind is not each.VAR_KEYWORD
    ]
    flags = [
        inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False,
                          annotation=Annotated[bool, typer.Option("--json", help="Print JSON.")]),
        inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False,
                          annotation=Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]),
    ]  # fmt: skip

    @functools.wraps(function)
    def wrapped(as_json: bool, quiet: bool, **given: Any) -> None:
        given = {key: local(value) if isinstance(value, Path) else value for key, value in given.items()}
        if "progress" in signature.parameters:
            given["progress"] = None if quiet else say
        _print(function(**given), as_json)

    wrapped.__signature__ = inspect.Signature([*own, *flags])  # type: ignore[attr-defined]
    # The signature is the one above, with types: names of types mean something in the function's module alone.
    del wrapped.__wrapped__
    wrapped.__annotations__ = {}
    if not any(each.kind is each.VAR_KEYWORD for each in signature.parameters.values()):
        return wrapped
    names = {each.name for each in own}
    parameters = [*declared(job.look_up(job.parameters)), *declared(TrainingParameters)]
    return with_options(option for option in parameters if option.name not in names | {"random_state"})(wrapped)


def _print(result: Any, as_json: bool) -> None:
    if as_json:
        print_json(result.to_dict())
    elif isinstance(result, Iterable):
        pieces = iter(result)
        first = next(pieces, "")  # what cannot be done is an error before anything is printed
        sys.stdout.write(first)
        for piece in pieces:
            sys.stdout.write(piece)
            sys.stdout.flush()
        sys.stdout.write("\n")
    else:
        print(result.summary())
