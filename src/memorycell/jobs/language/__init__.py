"""Language models: what comes next in a text, how surprising each word was, and writing."""

from memorycell.jobs.card import Job
from memorycell.jobs.options import AGAINST, CURVE, ENCODING, LABEL, PLACE, ROW, TRAIN

_ROOM = "memorycell.jobs.language"

LANGUAGE = Job(
    verb="language",
    task=f"{_ROOM}.task:LanguageModel",
    networks=(f"{_ROOM}.network:LanguageNetwork",),
    parameters=f"{_ROOM}.parameters:Modelling",
    summary="Train an LSTM to predict a text, word by word or character by character.",
    example="memorycell fit language book.txt --unit character",
    reads="Text file, UTF-8; also .gz.",
    data="TEXT",
    file="text.txt",
    measured="Language: Kneser-Ney n-grams.",
    next=("memorycell evaluate {model} {data} --folds 5", "memorycell report {model} {data}"),
    use=("memorycell predict {model} text.txt", 'memorycell generate {model} --prompt "Once upon a time"'),
    limits=(
        "It writes what is likely in texts like its own, true or not, and repeats what those hold.",
        "Perplexities of models with different vocabularies cannot be compared; bits per character can.",
    ),
    page=f"{_ROOM}.page:page",
    answer=f"{_ROOM}.answer:continued",
    plot=f"{_ROOM}.picture:surprise",
    drawn="Of a language model: how much each token of a text surprised it.",
    tiny=f"{_ROOM}.tiny:book",
    options={
        "predict": (ENCODING,), "evaluate": (TRAIN, CURVE, ENCODING), "report": (TRAIN, CURVE, ENCODING),
        "plot": (ROW, ENCODING), "explain": (ROW, PLACE, LABEL, AGAINST, ENCODING),
    },
    commands={"generate": f"{_ROOM}.commands:generate"},
    demo=f"{_ROOM}.demo:demo",
    lends=("text encoder",),
    renamed={"hidden_sizes": "hidden_size", "size": "vocabulary_size"},
)  # fmt: skip

JOBS = (LANGUAGE,)
