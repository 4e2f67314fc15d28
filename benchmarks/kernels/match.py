"""Let the contestants play: first the check of parity, then every job in turn, A B C A B C, in rounds."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from kernels import parity
from kernels.jobs import YARDSTICKS, Job, ways
from kernels.processes import Player


class Pace(NamedTuple):
    """How long it may take."""

    rounds: int = 7  # at most; large jobs make do with fewer
    fewest: int = 3
    turn: float = 0.05  # seconds of one contestant in one round, if a call is shorter
    job: float = 10.0  # seconds of one job's rounds, as long as there are `fewest`

    def rounds_of(self, seconds: float) -> int:
        """Rounds of a job whose round takes `seconds`."""
        return max(min(self.fewest, self.rounds), min(self.rounds, int(self.job / max(seconds, 1e-9))))


CHUNK = 2e-4  # seconds that the clock tells well


class Entry(NamedTuple):
    """A player and the way in which it does a job."""

    player: Player
    way: str

    @property
    def label(self) -> str:
        name = self.player.contestant.name
        return f"{name}, {self.way}" if self.way else name


Result = dict[str, Any]


def entries(job: Job, players: Iterable[Player]) -> list[Entry]:
    """Who plays, in which ways."""
    return [Entry(player, way) for player in players for way in ways(job, player.contestant.role)]


def check(jobs: Sequence[Job], players: Sequence[Player], said: Callable[[str], None]) -> tuple[list[Result], bool]:
    """Compare memorycell's results with torch.nn's, for each job and way; and whether all is well."""
    found: list[Result] = []
    ours = [player for player in players if player.contestant.role == "ours"]
    for number, job in enumerate(jobs, 1):
        said(f"parity {number}/{len(jobs)}, {ours[0].threads} threads: {job}")
        for entry in entries(job, ours):
            answer = entry.player.ask("check", job, way=entry.way)
            if entry.player.absent is not None:
                continue
            if answer.get("failed"):
                answer["wrong"] = [answer["cannot"]]
            found.append({"job": str(job), "threads": entry.player.threads, "contestant": entry.label, **answer})
    return found, bool(found) and not any(answer.get("wrong") for answer in found)


def play(job: Job, players: Sequence[Player], pace: Pace) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Time one job: seconds a call, or bytes, of each contestant in each round; and who cannot do it, and why."""
    if job.kind == "memory":
        return _memory(job, players, pace)
    first: dict[Entry, Result] = {}
    cannot: dict[str, str] = {}
    for entry in entries(job, players):
        answer = entry.player.ask("prepare", job, way=entry.way)
        if "cannot" in answer:
            if entry.player.absent is None:
                cannot[entry.label] = answer["cannot"]
        else:
            first[entry] = answer
    for entry in _strangers(first):
        cannot[entry.label] = "its results are not those of the others"
        del first[entry]
    plans = {entry: _plan(answer["seconds"], pace) for entry, answer in first.items()}
    total = sum(answer["seconds"] * (1 + plans[e][0] * plans[e][1]) for e, answer in first.items())
    seconds: dict[str, list[float]] = {entry.label: [] for entry in plans}
    for _ in range(pace.rounds_of(total)):
        for entry, (times, calls) in plans.items():
            if entry.label in cannot:
                continue
            if calls > 1 or times > 1:
                entry.player.ask("run", job, way=entry.way, times=1, calls=calls)  # its data has left the caches
            answer = entry.player.ask("run", job, way=entry.way, times=times, calls=calls)
            if "cannot" in answer:
                cannot[entry.label] = answer["cannot"]
            else:
                seconds[entry.label].append(statistics.median(answer["seconds"]))
    for player in {entry.player for entry in first}:
        player.ask("forget")
    return {label: each for label, each in seconds.items() if label not in cannot}, cannot


def _plan(seconds: float, pace: Pace) -> tuple[int, int]:
    """How often to ask for a time in one turn, and of how many calls each is the mean."""
    calls = max(1, round(CHUNK / max(seconds, 1e-9)))
    return max(1, round(pace.turn / max(seconds * calls, 1e-9))), calls


def _strangers(first: dict[Entry, Result]) -> list[Entry]:
    """Contestants whose results are not those of the first: memorycell's, which parity has compared with torch's."""
    alike = [entry for entry in first if entry.way not in YARDSTICKS and entry.way not in parity.ROUNDED]
    return [entry for entry in alike[1:] if not parity.same(first[entry]["prints"], first[alike[0]]["prints"])]


def _memory(job: Job, players: Sequence[Player], pace: Pace) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Bytes by which a training step raises the memory of a fresh process."""
    memory: dict[str, list[float]] = {}
    cannot: dict[str, str] = {}
    for _ in range(min(pace.rounds, pace.fewest)):
        for entry in entries(job, players):
            with Player(entry.player.contestant, entry.player.threads) as fresh:
                answer = fresh.ask("memory", job, way=entry.way)
            if "cannot" in answer:
                cannot[entry.label] = answer["cannot"]
            else:
                memory.setdefault(entry.label, []).append(answer["bytes"])
    return memory, cannot
