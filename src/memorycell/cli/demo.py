"""memorycell demo: real data, from the table to an honest forecast, in a few seconds."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from memorycell.cli.errors import say
from memorycell.cli.output import print_json

_TITLE = "# memorycell demo"
_HELD_OUT = 120  # months: the last ten years judge the model
_HORIZON = 12
_ABOUT = (
    "Monthly sea-surface temperature off Peru (region Niño 1+2, 0–10°S, 90–80°W), 1950 to 2010, in °C. "
    "NOAA's data, which come with statsmodels (datasets.elnino)."
)


class What(StrEnum):
    """What is shown."""

    forecast = "forecast"
    language = "language"


def demo(
    what: Annotated[What, typer.Argument(metavar="[forecast|language]", help="What to show.")] = What.forecast,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "--out",
            "-o",
            metavar="FOLDER",
            help="Where to write. [default: memorycell-demo, or memorycell-demo-language]",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
) -> None:
    """Forecast real sea-surface temperatures, in seconds; or learn to write.

    forecast: trains on El Niño's region up to ten years before the end of the data, measures the forecasts of those ten
    years beside simple baselines, and writes data, model, forecast and report into a folder.

    language: trains a model of characters on the documentation of Python's standard library, in minutes.
    """
    if what is What.language:
        from memorycell.cli.demo_language import TITLE, demo_language

        output = output or Path("memorycell-demo-language")
        _prepare(output, TITLE)
        demo_language(output, as_json=as_json, quiet=quiet)
        return
    output = output or Path("memorycell-demo")
    _prepare(output, _TITLE)
    files = {
        "data": output / "elnino.csv",
        "model": output / "elnino.safetensors",
        "forecast": output / "forecast.csv",
        "report": output / "report.html",
    }
    tell = (lambda text: None) if quiet else say

    tell(f"the data: {_ABOUT}")
    from memorycell.training.files import write_atomically

    rows = _months()
    header = "month,temperature\n"
    write_atomically(output / "README.md", _readme(files).encode())
    write_atomically(files["data"], (header + "".join(rows)).encode())

    tell(f"training an LSTM on all but the last {_HELD_OUT // 12} years, which will judge it")
    forecaster = _train(header, rows, quiet)
    forecaster.save(files["model"], force=True)

    tell(f"forecasting those {_HELD_OUT // 12} years month by month, beside the baselines")
    evaluation = forecaster.evaluate(str(files["data"]))
    beside = _last_year(evaluation)

    from memorycell.cli.output import write_forecast
    from memorycell.jobs.forecasting.frames import forecast_columns
    from memorycell.pages.report import write_report

    coming = forecast_columns(forecaster.forecast_end(str(files["data"])), forecaster.codec_)
    write_forecast(files["forecast"], coming)
    tell("drawing the report")
    write_report(
        files["report"],
        forecaster,
        str(files["data"]),
        evaluation=evaluation,
        unit="°C",
        command="memorycell demo",
        force=True,
    )
    if as_json:
        from memorycell.data.records import as_records

        named = {name: str(path) for name, path in files.items()}
        print_json(
            {
                "last_year": as_records(beside),
                "forecast": as_records(coming),
                "evaluation": evaluation.to_dict(),
                "files": named,
            }
        )
    else:
        print(_text(beside, coming, evaluation, files))


def _prepare(folder: Path, title: str) -> None:
    """Make the folder, or see that it is one of an earlier demo: nobody else's files are overwritten."""
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file: name another folder with -o")
    readme = folder / "README.md"
    ours = readme.is_file() and readme.read_text(encoding="utf-8", errors="replace").startswith(title + "\n")
    if folder.is_dir() and any(folder.iterdir()) and not ours:
        raise FileExistsError(f"the folder {folder} holds files that are not the demo's: name another with -o")
    folder.mkdir(parents=True, exist_ok=True)


def _months() -> list[str]:
    """Lines of a long table from statsmodels' wide one (a row a year, a column a month)."""
    from statsmodels.datasets import elnino

    wide = elnino.load().data.to_numpy()
    return [
        f"{int(year)}-{month:02d}-01,{value:.2f}\n" for year, *values in wide for month, value in enumerate(values, 1)
    ]


def _train(header: str, rows: list[str], quiet: bool) -> Any:
    import io

    import pyarrow
    from pyarrow import csv

    from memorycell.jobs.forecasting.task import Forecaster

    text = io.BytesIO((header + "".join(rows[:-_HELD_OUT])).encode())
    past: pyarrow.Table = csv.read_csv(text)
    return Forecaster(horizon=_HORIZON, verbose=False if quiet else None).fit(past, "temperature")


def _last_year(evaluation: Any) -> dict[str, Any]:
    """What each model forecast for the last 12 months of the data, and what came."""
    ours = evaluation.models[0].forecasts
    low, high = ours.quantiles[-1, :, 0, 0], ours.quantiles[-1, :, 0, -1]
    beside = {"month": ours.dates[-1], "LSTM": ours.point[-1, :, 0], "5 %": low, "95 %": high}
    beside |= {model.name: model.forecasts.point[-1, :, 0] for model in evaluation.models[1:]}
    return {**beside, "came": ours.actual[-1, :, 0]}


def _text(beside: dict[str, Any], coming: dict[str, Any], evaluation: Any, files: dict[str, Path]) -> str:
    from memorycell.data.records import as_table

    folder = files["data"].parent
    return "\n".join(
        [
            "The last 12 months as forecast a year before, in °C: the LSTM with its 90 % interval, the baselines, and",
            "the temperature that came",
            "",
            as_table(beside),
            "",
            "The 12 months after the data, with quantiles:",
            "",
            as_table(coming),
            "",
            f"How good are such forecasts? From each month of the last {_HELD_OUT // 12} years, which no model saw:",
            "",
            evaluation.summary(),
            "",
            f"Written into {folder}/: {', '.join(path.name for path in files.values())}",
            f"Open {files['report']} in a browser. Then try:",
            *(f"  {command}" for command in _next(files)),
        ]
    )


def _next(files: dict[str, Path]) -> list[str]:
    """Commands that work on what the demo wrote."""
    data, model = (shlex.quote(str(files[name])) for name in ("data", "model"))
    return [
        f"memorycell predict {model} {data}",
        f"memorycell evaluate {model} {data}",
        f"memorycell fit forecast {data} --target temperature --horizon 12 -o mine.safetensors",
    ]


def _readme(files: dict[str, Path]) -> str:
    commands = "\n".join(_next(files))
    return f"""{_TITLE}

{_ABOUT}

- `elnino.csv`: the data
- `elnino.safetensors`: an LSTM trained on all but the last ten years
- `forecast.csv`: its forecast of the next 12 months, with quantiles
- `report.html`: the data, the forecast, its errors beside the baselines', and what the gates did

`memorycell demo` overwrites these files and nothing else. To go on:

```sh
{commands}
```
"""
