"""Classification of sequences on public data: accuracy and time of `SequenceClassifier` as it comes.

    MEMORYCELL_DATA=... python benchmarks/classification.py [job ...] [--seeds 3] [--results classification.json]

Nothing of a test set is seen in training, in stopping or in calibration. Each run is added to the results file when it
is done, and what stands there already is not run again. Time is processor time: core-minutes of one machine.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import StratifiedKFold

from data import folder
from memorycell.data.signals.ts_files import read_ts
from memorycell.jobs.labelling.classifier import SequenceClassifier
from memorycell.jobs.language.task import LanguageModel


class Split(NamedTuple):
    """One training set and its test set, and how the data want to be read."""

    name: str
    train: tuple[Any, Any]
    test: tuple[Any, Any]
    options: dict[str, Any]
    language: dict[str, Any] | None = None  # of a language model that reads the training texts first


def ucr() -> Iterator[Split]:
    """Four sets of the UCR and UEA archives, on the archive's own split."""
    for name in ("JapaneseVowels", "BasicMotions", "GunPoint", "ItalyPowerDemand"):
        train, test = (read_ts(folder() / f"ucr/{name}_{part}.ts.gz") for part in ("TRAIN", "TEST"))
        yield Split(f"ucr {name}", (train.x, train.y), (test.x, test.y), {})


def trec() -> Iterator[Split]:
    """Question types, 6 classes."""

    def read(part: str) -> tuple[list[str], list[str]]:
        lines = (folder() / f"trec/TREC.{part}").read_text(encoding="latin-1").splitlines()
        return [line.split(" ", 1)[1] for line in lines], [line.split(":", 1)[0] for line in lines]

    yield Split("trec", read("train"), read("test"), {})


def pendigits() -> Iterator[Split]:
    """Handwritten digits as 8 pen points."""

    def read(part: str) -> tuple[Any, Any]:
        rows = np.loadtxt(folder() / f"pendigits/pendigits.{part}", delimiter=",", dtype=np.int64, skiprows=1)
        return rows[:, :16].reshape(-1, 8, 2).astype(np.float64), rows[:, 16]

    yield Split("pendigits", read("tra"), read("tes"), {})


def utd_mhad() -> Iterator[Split]:
    """27 actions from the places and speeds of 20 joints; odd subjects train, even ones test.

    Places are relative to the hip's, in lengths of the back, so that who stands where and how tall does not matter.
    """
    with np.load(folder() / "utd_mhad/skeleton.npz", allow_pickle=False) as file:
        joints, offsets, action, subject = (file[name] for name in ("x", "offsets", "action", "subject"))
    neck, hip = 1, 3
    places = joints.astype(np.float32)
    places = places - places[:, hip : hip + 1]
    clips = []
    for start, stop in pairwise(offsets):
        clip = places[start:stop]
        clip = (clip / np.linalg.norm(clip[:, neck], axis=1).mean()).reshape(stop - start, -1)
        clips.append(np.concatenate([clip, np.diff(clip, axis=0, prepend=clip[:1])], axis=1))
    odd = subject % 2 == 1
    parts = [([clips[i] for i in np.flatnonzero(rows)], action[rows]) for rows in (odd, ~odd)]
    yield Split("utd_mhad skeleton", parts[0], parts[1], {})


def splice(folds: int = 10) -> Iterator[Split]:
    """DNA around splice junctions, 10-fold stratified; accuracy is that of all folds together."""
    lines = (folder() / "splice/splice.data").read_text(encoding="ascii").splitlines()
    rows = [[part.strip() for part in line.split(",")] for line in lines if line.strip()]
    x, y = np.array([row[2] for row in rows]), np.array([row[0] for row in rows])
    parts = StratifiedKFold(folds, shuffle=True, random_state=0).split(x, y)
    for number, (train, test) in enumerate(parts):
        options = {"kind": "symbols"}
        yield Split(f"splice fold {number}", (x[train].tolist(), y[train]), (x[test].tolist(), y[test]), options)


