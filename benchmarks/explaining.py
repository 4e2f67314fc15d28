"""Five answers of real models, explained: a forecast, a tweet, a sentence that was written, a tag, a gesture.

    MEMORYCELL_DATA=... python benchmarks/explaining.py [forecast tweet sentence tag gesture] [--models FOLDER]

Each model is trained first (ten minutes of one thread for all of them) and kept in the folder of `--models`, where it
is found the next time. Of each answer every method's ten strongest steps are printed, with the terms that no step adds;
then how far two methods agree (rank correlation over the steps), how long the model remembers, and how far back it
looks.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from classification import airline_tweets, utd_mhad
from data import folder
from memorycell import LanguageModel, SequenceClassifier, Tagger, load, read_tagged
from memorycell.cli.main import main as main_command

METHODS = ("integrated gradients", "occlusion", "decomposition")
PROMPT = "GLOUCESTER:\nWhat says my lord?\n\nKING"


def kept(path: Path, fit: Callable[[], Any]) -> Any:
    """The model of this file; where there is none it is trained, and kept."""
    if not path.exists():
        fit().save(path)
    return load(path)


def show(model: Any, data: Any, memory: Any = None, **where: Any) -> None:
    found = {method: model.explain(data, method=method, **where) for method in METHODS}
    print(*found.values(), sep="\n")
    first, *others = METHODS
    for other in others:
        agree = spearmanr(found[first].scores, found[other].scores).statistic
        print(f"{first} and {other}: rank correlation {agree:.2f}")
    print(model.memory(data if memory is None else memory).sentence())
    print(model.lookback(data if memory is None else memory).sentence(), flush=True)


def forecast(models: Path) -> None:
    """The demo's: next month's sea-surface temperature, from the end of 2010."""
    made = models / "demo"
    if not made.exists():
        main_command(["demo", "--quiet", "-o", str(made)])
    show(load(made / "elnino.safetensors"), made / "elnino.csv", step=1)


def tweet(models: Path) -> None:
    """Of the test fold the thank-you that was taken for a complaint with the highest probability."""
    split = next(airline_tweets())
    model = kept(models / "tweets.safetensors", lambda: SequenceClassifier(n_threads=1).fit(*split.train))
    texts, truth = split.test
    chances = model.predict_proba(texts)
    classes = model.classes_.tolist()
    wrong = np.where(truth == "positive", chances[:, classes.index("negative")], 0)
    row = int(wrong.argmax())
    print(repr(texts[row]), f"negative {wrong[row]:.1%}")
    show(model, texts, texts[:200], row=row, output="negative", against="positive")
    words = model.explained(texts, row=row, output="negative", against="positive")
    for phrase in (("no", "complaints"), ("without", "difficulty"), ("extremely", "helpful")):
        steps = [place for place, word in enumerate(words.labels) if word in phrase]
        parts = model.explain(
            texts, method="contextual decomposition", steps=steps, row=row, output="negative", against="positive"
        )
        print(f"{' '.join(phrase)}: phrase {parts.terms['phrase']:+.2f}, rest {parts.terms['rest']:+.2f}")


def sentence(models: Path) -> None:
    """Why the name of a speaker ends in a colon, and what was written after it."""
    text = (folder() / "tinyshakespeare/input.txt").read_text(encoding="utf-8")
    cut = int(0.9 * len(text))
    options: dict[str, Any] = {"hidden_size": (256,), "embedding_size": 64, "epochs": 4, "batch_size": 32, "bptt": 64}
    model = kept(
        models / "shakespeare.safetensors",
        lambda: LanguageModel("character", validation_fraction=0.0, n_threads=1, **options).fit(text[:cut]),
    )
    written = PROMPT + model.generate(PROMPT, 60, temperature=0.5)
    print(repr(written))
    show(model, PROMPT, text[cut : cut + 20_000], output=" ", against=",")
    for other in (PROMPT, PROMPT.replace("\n\n", " "), PROMPT.replace("KING", "king")):
        print(f"{model.explain(other, output=' ', against=',').value:+.2f} after {other!r}")
    show(model, written, text[cut : cut + 20_000])


def tag(models: Path) -> None:
    """The word of the test sentences whose wrong tag is surest."""
    parts = {name: folder() / f"ud_ewt/en_ewt.{name}.tsv.gz" for name in ("train", "dev", "test")}
    model = kept(
        models / "tagger.safetensors",
        lambda: Tagger(word=0, tag=2, epochs=5, n_threads=1).fit(parts["train"], validation=parts["dev"]),
    )
    given = read_tagged(parts["test"], 0, 2)
    tags, chances = model.predict(given.words), model.predict_proba(given.words)
    worst = max(
        ((each[place].max(), row, place) for row, each in enumerate(chances) for place in range(len(each))
         if tags[row][place] != given.tags[row][place] and len(each) > 8)
    )  # fmt: skip
    _, row, place = worst
    truth = given.tags[row][place]
    print(" ".join(given.words[row]), f"| {given.words[row][place]} is {truth}, tagged {tags[row][place]}")
    show(model, given.words, given.words[:200], row=row, place=place, against=truth)


def gesture(models: Path) -> None:
    """A wave that was taken for a swipe, or whatever the surest mistake is: by steps, and by joints."""
    split = next(utd_mhad())
    model = kept(models / "gesture.safetensors", lambda: SequenceClassifier(epochs=50, n_threads=1).fit(*split.train))
    clips, truth = split.test
    chances = model.predict_proba(clips)
    answers = model.classes_[chances.argmax(1)]
    row = int(np.where(answers != truth, chances.max(1), 0).argmax())
    print(f"clip {row} of action {truth[row]}, taken for {answers[row]} with {chances[row].max():.1%}")
    show(model, clips, clips[:50], row=row, against=truth[row])
    parts = model.explain(clips, row=row, against=truth[row])
    by_joint = parts.by_feature.reshape(len(parts.scores), 2, -1, 3).sum((0, 1, 3))
    lines = (folder() / "utd_mhad/Skeleton_joint_order.txt").read_text(encoding="utf-8").splitlines()
    named = [line.split(". ")[1].rstrip("; ") for line in lines if ". " in line[:4]]
    for joint in np.argsort(-np.abs(by_joint))[:6]:
        print(f"  {by_joint[joint]:+6.2f}  {named[joint]}")


JOBS = {"forecast": forecast, "tweet": tweet, "sentence": sentence, "tag": tag, "gesture": gesture}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=", ".join(JOBS))
    parser.add_argument("--models", type=Path, default=Path("explained-models"))
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.jobs) - set(JOBS))
    if unknown:
        parser.error(f"expected jobs among {', '.join(JOBS)}, got {', '.join(unknown)}")
    torch.set_num_threads(1)
    arguments.models.mkdir(parents=True, exist_ok=True)
    for name in arguments.jobs or JOBS:
        print(f"== {name}", flush=True)
        JOBS[name](arguments.models)


if __name__ == "__main__":
    main()
