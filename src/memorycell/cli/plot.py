"""memorycell plot: the picture that one wants first of a model, as a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from memorycell.cli.errors import say
from memorycell.cli.options import of_all, with_options
from memorycell.cli.output import PICTURE, check_output, silent
from memorycell.cli.pipes import Data
from memorycell.jobs.registry import registry


def command() -> Callable[..., None]:
    """The command, with the options of all jobs."""
    options = of_all(registry().jobs, "plot")
    flags = {option.name: option.first for option in options}

    @with_options(options)
    def plot(
        model: Annotated[Path, typer.Argument(metavar="MODEL", help="Model file that fit wrote.")],
        data: Data,
        output: Annotated[
            Path | None,
            typer.Option(
                "--output", "--out", "-o", metavar="FILE", help=".svg, .png or .pdf. [default: MODEL's name .svg]"
            ),
        ] = None,
        unit: Annotated[str | None, typer.Option(metavar="TEXT", help="Unit of the target, such as °C.")] = None,
        width: Annotated[int, typer.Option(metavar="PIXELS", min=200, max=4000, help="How wide it is.")] = 720,
        force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No notes on stderr.")] = False,
        **given: Any,
    ) -> None:
        output = output or Path(model.stem + ".svg")
        files = [Path(value) for value in given.values() if isinstance(value, str) and Path(value).is_file()]
        check_output(output, PICTURE, force=force, inputs=(model, data, *files))

        from memorycell.jobs.registry import load
        from memorycell.pages.explain import asked
        from memorycell.pages.first_picture import first_picture
        from memorycell.training.files import write_atomically

        fitted = silent(load(model), quiet)
        where = asked(type(fitted).JOB, given, lambda name: flags.get(name, name), "plot")
        picture = first_picture(fitted, data, where, unit=unit, width=width)
        kind = output.suffix[1:].lower()
        write_atomically(output, picture.rendered(kind))
        print(output)
        missing = "" if kind == "svg" else picture.letters_missing()
        if missing and not quiet:
            say(f"no font here has {missing[:20]}: they are boxes; write .svg, which uses the fonts of its readers")

    plot.__doc__ = f"""Draw the picture that one wants first of a model.

        {" ".join(job.drawn for job in registry().jobs)}
        """
    return plot
