"""Training speed of a text classifier, and of a loss on the last of many steps, beside plain torch.

    python benchmarks/classifying.py [--epochs 3] [--rounds 3] [--rows 14640] [--threads 1 2]

Tweets to airlines → three sentiments: words embedded in 100 numbers, a bidirectional LSTM of 128, batches of 64, Adam.
The contestants train in turn, round by round, so that a busy moment meets them all. Those of torch are what people
write: `nn.LSTM` over batches as they come, padded to the longest; the same packed; and padded batches of similar
length. They read the final state; memorycell does so too, and once more with all its pooling.

Then 784 steps of one number, read by an LSTM of 128 in one direction, of which the last step is answered: the
gradient that travels back is soon smaller than the smallest normal number.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

import data
from memorycell.data.ragged import Ragged
from memorycell.data.sequences import SequenceDataset
from memorycell.data.streams import SampleStream
from memorycell.jobs.labelling.network import SequenceToOne
from memorycell.training import TrainingOptions, train, using_threads

EMBEDDING, HIDDEN, BATCH, CLASSES = 100, 128, 64, 3
LONG, LONG_ROWS, LONG_BATCHES = 784, 32, 4


def tweets(rows: int) -> tuple[list[Tensor], Tensor, int]:
    """Word ids of each tweet, labels, and the size of the vocabulary: words that occur twice."""
    with gzip.open(data.folder() / "airline_tweets/Tweets.csv.gz", "rt", encoding="utf-8") as file:
        records = list(csv.DictReader(file))[:rows]
    words = [re.findall(r"\w+|[^\w\s]", record["text"].lower()) for record in records]
    counts = Counter(word for each in words for word in each)
    ids = {word: number for number, word in enumerate(sorted(w for w, n in counts.items() if n > 1), start=2)}
    sentiments = sorted({record["airline_sentiment"] for record in records})
    labels = torch.tensor([sentiments.index(record["airline_sentiment"]) for record in records])
    return [torch.tensor([ids.get(word, 1) for word in each] or [1]) for each in words], labels, len(ids) + 2


class Classifier(nn.Module):
    """What people write: an embedding, a bidirectional LSTM, and a linear layer on its final state."""

    def __init__(self, vocabulary: int, packed: bool) -> None:
        super().__init__()
        self.packed = packed
        self.embedding = nn.Embedding(vocabulary, EMBEDDING, padding_idx=0)
        self.rnn = nn.LSTM(EMBEDDING, HIDDEN, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * HIDDEN, CLASSES)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        x = self.embedding(tokens)
        if self.packed:
            x = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.rnn(x)
        return self.out(torch.cat([h[0], h[1]], dim=1))


def plain_batches(lengths: Tensor, bucketed: bool) -> Iterator[Tensor]:
    """Rows of each batch: as they come, or of similar length by pools of 50 batches."""
    order = torch.randperm(len(lengths))
    if bucketed:
        pools = [pool[lengths[pool].argsort()] for pool in order.split(50 * BATCH)]
        batches = [batch for pool in pools for batch in pool.split(BATCH)]
        yield from (batches[i] for i in torch.randperm(len(batches)).tolist())
    else:
        yield from order.split(BATCH)


def plain(tokens: list[Tensor], labels: Tensor, vocabulary: int, epochs: int, *, packed: bool, bucketed: bool) -> None:
    """The loop that everybody writes."""
    lengths = torch.tensor([len(each) for each in tokens])
    network = Classifier(vocabulary, packed)
    optimizer = torch.optim.Adam(network.parameters())
    for _ in range(epochs):
        for rows in plain_batches(lengths, bucketed):
            x = pad_sequence([tokens[i] for i in rows.tolist()], batch_first=True)
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x, lengths[rows]), labels[rows]).backward()
            optimizer.step()


def ours(tokens: list[Tensor], labels: Tensor, vocabulary: int, epochs: int, pooling: tuple[str, ...]) -> None:
    dataset = SequenceDataset({"tokens": Ragged.of(tokens)}, labels)
    network = SequenceToOne(
        vocabulary, n_outputs=CLASSES, embedding_size=EMBEDDING, hidden_size=(HIDDEN,), pooling=pooling
    )
    options = TrainingOptions(
        epochs=epochs, optimizer="adam", schedule="constant", patience=None, n_threads=torch.get_num_threads()
    )
    train(network, SampleStream(dataset, BATCH, lengths=dataset.lengths), options, progress=False)


Times = dict[str, list[tuple[float, float]]]


def in_turn(contestants: dict[str, Callable[[], None]], rounds: int) -> Times:
    """Seconds, and those of the processor, of each contestant in each round."""
    times: Times = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            began = time.perf_counter(), time.process_time()
            contestant()
            times[name].append((time.perf_counter() - began[0], time.process_time() - began[1]))
    return times


def show(times: Times, peer: str, amount: float, unit: str) -> None:
    """A line for each: amounts a second, and its speed relative to `peer` within each round.

    The processor's time of a single thread is not disturbed by neighbours; that of a waiting team would be.
    """
    print(f"  {'':42}{unit + '/s':>12}{'x ' + peer:>22}{'of the processor':>19}")
    for name, own in times.items():
        ratios = [
            statistics.median(theirs[k] / mine[k] for mine, theirs in zip(own, times[peer], strict=True))
            for k in (0, 1)
        ]
        middle = statistics.median(seconds for seconds, _ in own)
        processor = f"{ratios[1]:19.2f}" if torch.get_num_threads() == 1 else f"{'–':>19}"
        print(f"  {name:42}{amount / middle:12,.0f}{ratios[0]:22.2f}{processor}", flush=True)


def measure_tweets(epochs: int, rounds: int, rows: int) -> None:
    torch.manual_seed(0)
    given = (*tweets(rows), epochs)
    tokens, _, vocabulary, _ = given
    count = sum(len(each) for each in tokens)
    print(f"  {len(tokens)} tweets, {count} tokens, vocabulary {vocabulary}, {epochs} epochs")
    contestants = {
        "torch, padded": lambda: plain(*given, packed=False, bucketed=False),
        "torch, packed": lambda: plain(*given, packed=True, bucketed=False),
        "torch, bucketed": lambda: plain(*given, packed=False, bucketed=True),
        "memorycell, final state": lambda: ours(*given, pooling=("last",)),
        "memorycell, last, mean, max and attention": lambda: ours(*given, pooling=("last", "mean", "max", "attention")),
    }
    show(in_turn(contestants, rounds), "torch, bucketed", count * epochs, "tokens")


def measure_last_step(rounds: int) -> None:
    torch.manual_seed(0)
    x, labels = torch.randn(LONG_ROWS * LONG_BATCHES, LONG, 1), torch.randint(10, (LONG_ROWS * LONG_BATCHES,))
    rnn, out = nn.LSTM(1, HIDDEN, batch_first=True), nn.Linear(HIDDEN, 10)
    optimizer = torch.optim.Adam([*rnn.parameters(), *out.parameters()])

    def torch_alone() -> None:
        for part, answers in zip(x.split(LONG_ROWS), labels.split(LONG_ROWS), strict=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(out(rnn(part)[0][:, -1]), answers).backward()
            optimizer.step()

    dataset = SequenceDataset({"steps": Ragged.of(list(x))}, labels)
    network = SequenceToOne(features=1, n_outputs=10, hidden_sizes=(HIDDEN,), bidirectional=False, pooling=("last",))
    options = TrainingOptions(
        epochs=1, optimizer="adam", schedule="constant", patience=None, n_threads=torch.get_num_threads()
    )

    def memorycell() -> None:
        train(network, SampleStream(dataset, LONG_ROWS), options, progress=False)

    print(f"  the last of {LONG} steps, batches of {LONG_ROWS}, LSTM of {HIDDEN}")
    show(in_turn({"torch": torch_alone, "memorycell": memorycell}, rounds), "torch", x.shape[0] * LONG, "steps")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=14_640)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    arguments = parser.parse_args()
    for n_threads in arguments.threads:
        print(f"{n_threads} thread{'s' if n_threads > 1 else ''}, median of {arguments.rounds} rounds", flush=True)
        with using_threads(n_threads):
            measure_tweets(arguments.epochs, arguments.rounds, arguments.rows)
            measure_last_step(arguments.rounds)


if __name__ == "__main__":
    main()
