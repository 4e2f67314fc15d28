"""memorycell fit: a model from a file, one command a task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memorycell.cli.fitting import FitRun, fit_command
from memorycell.cli.settings_forecast import FORECAST
from memorycell.cli.settings_language import LANGUAGE
from memorycell.cli.settings_sequences import CLASSIFY, READING, REGRESS
from memorycell.cli.settings_tagging import TAG

_Labelled = Annotated[
    Path,
    typer.Argument(metavar="DATA", help="CSV or Parquet file, .ts file, or lines of a label and a text (.txt)."),
]
_Validation = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Data that decide when to stop, instead of some held out.")
]


@fit_command(FORECAST)
def fit_forecast(
    run: FitRun,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="CSV or Parquet file with a row per time step.")],
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN", help="Column to forecast; may be repeated. [default: the only numeric one]"),
    ] = None,
    validation: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Rows that decide when to stop, instead of the last ones.")
    ] = None,
) -> None:
    """Train an LSTM to forecast columns of a table, and save it.

    memorycell fit forecast weather.csv --target temp --horizon 7 -o weather.safetensors
    """
    run.check(data, validation)
    from memorycell.jobs.forecasting.task import Forecaster

    forecaster = Forecaster(**run.parameters())
    run.finish(forecaster.fit(data, target or None, validation=validation, **run.training), data)


@fit_command((*CLASSIFY, *READING))
def fit_classify(run: FitRun, data: _Labelled, validation: _Validation = None) -> None:
    """Train an LSTM to tell classes of texts, series or symbols apart.

    memorycell fit classify tweets.csv --text text --target sentiment
    """
    run.check(data, validation)
    from memorycell.jobs.labelling.classifier import SequenceClassifier

    classifier = SequenceClassifier(**run.parameters(within={"reading": READING}))
    watched = None if validation is None else (str(validation), None)
    run.finish(classifier.fit(str(data), validation=watched, **run.training), data)


@fit_command((*REGRESS, *READING))
def fit_regress(run: FitRun, data: _Labelled, validation: _Validation = None) -> None:
    """Train an LSTM to tell a number from a text, a series or symbols.

    memorycell fit regress reviews.csv --text review --target stars
    """
    run.check(data, validation)
    from memorycell.jobs.labelling.regressor import SequenceRegressor

    regressor = SequenceRegressor(**run.parameters(within={"reading": READING}))
    watched = None if validation is None else (str(validation), None)
    run.finish(regressor.fit(str(data), validation=watched, **run.training), data)


@fit_command(TAG)
def fit_tag(
    run: FitRun,
    data: Annotated[Path, typer.Argument(metavar="DATA", help="CoNLL, CoNLL-U or TSV file, a word a line.")],
    validation: _Validation = None,
) -> None:
    """Train an LSTM to label every word: parts of speech, names.

    memorycell fit tag train.conllu --tag UPOS
    """
    run.check(data, validation)
    from memorycell.jobs.tagging.task import Tagger

    tagger = Tagger(**run.parameters())
    watched = None if validation is None else str(validation)
    run.finish(tagger.fit(str(data), validation=watched, **run.training), data)


@fit_command(LANGUAGE)
def fit_language(
    run: FitRun,
    data: Annotated[Path, typer.Argument(metavar="TEXT", help="Text file, UTF-8; also .gz.")],
    validation: _Validation = None,
) -> None:
    """Train an LSTM to predict a text, word by word or character by character.

    memorycell fit language book.txt --unit character
    """
    run.check(data, validation)
    from memorycell.jobs.language.task import LanguageModel

    model = LanguageModel(**run.parameters())
    watched = None if validation is None else str(validation)
    run.finish(model.fit(data, validation=watched, **run.training), data)
