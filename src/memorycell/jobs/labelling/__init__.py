"""Labels for whole sequences: classes, several labels, numbers."""

from memorycell.jobs.card import Job
from memorycell.jobs.options import AGAINST, FOLD_OPTIONS, KEEP, LABEL, LABELS, READING, ROW
from memorycell.jobs.parameters import Option
from memorycell.jobs.values import Whole

_ROOM = "memorycell.jobs.labelling"
_READS = "CSV or Parquet file, .ts file, or lines of a label and a text (.txt)."
_NEXT = ("memorycell evaluate {model} {data} --folds 5", "memorycell report {model} {data}")
_OUTPUT = Option(
    "output", Whole(least=0, optional=True), LABELS, "Explain this output, where there are several.", flag="--class"
)
_OPTIONS = {
    "predict": (KEEP, *READING), "evaluate": (*FOLD_OPTIONS, *READING), "report": (*FOLD_OPTIONS, *READING),
    "plot": READING,
}  # fmt: skip

CLASSIFY = Job(
    verb="classify",
    task=f"{_ROOM}.classifier:SequenceClassifier",
    networks=(f"{_ROOM}.network:SequenceToOne",),
    parameters=f"{_ROOM}.parameters:Classifying",
    summary="Train an LSTM to tell classes of texts, series or symbols apart.",
    example="memorycell fit classify tweets.csv --text text --target sentiment",
    reads=_READS,
    measured="Classes: the most frequent class, and logistic regression on TF-IDF of texts, on statistics of series.",
    next=_NEXT,
    use=("memorycell predict {model} data.csv",),
    limits=(
        "It knows the classes it was trained on and no others: whatever it is given, it names one of them.",
        "Its probabilities are those of data like the training data; where classes come in other shares, they mislead.",
    ),
    page=f"{_ROOM}.page_classes:page",
    answer=f"{_ROOM}.answer:classified",
    plot=f"{_ROOM}.pictures:classes",
    drawn="Of a classifier: what is taken for what; of several labels each, how well each is found.",
    tiny=f"{_ROOM}.tiny:texts",
    options={**_OPTIONS, "explain": (ROW, LABEL, AGAINST, *READING)},
)

REGRESS = Job(
    verb="regress",
    task=f"{_ROOM}.regressor:SequenceRegressor",
    networks=(f"{_ROOM}.network:SequenceToOne",),
    parameters=f"{_ROOM}.parameters:Regressing",
    summary="Train an LSTM to predict a number from a text, a series or symbols.",
    example="memorycell fit regress reviews.csv --text review --target stars",
    reads=_READS,
    measured="Numbers: their mean, and ridge regression on TF-IDF of texts, on statistics of series.",
    next=_NEXT,
    use=("memorycell predict {model} data.csv",),
    limits=("What it says beyond the range of the training data is a guess.",),
    page=f"{_ROOM}.page_numbers:page",
    answer=f"{_ROOM}.answer:predicted",
    plot=f"{_ROOM}.pictures:numbers",
    drawn="Of a regressor: predicted numbers against the true ones.",
    tiny=f"{_ROOM}.tiny:waves",
    options={**_OPTIONS, "explain": (ROW, _OUTPUT, *READING)},
)

JOBS = (CLASSIFY, REGRESS)
