"""memorycell demo: real data, from the table to an honest forecast, in a few seconds."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from memorycell.data.records import as_csv, as_records, as_table
from memorycell.jobs.demo import Shown
from memorycell.training.files import write_atomically

_TITLE = "# memorycell demo"
_HELD_OUT = 120  # months: the last ten years judge the model
_HORIZON = 12
_ABOUT = (
    "Monthly sea-surface temperature off Peru (region Niño 1+2, 0–10°S, 90–80°W), 1950 to 2010, in °C. "
    "NOAA's data, which come with statsmodels (datasets.elnino)."
)


def demo(folder: Path, tell: Callable[[str], None], quiet: bool) -> Shown:
    """Forecast El Niño's region, measure it beside the baselines, and write data, model, forecast and report."""
    from memorycell.pages.report import write_report

    files = {
        "data": folder / "elnino.csv",
        "model": folder / "elnino.safetensors",
        "forecast": folder / "forecast.csv",
        "report": folder / "report.html",
    }
    tell(f"the data: {_ABOUT}")
    rows, header = _months(), "month,temperature\n"
    write_atomically(folder / "README.md", _readme(files).encode())
    write_atomically(files["data"], (header + "".join(rows)).encode())
    tell(f"training an LSTM on all but the last {_HELD_OUT // 12} years, which will judge it")
    forecaster = _train(header, rows, quiet)
    forecaster.save(files["model"], force=True)
    tell(f"forecasting those {_HELD_OUT // 12} years month by month, beside the baselines")
    samples = forecaster.read(files["data"])
    evaluation = forecaster.measured(samples)
    beside, coming = _last_year(evaluation), forecaster.answers(samples).columns
    write_atomically(files["forecast"], as_csv(coming).encode())
    tell("drawing the report")
    page: dict[str, Any] = {"evaluation": evaluation, "unit": "°C", "command": "memorycell demo", "force": True}
    write_report(files["report"], forecaster, samples, **page)
    facts = {
        "last_year": as_records(beside),
        "forecast": as_records(coming),
        "evaluation": evaluation.to_dict(),
        "files": {name: str(path) for name, path in files.items()},
    }
    return Shown(_text(beside, coming, evaluation, files), facts)


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
