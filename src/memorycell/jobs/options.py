"""Options of the commands that several jobs know. Loads no torch."""

from __future__ import annotations

from memorycell.jobs.parameters import Option
from memorycell.jobs.values import File, Name, Switch, Whole

LABELS = "Labels and language"

ROW = Option("row", Whole(least=None, optional=True), LABELS, "Which text, series or line, from 0.")
PLACE = Option(
    "place", Whole(least=None, optional=True), LABELS, "Which word is tagged, or which token written, from 0."
)
LABEL = Option("output", Name("LABEL"), LABELS, "Explain this class, label or token.", flag="--class")
AGAINST = Option("against", Name("LABEL"), LABELS, "And not that one.", said="the likeliest other")

TRAIN = Option(
    "train", File(), LABELS, "What the model was trained on: baselines are trained on it too.", reading=False
)
CURVE = Option(
    "learning_curve", Switch(), LABELS, "Train on growing parts of DATA: is more data worth it?", default=False,
    flag="--learning-curve",
)  # fmt: skip
GROUP = Option("group", Name(), LABELS, "Folds keep its groups whole: speakers, users, subjects.", reading=True)
ORDER = Option("order", Name(), LABELS, "Folds train on what is earlier there, and test on what follows.", reading=True)
FOLD_OPTIONS = (TRAIN, GROUP, ORDER, CURVE)
