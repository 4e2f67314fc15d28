"""From times to a table: ratios of memorycell to its peers, shares of the machine's ceiling, and what we lose."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from kernels import values
from kernels.contestants import Contestant
from kernels.jobs import YARDSTICKS, Job


@dataclass(frozen=True)
class Row:
    """One job of one of our contestants, beside its peers. Ratios above 1: memorycell is that many times faster."""

    job: Job
    threads: int
    ours: str
    median: float  # seconds, or bytes of a job of memory
    gflops: float | None  # a second
    shares: Mapping[str, float] = field(default_factory=dict)  # of each ceiling
    ratios: Mapping[str, float] = field(default_factory=dict)  # by peer
    torch: str | None = None  # the peer that torch's column shows

    @property
    def best(self) -> str | None:
        """The peer that comes closest, or is faster."""
        return min(self.ratios, key=self.ratios.__getitem__, default=None)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"job": self.job.to_dict(), "best": self.best}


def ratio(others: Sequence[float], ours: Sequence[float]) -> float:
    """The median of the ratios of each round: the machine's mood is then the same for both."""
    return statistics.median(a / b for a, b in zip(others, ours, strict=False))


def rows(
    job: Job,
    threads: int,
    measured: Mapping[str, Sequence[float]],
    ceiling: Mapping[str, float],
    contestants: Iterable[Contestant],
) -> list[Row]:
    """A row for each of our ways in `measured` (seconds or bytes by label) that does what the peers do."""
    by_label = {
        label: (contestant, label.removeprefix(contestant.name).removeprefix(", "))
        for label in measured
        for contestant in contestants
        if label == contestant.name or label.startswith(f"{contestant.name}, ")
    }
    found = []
    for label, ours in measured.items():
        contestant, way = by_label[label]
        if contestant.role != "ours" or way in YARDSTICKS:
            continue
        peers = [
            other for other, (peer, _) in by_label.items() if peer.role != "ours" and peer.level == contestant.level
        ]
        median = statistics.median(ours)
        gflops = None if job.kind == "memory" else values.operations(job) / median / 1e9
        found.append(
            Row(
                job,
                threads,
                label,
                median,
                gflops,
                {} if gflops is None else {name: gflops / most for name, most in ceiling.items()},
                {other: ratio(measured[other], ours) for other in peers},
                next((other for other in peers if by_label[other][0].role == "torch"), None),
            )
        )
    return found


def own(job: Job, count: int, measured: Mapping[str, Sequence[float]]) -> list[str]:
    """Our way beside our own yardstick, in words, as in "0.61 of the padded time"."""
    said = []
    for label, seconds in measured.items():
        name, _, way = label.rpartition(", ")
        ours = [other for other in measured if other.startswith(f"{name}, ") and other != label]
        if way in YARDSTICKS and ours:
            share = ratio(measured[ours[0]], seconds)
            said.append(f"{job}, {threads(count)}: {ours[0]}: {share:.2f} {YARDSTICKS[way]}")
    return said


def lost(found: Iterable[Row]) -> list[str]:
    """Where peers are faster or need less memory, in words."""
    said = []
    for row in found:
        ahead = [f"{peer} {each:.3f}" for peer, each in row.ratios.items() if each < 1]
        if ahead:
            said.append(f"{row.job}, {threads(row.threads)}, {row.ours}: {'; '.join(ahead)}")
    return said


def threads(count: int) -> str:
    """As in "1 thread"."""
    return f"{count} thread{'s' if count > 1 else ''}"


def table(found: Sequence[Row], ceilings: Sequence[str]) -> Table:
    """The rows as a table; `ceilings`: the names of those measured."""
    drawn = Table(box=None, header_style="bold", pad_edge=False)
    drawn.add_column("job (B,T,I,H,L)", no_wrap=True)
    drawn.add_column("threads", justify="right")
    drawn.add_column("contestant", no_wrap=True)
    for name in ("ms", "GFLOP/s", *(f"% {name}" for name in ceilings), "torch ms", "torch/ours", "best peer/ours"):
        drawn.add_column(name, justify="right", no_wrap=True)
    drawn.add_column("which", no_wrap=True)
    for row in found:
        in_unit = _megabytes if row.job.unit == "bytes" else _milliseconds
        theirs = None if row.torch is None else row.ratios[row.torch]
        drawn.add_row(
            str(row.job),
            str(row.threads),
            row.ours,
            in_unit(row.median),
            "" if row.gflops is None else f"{row.gflops:.1f}",
            *(f"{100 * row.shares[name]:.0f}" if name in row.shares else "" for name in ceilings),
            "" if theirs is None else in_unit(row.median * theirs),
            _ratio(theirs),
            _ratio(None if row.best is None else row.ratios[row.best]),
            row.best or "",
        )
    return drawn


def _milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.4g}" if seconds < 1 else f"{1e3 * seconds:.0f}"


def _megabytes(count: float) -> str:
    return f"{count / 1e6:.1f} MB"


def _ratio(value: float | None) -> str:
    if value is None:
        return ""
    text = f"{value:.2f}" if value < 10 else f"{value:.0f}"
    return f"[red]{text}[/red]" if value < 1 else text


def console() -> Console:
    """As wide as the terminal; where nothing tells the width, as the table needs."""
    wide = Console()
    return wide if wide.is_terminal else Console(width=200)
