"""A label at each step: parts of speech, names, frames of a recording."""

from memorycell.jobs.card import Job
from memorycell.jobs.options import AGAINST, CURVE, ENCODING, LABEL, PLACE, ROW, TRAIN

_ROOM = "memorycell.jobs.tagging"

TAG = Job(
    verb="tag",
    task=f"{_ROOM}.task:Tagger",
    networks=(f"{_ROOM}.network:TaggingNetwork",),
    parameters=f"{_ROOM}.parameters:Tagging",
    summary="Train an LSTM to label every word: parts of speech, names.",
    example="memorycell fit tag train.conllu --tag UPOS",
    reads="CoNLL, CoNLL-U, TSV or CSV file, a word per line (or Parquet, Excel, JSON).",
    file="words.tsv",
    writes=(".tsv", ".csv", ".txt", ".conll", ".conllu"),
    measured="Tags: each word's most frequent one.",
    next=("memorycell evaluate {model} {data} --folds 5", "memorycell report {model} {data}"),
    use=("memorycell predict {model} words.tsv",),
    limits=("It knows the labels it was trained on and no others.",),
    page=f"{_ROOM}.page:page",
    answer=f"{_ROOM}.answer:tagged",
    plot=f"{_ROOM}.picture:tags",
    drawn="Of a tagger: how well each tag, or each kind of name, is found.",
    tiny=f"{_ROOM}.tiny:words",
    options={
        "predict": (ENCODING,),
        "evaluate": (TRAIN, CURVE, ENCODING),
        "report": (TRAIN, CURVE, ENCODING),
        "plot": (ENCODING,),
        "explain": (ROW, PLACE, LABEL, AGAINST, ENCODING),
    },
    renamed={"hidden_sizes": "hidden_size"},
)

JOBS = (TAG,)
