"""Language models: perplexity on public texts, and training speed beside the same model written by hand.

    MEMORYCELL_DATA=... python benchmarks/language.py [job ...] [--threads 1 2] [--rounds 5] [--runs folder]

The long jobs (shakespeare, wikitext2) write a checkpoint to `--runs` and go on from it when started again; their
texts' ends or test files have served nothing but the final figure. Threads: they take one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from data import folder
from memorycell.data.text.language_stream import LanguageStream
from memorycell.jobs.language.network import LanguageNetwork
from memorycell.jobs.language.task import LanguageModel
from memorycell.networks.heads.softmax import linear_cross_entropy
from memorycell.training import TrainingOptions, train, using_threads

VOCABULARY, WIDTH, BATCH, STEPS, DROPOUT, CLIP = 10_000, 650, 20, 35, 0.5, 0.25
CHUNKS = 3  # batches between two looks at the clock
Seconds = tuple[float, float]  # of the clock, and of the processor

Row = dict[str, Any]


# ------------------------------------------------------------------ speed


def some_ids(steps: int) -> Tensor:
    """Token ids, frequent ones often, as in a text; the time hardly depends on them."""
    generator = torch.Generator().manual_seed(0)
    return (torch.rand(BATCH * steps + 1, generator=generator) ** 4 * VOCABULARY).long()


class ByHand(nn.Module):
    """Zaremba et al.'s medium model as everybody writes it."""

    def __init__(self, tied: bool) -> None:
        super().__init__()
        self.embed, self.drop = nn.Embedding(VOCABULARY, WIDTH), nn.Dropout(DROPOUT)
        self.rnn = nn.LSTM(WIDTH, WIDTH, 2, dropout=DROPOUT)
        self.out = nn.Linear(WIDTH, VOCABULARY)
        if tied:
            self.out.weight = self.embed.weight

    def forward(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        output, state = self.rnn(self.drop(self.embed(tokens)), state)
        return self.out(self.drop(output)), state


def now() -> Seconds:
    return time.perf_counter(), time.process_time()


def since(begun: Seconds, count: int = 1, ended: Seconds | None = None) -> Seconds:
    """Seconds for each of `count` batches."""
    wall, processor = ended or now()
    return (wall - begun[0]) / count, (processor - begun[1]) / count


def by_hand(tied: bool, optimizer: str, autocast: bool = False) -> Callable[[], Seconds]:
    """Seconds a batch of the loop that everybody writes: detach, backward, clip, step."""
    torch.manual_seed(0)
    model, ids = ByHand(tied), some_ids(CHUNKS * STEPS)
    tokens, targets = (part.view(BATCH, -1).t().contiguous() for part in (ids[:-1], ids[1:]))
    kinds: dict[str, Any] = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}
    update = kinds[optimizer](model.parameters(), lr=1.0 if optimizer == "sgd" else 1e-3)

    def run() -> Seconds:
        begun, state = now(), None
        for first in range(0, CHUNKS * STEPS, STEPS):
            state = None if state is None else tuple(part.detach() for part in state)
            update.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                scores, state = model(tokens[first : first + STEPS], state)
                wanted = targets[first : first + STEPS].reshape(-1)
                loss = functional.cross_entropy(scores.view(-1, VOCABULARY), wanted)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            update.step()
            loss.item()
        return since(begun, CHUNKS)

    return run


def ours(tied: bool, optimizer: str, precision: str = "float32") -> Callable[[], Seconds]:
    """Seconds a batch of this library's loop: the epochs after its first."""
    torch.manual_seed(0)
    dropouts = {f"{place}_dropout": DROPOUT for place in ("input", "between", "output")}
    network = LanguageNetwork(VOCABULARY, WIDTH, (WIDTH, WIDTH), tied=tied, precision=precision, **dropouts)
    stream = LanguageStream(some_ids(CHUNKS * STEPS), BATCH, STEPS, vary=False)

    def run() -> Seconds:
        ends: list[Seconds] = []
        options = TrainingOptions(
            epochs=2, optimizer=optimizer, momentum=0.0, schedule="constant", clip_norm=CLIP, patience=None,
            learning_rate=1.0 if optimizer == "sgd" else 1e-3, n_threads=torch.get_num_threads(),
        )  # fmt: skip
        train(network, stream, options, callbacks=[lambda _: ends.append(now())], progress=False)
        return since(ends[0], CHUNKS, ends[1])

    return run


