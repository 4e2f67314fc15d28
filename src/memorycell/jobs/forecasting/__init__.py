"""Forecasts: what comes next in tables of readings."""

from memorycell.jobs.card import Job
from memorycell.jobs.options import READING
from memorycell.jobs.parameters import Option
from memorycell.jobs.values import File, Name, Names, Real, Whole

_ROOM = "memorycell.jobs.forecasting"
_GROUP = "Forecasts"
TARGET = Option("target", Names(optional=True), "Columns", "Column to forecast; may be repeated.",
                 said="the only numeric one")  # fmt: skip
_FUTURE = Option("future", File(), _GROUP, "Known-future columns of the rows to come.", reading=True)
_AT = Option("at", Name("DATE"), _GROUP, "Last step seen.", said="the end of DATA")
_WHICH = Option("target", Name(), _GROUP, "Which target.")
_SERIES = Option("series", Name("NAME"), _GROUP, "Which series.")
_STEP = Option("step", Whole(), _GROUP, "Rows from one origin to the next.", default=1)
_SHARE = Option("test_fraction", Real(0, below=1, open=True), _GROUP, "Share of the time range that folds test on.",
                default=0.2)  # fmt: skip

FORECAST = Job(
    verb="forecast",
    task=f"{_ROOM}.task:Forecaster",
    networks=(
        f"{_ROOM}.network:StackedForecaster",
        f"{_ROOM}.network:EncoderDecoder",
        f"{_ROOM}.network:SegmentForecaster",
        f"{_ROOM}.carried:CarriedForecaster",
    ),
    parameters=f"{_ROOM}.parameters:Forecasting",
    summary="Train an LSTM to forecast columns of a table, and save it.",
    example="memorycell fit forecast weather.csv --target temp --horizon 7 -o weather.safetensors",
    reads="CSV or Parquet file with a row per time step.",
    measured="Forecasts: last value, seasonal naive, ETS and ridge regression.",
    next=("memorycell predict {model} {data}", "memorycell evaluate {model} {data} --folds 3"),
    use=("memorycell predict {model} data.csv -o forecast.csv",),
    limits=(
        "It knows the past of its table and nothing else: what never happened there it cannot foresee.",
        "Its intervals assume that the near future errs as the recent past did.",
    ),
    page=f"{_ROOM}.page.report:page",
    answer=f"{_ROOM}.page.answer:forecast",
    plot=f"{_ROOM}.page.picture:fan",
    drawn="Of a forecaster: the past, the forecast with its intervals, and what came where DATA have it.",
    tiny=f"{_ROOM}.tiny:weather",
    options={
        "fit": (TARGET,),
        "predict": (_FUTURE, *READING),
        "evaluate": (_STEP, _SHARE, *READING),
        "report": (_STEP, _SHARE, _FUTURE, *READING),
        "plot": (_AT, _WHICH, _SERIES, _FUTURE, *READING),
        "explain": (
            _AT,
            Option("row", Whole(least=None, optional=True), _GROUP, "Which text, series or line, from 0; of a forecast "
                   "the last row seen."),
            Option("step", Whole(optional=True), _GROUP, "Steps ahead.", said="1"),
            _WHICH,
            _SERIES,
            _FUTURE,
            *READING,
        ),
    },
    commands={"compare": f"{_ROOM}.commands:compare"},
    demo=f"{_ROOM}.demo:demo",
    formerly=("forecaster",),
)  # fmt: skip

JOBS = (FORECAST,)
