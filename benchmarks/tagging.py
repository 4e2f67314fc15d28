"""Parts of speech on Universal Dependencies' English Web Treebank: accuracy and time of `Tagger` as it comes.

    MEMORYCELL_DATA=... python benchmarks/tagging.py [--seeds 3] [--crf] [--results tagging.json] [--work folder]

Trained on the training part, stopped by the development part, measured on the test part. Each run is added to the
results file when it is done, and what stands there already is not run again; a run that was interrupted goes on from
its checkpoint in the work folder. Time is processor time: core-minutes of one machine. Beside it the most frequent
tag of each word (NOUN or PROPN for unknown ones, by their first letter).
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from data import folder
from memorycell.data.text.tagged_files import Tagged, read_tagged
from memorycell.jobs.tagging.task import Tagger
from memorycell.training.files import write_atomically

Row = dict[str, Any]


def read(part: str) -> Tagged:
    """Words with their universal tags: the columns are FORM, LEMMA, UPOS and XPOS."""
    return read_tagged(folder() / f"ud_ewt/en_ewt.{part}.tsv.gz", word=0, tag=2)


def most_frequent(train: Tagged, test: Tagged) -> float:
    """Accuracy of each word's most frequent tag."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for words, tags in zip(train.words, train.tags or [], strict=True):
        for word, tag in zip(words, tags, strict=True):
            counts[word][tag] += 1

    def guess(word: str) -> str:
        return counts[word].most_common(1)[0][0] if word in counts else "PROPN" if word[:1].isupper() else "NOUN"

    pairs = [
        (guess(word), tag)
        for words, tags in zip(test.words, test.tags or [], strict=True)
        for word, tag in zip(words, tags, strict=True)
    ]
    return sum(one == other for one, other in pairs) / len(pairs)


def run(seed: int, options: Row, work: Path) -> Row:
    """One training, and its accuracy on the test part."""
    begun = time.process_time()
    name = "-".join(["ud_ewt", *(f"{key}={value}" for key, value in options.items()), str(seed)])
    checkpoint = work / f"{name}.checkpoint"
    tagger = Tagger(word=0, tag=2, random_state=seed, n_threads=1, **options)
    tagger.fit(read("train"), validation=read("dev"), checkpoint=checkpoint)
    minutes = (time.process_time() - begun) / 60
    scores = tagger.evaluate(read("test"))
    development = tagger.score(read("dev"))
    tagger.save(work / f"{name}.safetensors", force=True)
    return {
        "seed": seed, "options": options, "accuracy": scores.accuracy, "development": development,
        "words": scores.words, "macro_f1": scores.measures.values["macro_f1"], "epochs": len(tagger.history_),
        "best_epoch": tagger.best_epoch_, "core_minutes": minutes,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--crf", action="store_true", help="with a CRF on top, which tags are not given by default")
    parser.add_argument("--results", type=Path, default=Path("tagging.json"))
    parser.add_argument("--work", type=Path, default=Path(), help="folder of checkpoints and models (default: here)")
    arguments = parser.parse_args()
    rows: list[Row] = json.loads(arguments.results.read_text(encoding="utf-8")) if arguments.results.exists() else []
    options: Row = {"crf": True} if arguments.crf else {}
    arguments.work.mkdir(parents=True, exist_ok=True)
    print(f"most frequent tag of each word: {most_frequent(read('train'), read('test')):.4f}")
    print(f"{'seed':>4}  {'accuracy':>8}  {'known':>6}  {'unknown':>7}  {'dev':>6}  {'epochs':>6}  core-minutes")
    for seed in range(arguments.seeds):
        row = next((row for row in rows if (row["seed"], row["options"]) == (seed, options)), None)
        if row is None:
            row = run(seed, options, arguments.work)
            rows.append(row)
            write_atomically(arguments.results, json.dumps(rows, indent=1).encode())
        words = row["words"]
        print(
            f"{seed:4}  {row['accuracy']:8.4f}  {words['known']['accuracy']:6.4f}  {words['unknown']['accuracy']:7.4f}"
            f"  {row['development']:6.4f}  {row['epochs']:6}  {row['core_minutes']:12.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