def in_turn(contestants: dict[str, Callable[[], Seconds]], rounds: int, threads: int) -> dict[str, list[Seconds]]:
    """Seconds of each contestant in each round; a busy moment of the machine meets them all."""
    taken: dict[str, list[Seconds]] = {name: [] for name in contestants}
    with using_threads(threads):
        for number in range(rounds + 1):
            for name, contestant in contestants.items():
                seconds = contestant()
                if number:  # the first round warms up
                    taken[name].append(seconds)
    return taken


def speed(arguments: argparse.Namespace) -> Iterator[Row]:
    """2 × 650, batch 20, 35 steps, vocabulary 10,000; dropout 0.5; clipped."""
    for threads in arguments.threads:
        for optimizer, tied in (("sgd", False), ("adam", False), ("sgd", True)):
            contestants = {
                "torch.nn by hand": by_hand(tied, optimizer),
                "memorycell": ours(tied, optimizer),
                "torch.nn by hand, autocast bfloat16": by_hand(tied, optimizer, autocast=True),
                "memorycell, bfloat16 softmax": ours(tied, optimizer, "bfloat16"),
            }
            taken = in_turn(contestants, arguments.rounds, threads)
            yield from compared(f"train, {optimizer}, {'tied' if tied else 'untied'}", threads, taken)


def softmax(arguments: argparse.Namespace) -> Iterator[Row]:
    """The softmax alone, 700 × 650 × 10,000, forward and backward: its share of the steps above."""
    torch.manual_seed(0)
    x, weight, bias = (
        torch.randn(*shape).mul_(0.05).requires_grad_()
        for shape in ((BATCH * STEPS, WIDTH), (VOCABULARY, WIDTH), (VOCABULARY,))
    )
    targets = some_ids(STEPS)[1:]
    for value in (x, weight, bias):
        value.grad = torch.zeros_like(value)

    def timed(loss: Callable[[], Tensor]) -> Callable[[], Seconds]:
        def run() -> Seconds:
            begun = now()
            loss().backward()
            return since(begun)

        return run

    contestants = {
        "F.cross_entropy(F.linear())": timed(
            lambda: functional.cross_entropy(functional.linear(x, weight, bias), targets, reduction="sum")
        ),
        "memorycell": timed(lambda: linear_cross_entropy(x, weight, bias, targets)),
        "memorycell, bfloat16": timed(lambda: linear_cross_entropy(x, weight, bias, targets, precision="bfloat16")),
    }
    for threads in arguments.threads:
        yield from compared("softmax alone", threads, in_turn(contestants, arguments.rounds, threads))


def compared(job: str, threads: int, taken: dict[str, list[Seconds]]) -> Iterator[Row]:
    """A row a contestant: its median, and its median gain over the first one within rounds.

    The processor's time of a single thread is disturbed little by neighbours; that of a waiting team would be.
    """
    kind = 1 if threads == 1 else 0
    first = next(iter(taken.values()))
    for name, pairs in taken.items():
        wall, seconds = (statistics.median(pair[which] for pair in pairs) for which in (0, kind))
        gain = statistics.median(theirs[kind] / own[kind] for theirs, own in zip(first, pairs, strict=True))
        yield {
            "job": f"{job}, {threads} thread{'s' if threads > 1 else ''}", "model": name,
            "ms a batch": round(1e3 * wall, 1), "judged by": "processor" if kind else "clock",
            "ms": round(1e3 * seconds, 1),
            "tokens/s": round(BATCH * STEPS / seconds), "gain": round(gain, 2),
        }  # fmt: skip


# ------------------------------------------------------------------ perplexity