def airline_tweets(folds: int = 5, language: dict[str, Any] | None = None) -> Iterator[Split]:
    """Sentiment of tweets, 3 classes, 5-fold stratified; accuracy and F1 are those of all folds together."""
    with gzip.open(folder() / "airline_tweets/Tweets.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    x, y = [row["text"] for row in rows], np.array([row["airline_sentiment"] for row in rows])
    name = "airline_tweets" if language is None else "airline_tweets pretrained"
    parts = StratifiedKFold(folds, shuffle=True, random_state=0).split(x, y)
    for number, (train, test) in enumerate(parts):
        pairs = [([x[i] for i in rows], y[rows]) for rows in (train, test)]
        yield Split(f"{name} fold {number}", pairs[0], pairs[1], {}, language)


def airline_pretrained() -> Iterator[Split]:
    """The same, begun with a language model of each fold's training tweets."""
    return airline_tweets(language={"unit": "word", "lowercase": True, "hidden_size": (400, 300), "epochs": 12})


JOBS: dict[str, Callable[[], Iterator[Split]]] = {
    "ucr": ucr, "trec": trec, "pendigits": pendigits, "utd_mhad": utd_mhad, "splice": splice,
    "airline_tweets": airline_tweets, "airline_pretrained": airline_pretrained,
}  # fmt: skip


def run(split: Split, seed: int, options: dict[str, Any]) -> dict[str, Any]:
    begun, clock = time.process_time(), time.perf_counter()
    own = dict(split.options)
    if split.language is not None:
        own["pretrained"] = LanguageModel(random_state=seed, verbose=False, **split.language).fit(split.train[0])
    model = SequenceClassifier(random_state=seed, **{**own, **options}).fit(*split.train)
    trained, seconds = time.process_time() - begun, time.perf_counter() - clock
    answers, truth = model.predict(split.test[0]), np.asarray(split.test[1])
    right = answers == truth
    confusion = [[int(np.sum((truth == a) & (answers == b))) for b in model.classes_] for a in model.classes_]
    probability = model.predict_proba(split.test[0]).max(axis=1)
    return {
        "job": split.name, "seed": seed, "accuracy": float(right.mean()), "right": int(right.sum()), "of": len(right),
        "confidence": float(probability.mean()), "core_minutes": trained / 60, "minutes": seconds / 60,
        "confusion": confusion, "epochs": len(model.history_),
        "best_epoch": model.best_epoch_, "parameters": model.n_parameters_,
    }  # fmt: skip


def macro_f1(runs: list[dict[str, Any]]) -> float:
    """Mean of the classes' F1, of all folds together; NaN of runs that did not count."""
    if any("confusion" not in row for row in runs):
        return float("nan")
    table = np.sum([row["confusion"] for row in runs], axis=0)
    return float(np.mean(2 * table.diagonal() / np.maximum(1, table.sum(0) + table.sum(1))))


def report(rows: list[dict[str, Any]]) -> None:
    """Median and range of the seeds; folds of one data set as one."""
    by_job: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for row in rows:
        name = row["job"].split(" fold ")[0]
        by_job.setdefault(name, {}).setdefault(row["seed"], []).append(row)
    print(f"{'data':26s} {'accuracy':>9s} {'range':>17s} {'macro-F1':>9s} {'seeds':>6s} {'core-minutes a run':>19s}")
    for name, seeds in by_job.items():
        figures = sorted(sum(r["right"] for r in runs) / sum(r["of"] for r in runs) for runs in seeds.values())
        f1 = np.median([macro_f1(runs) for runs in seeds.values()])
        minutes = np.median([sum(r["core_minutes"] for r in runs) for runs in seeds.values()])
        print(
            f"{name:26s} {np.median(figures):9.4f}   [{figures[0]:.4f}, {figures[-1]:.4f}] {f1:9.4f} {len(figures):6d} "
            f"{minutes:19.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("jobs", nargs="*", help=f"of {', '.join(JOBS)}; default: all")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--results", type=Path, default=None, help="file that runs are added to and not repeated from")
    parser.add_argument("--options", type=json.loads, default={}, help="parameters of SequenceClassifier as JSON")
    parser.add_argument("--only", default="", help="splits whose name holds this")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    if arguments.results is not None and arguments.results.exists():
        rows = [json.loads(line) for line in arguments.results.read_text(encoding="utf-8").splitlines()]
    done = {(row["job"], row["seed"]) for row in rows}
    for job in arguments.jobs or JOBS:
        for split in JOBS[job]():
            for seed in range(arguments.seeds):
                if (split.name, seed) in done or arguments.only not in split.name:
                    continue
                rows.append(run(split, seed, arguments.options))
                print(json.dumps(rows[-1]), flush=True)
                if arguments.results is not None:
                    with arguments.results.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(rows[-1]) + "\n")
    report(rows)


if __name__ == "__main__":
    main()
