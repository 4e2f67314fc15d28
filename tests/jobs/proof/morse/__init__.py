"""Morse code: dots, dashes and pauses in, the text that they stand for out."""

from memorycell.jobs.card import Job
from memorycell.jobs.options import PLACE, ROW, TRAIN

MORSE = Job(
    verb="morse",
    task="morse.task:MorseReader",
    networks=("morse.network:MorseNetwork",),
    parameters="morse.parameters:Reading",
    summary="Train an LSTM to read Morse code.",
    example="memorycell fit morse signals.csv --hidden-size 32",
    reads="CSV or Parquet file with a column of signals (dots, dashes, spaces) and a column of texts.",
    file="signals.csv",
    measured="Texts: the most frequent text of the training data.",
    next=("memorycell evaluate {model} {data} --folds 5",),
    use=("memorycell predict {model} signals.csv",),
    limits=("It writes the characters of its training data and no others.",),
    page="morse.page:page",
    answer="morse.page:answer",
    plot="morse.page:picture",
    drawn="Of a reader of Morse code: how many characters of each text are wrong.",
    tiny="morse.tiny:signals",
    options={"evaluate": (TRAIN,), "report": (TRAIN,), "explain": (ROW, PLACE)},
)

JOBS = (MORSE,)
