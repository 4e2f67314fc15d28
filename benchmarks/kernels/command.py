"""One run: parity, then the match, then table, JSON and picture."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from kernels import machine, match, picture, report
from kernels.contestants import CONTESTANTS, Contestant
from kernels.findings import Findings, Timing
from kernels.jobs import Job, registry
from kernels.processes import Player

QUICK = match.Pace(rounds=3, fewest=2, turn=0.02, job=3.0)
SMALL = 3e9  # floating-point operations of the largest job of a quick run


def chosen(only: Sequence[str] | None, kinds: Sequence[str] | None, quick: bool) -> list[Job]:
    """The jobs of the registry that were asked for."""
    return [
        job
        for job in registry()
        if (not only or any(text.lower() in str(job).lower() for text in only))
        and (not kinds or job.kind in kinds)
        and (not quick or job.operations(job.shape.batch * job.shape.steps) <= SMALL)
    ]


def run(arguments: argparse.Namespace) -> int:
    """Run what the command line asks for; returns the exit code."""
    jobs = chosen(arguments.only, arguments.kinds, arguments.quick)
    if not jobs:
        print("no job has such a name: choose from\n" + "\n".join(map(str, registry())), file=sys.stderr)
        return 2
    most = machine.described()["processors"]
    threads = [count for count in arguments.threads if 1 <= count <= most]
    if not threads:
        print(f"expected --threads from 1 to {most}, the processors here, got {arguments.threads}", file=sys.stderr)
        return 2
    pace = QUICK if arguments.quick else match.Pace()
    if arguments.rounds:
        pace = pace._replace(rounds=arguments.rounds, fewest=min(arguments.rounds, pace.fewest))
    findings = measure(jobs, threads, CONTESTANTS, pace)
    if findings is None:
        return 1
    findings.show(report.console())
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(findings.to_dict(), indent=1), encoding="utf-8")
    title = f"Times as fast as torch.nn, on {findings.machine['processor']}"
    drawn = picture.draw(findings.rows(), title, arguments.picture)
    print("\nwritten:", arguments.json, *drawn)
    return 0


def said(text: str) -> None:
    """How far the run is: one line on a terminal, none elsewhere."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def measure(
    jobs: Sequence[Job], threads: Sequence[int], contestants: Sequence[Contestant], pace: match.Pace
) -> Findings | None:
    """Everything a run finds; None, with the reasons printed, if memorycell computes something wrong."""
    findings = Findings(contestants)
    with ExitStack() as stack:
        teams = {
            count: [stack.enter_context(Player(contestant, count)) for contestant in contestants] for count in threads
        }
        for team in teams.values():
            checked, well = match.check(jobs, team, said)
            findings.parity += checked
            if not well:
                said("")
                refuse(checked)
                return None
        for count, team in teams.items():
            before = team[0].ask("ceiling", times=pace.rounds)
            for number, job in enumerate(jobs, 1):
                said(f"{number}/{len(jobs)}, {report.threads(count)}: {job}")
                findings.timings.append(Timing(job, count, *match.play(job, team, pace)))
            # Twice, for a neighbour may have been busy: the higher one is nearer to the ceiling.
            after = team[0].ask("ceiling", times=pace.rounds)
            findings.ceilings[count] = {name: max(value, after[name]) for name, value in before.items()}
            for player in team:
                _introduce(player, findings)
        said("")
    return findings


def _introduce(player: Player, findings: Findings) -> None:
    name, needs = player.contestant.name, player.contestant.needs
    if player.version:
        findings.versions[name] = player.version
    if player.absent is not None:
        findings.absent[name] = player.absent + (f"; pip install {needs}" if needs else "")


def refuse(checked: Sequence[dict[str, Any]]) -> None:
    """Say what is wrong instead of a speed."""
    print("memorycell's results are wrong, so there is no speed to print:", file=sys.stderr)
    for each in checked:
        for wrong in each.get("wrong", []):
            where = f"{each['job']}, {report.threads(each['threads'])}, {each['contestant']}"
            print(f"  {where}: {wrong}", file=sys.stderr)
    if not checked:
        print("  it does not start here", file=sys.stderr)
