"""memorycell demo: a job shown on real data, in seconds or minutes."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from memorycell.cli.errors import say
from memorycell.cli.output import print_json
from memorycell.jobs.registry import registry

_TITLE = "# memorycell demo"


def command() -> Callable[..., None]:
    """The command, for every job that has a demo."""
    jobs = {job.verb: job for job in registry().jobs if job.demo}
    first = next(iter(jobs))

    def demo(
        what: Annotated[str, typer.Argument(metavar=f"[{'|'.join(jobs)}]", help="What to show.")] = first,
        output: Annotated[
            Path | None,
            typer.Option(
                "--output",
                "--out",
                "-o",
                metavar="FOLDER",
                help="Where to write. [default: memorycell-demo, with the job's name but for the first]",
            ),
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
    ) -> None:
        """Forecast real sea-surface temperatures, in seconds; or learn to write.

        forecast: trains on El Niño's region up to ten years before the end of the data, measures the forecasts of those
        ten years beside simple baselines, and writes data, model, forecast and report into a folder.

        language: trains a model of characters on the documentation of Python's standard library, in minutes.
        """
        if what not in jobs:
            raise typer.BadParameter(f"expected {' or '.join(jobs)}, got {what!r}")
        plain = what == first
        folder = output or Path("memorycell-demo" if plain else f"memorycell-demo-{what}")
        _prepare(folder, _TITLE if plain else f"{_TITLE} {what}")
        shown = jobs[what].look_up(jobs[what].demo)(folder, (lambda text: None) if quiet else say, quiet)
        if as_json:
            print_json(shown.facts)
        else:
            print(shown.text)

    return demo


def _prepare(folder: Path, title: str) -> None:
    """Make the folder, or see that it is one of an earlier demo: nobody else's files are overwritten."""
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file: name another folder with -o")
    readme = folder / "README.md"
    ours = readme.is_file() and readme.read_text(encoding="utf-8", errors="replace").startswith(title + "\n")
    if folder.is_dir() and any(folder.iterdir()) and not ours:
        raise FileExistsError(f"the folder {folder} holds files that are not the demo's: name another with -o")
    folder.mkdir(parents=True, exist_ok=True)
