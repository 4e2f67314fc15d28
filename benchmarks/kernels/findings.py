"""All that a run has found, and how it is shown and kept."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

from kernels import machine, report
from kernels.contestants import Contestant
from kernels.jobs import Job
from kernels.report import Row


@dataclass
class Timing:
    """One job with a number of threads: seconds a call, or bytes, of each contestant in each round."""

    job: Job
    threads: int
    measured: dict[str, list[float]]
    cannot: dict[str, str]  # who could not do it, and why

    def to_dict(self) -> dict[str, Any]:
        medians = {label: statistics.median(each) for label, each in self.measured.items()}
        named = {"title": str(self.job), "job": self.job.to_dict(), "unit": self.job.unit, "threads": self.threads}
        return {**named, "median": medians, "rounds": self.measured, "cannot": self.cannot}


@dataclass
class Findings:
    """A whole run."""

    contestants: Sequence[Contestant]
    machine: dict[str, Any] = field(default_factory=machine.described)
    versions: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    parity: list[dict[str, Any]] = field(default_factory=list)
    ceilings: dict[int, dict[str, float]] = field(default_factory=dict)  # GFLOP/s, by number of threads
    timings: list[Timing] = field(default_factory=list)

    def rows(self) -> list[Row]:
        """A row for each of our ways in each job."""
        return [
            row
            for timing in self.timings
            for row in report.rows(
                timing.job, timing.threads, timing.measured, self.ceilings[timing.threads], self.contestants
            )
        ]

    def own(self) -> list[str]:
        """Our ways beside our own yardsticks."""
        return [said for each in self.timings for said in report.own(each.job, each.threads, each.measured)]

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        rows = self.rows()
        return {
            "machine": self.machine,
            "versions": self.versions,
            "absent": self.absent,
            "ceilings": {str(count): each for count, each in self.ceilings.items()},
            "parity": self.parity,
            "timings": [timing.to_dict() for timing in self.timings],
            "rows": [row.to_dict() for row in rows],
            "own": self.own(),
            "lost": report.lost(rows),
        }

    def show(self, console: Console) -> None:
        """Print the table, and below it what it does not say."""
        rows = self.rows()
        names = sorted({name for each in self.ceilings.values() for name in each}, reverse=True)
        console.print(report.table(rows, names))
        lists = {"of our own": self.own(), "shapes we lose": report.lost(rows), "could not run": self._cannot()}
        for title, lines in lists.items():
            if lines or title == "shapes we lose":
                console.print(f"\n[bold]{title}[/bold]" + ("" if lines else ": none"))
            for line in lines:
                console.print(f"  {line}", markup=False, highlight=False)
        console.print()
        for line in self._footnotes(names):
            console.print(line, markup=False, highlight=False)

    def _footnotes(self, ceilings: Sequence[str]) -> Iterator[str]:
        """Machine, ceilings, versions, parity, and who was not there."""
        yield f"processor: {self.machine['processor']}"
        for count, found in self.ceilings.items():
            reached = ", ".join(f"{name} {found[name]:.0f} GFLOP/s" for name in ceilings if name in found)
            yield f"ceiling, {report.threads(count)}: {reached}"
        by_module = {each.module: each.name for each in reversed(self.contestants) if each.name in self.versions}
        yield "versions: " + ", ".join(f"{name} {self.versions[name]}" for name in reversed(by_module.values()))
        worst = max(each.get("error", 0.0) for each in self.parity)
        yield f"parity with torch.nn: largest relative error {worst:.1e} in {len(self.parity)} comparisons"
        for name, why in self.absent.items():
            yield f"absent: {name} ({why})"

    def _cannot(self) -> list[str]:
        """Who could not do which jobs; alike reasons once."""
        jobs: dict[str, list[str]] = {}
        for timing in self.timings:
            for label, why in timing.cannot.items():
                jobs.setdefault(f"{label}: {why}", []).append(str(timing.job))
        return [
            f"{why} ({', '.join(titles) if len(titles) < 3 else f'{titles[0]} and {len(titles) - 1} more'})"
            for why, titles in ((why, list(dict.fromkeys(every))) for why, every in jobs.items())
        ]