def shakespeare(arguments: argparse.Namespace) -> Iterator[Row]:
    """tinyshakespeare, characters: the first 90 % train, the rest is the test."""
    text = (folder() / "tinyshakespeare/input.txt").read_text(encoding="utf-8")
    cut = int(0.9 * len(text))
    model = LanguageModel(
        "character", hidden_size=(448, 448), embedding_size=64, dropout=0.25, epochs=14, batch_size=32, bptt=64,
        learning_rate=3e-3, validation_fraction=0.0, training={"warmup_steps": 100}, n_threads=1, device="cpu",
    )  # fmt: skip
    begun = time.process_time()
    model.fit(text[:cut], checkpoint=arguments.runs / "shakespeare.ckpt", log=arguments.runs / "shakespeare.jsonl")
    yield from measured("tinyshakespeare", model, text[cut:], begun, arguments)


def wikitext2(arguments: argparse.Namespace) -> Iterator[Row]:
    """WikiText-2, words as they are split there, within two hours of one core; the test file is the test.

    An adaptive softmax, because scoring all 33,278 words costs many times as much as the recurrent layers. The plan of
    a full AWD-LSTM run (Merity et al. 2017: test perplexity 65.8 after some hundred epochs on a GPU) would be
    ``LanguageModel("whitespace", tied=True, hidden_size=(1150, 1150, 400), embedding_size=400, batch_size=80,
    bptt=70, optimizer="asgd", epochs=750, dropout={"embedding": 0.1, "input": 0.65, "between": 0.3, "output": 0.4,
    "weight": 0.5}, alpha=2, beta=1)``.
    """
    parts = folder() / "wikitext2"
    dropout = {"embedding": 0.05, "input": 0.2, "between": 0.2, "output": 0.3, "weight": 0.2}
    model = LanguageModel(
        "whitespace", min_count=1, embedding_size=256, hidden_size=(320, 320), tied=False, softmax="adaptive",
        dropout=dropout, alpha=1.0, beta=0.5, epochs=7, batch_size=32, bptt=35, learning_rate=2e-3, patience=None,
        training={"weight_decay": 0.02, "warmup_steps": 300}, n_threads=1, device="cpu",
    )  # fmt: skip
    begun = time.process_time()
    model.fit(
        parts / "wiki.train.tokens.gz", validation=parts / "wiki.valid.tokens.gz",
        checkpoint=arguments.runs / "wikitext2.ckpt", log=arguments.runs / "wikitext2.jsonl",
    )  # fmt: skip
    yield from measured("wikitext2", model, parts / "wiki.test.tokens.gz", begun, arguments)


def measured(job: str, model: LanguageModel, test: Any, begun: float, arguments: argparse.Namespace) -> Iterator[Row]:
    """The test text as it comes, and with what may be added at evaluation."""
    core_minutes = (time.process_time() - begun) / 60
    model.save(arguments.runs / f"{job}.safetensors", force=True)
    samples = model.read(test)
    for options in ({}, {"cache": True}, {"dynamic": True}):
        found = model.evaluate(samples, baseline=not options, **options)
        yield {
            "job": job, "model": "memorycell" + "".join(f", {each}" for each in found.options),
            "nats": round(found.nats, 4), "perplexity": round(found.perplexity, 2),
            "bits per character": round(found.bits_per_character, 4), "unknown": found.unknown,
            "minutes": round(model.train_seconds_ / 60, 1), "core minutes of this start": round(core_minutes, 1),
        }  # fmt: skip
        if found.baseline_perplexity is not None:
            yield {"job": job, "model": found.baseline, "perplexity": round(found.baseline_perplexity, 2)}


JOBS: dict[str, Callable[[argparse.Namespace], Iterator[Row]]] = {
    "softmax": softmax,
    "speed": speed,
    "shakespeare": shakespeare,
    "wikitext2": wikitext2,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "jobs", nargs="*", default=["softmax", "speed"], metavar="job", help=f"out of {', '.join(JOBS)}"
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runs", type=Path, default=Path(), help="folder for checkpoints, logs and models")
    parser.add_argument("--json", type=Path, help="write the rows here too")
    arguments = parser.parse_args()
    rows: list[Row] = []
    for name in arguments.jobs:
        if name not in JOBS:
            parser.error(f"no job {name!r}: choose from {', '.join(JOBS)}")
        for row in JOBS[name](arguments):
            print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
            rows.append(row)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
