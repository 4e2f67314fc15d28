"""Every job passes the suite by being registered."""

import math
from functools import cache
from pathlib import Path

import pytest

from memorycell.checks import CHECKS, Case
from memorycell.jobs.registry import own

pytestmark = pytest.mark.usefixtures("wide")  # tests/pages draw each job's pages for a phone, too
JOBS = {job.verb: job for job in own().jobs}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory):
    """The case of each job, fitted once."""

    @cache
    def case(verb: str) -> Case:
        return Case(JOBS[verb], Path(tmp_path_factory.mktemp(verb)))

    return case


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("verb", JOBS)
def test_job(verb: str, check, cases) -> None:
    check(cases(verb))


@pytest.mark.long
@pytest.mark.parametrize("verb", JOBS)
def test_twenty_seeds_train_and_answer_with_numbers(verb: str, cases) -> None:
    case = cases(verb)
    for seed in range(20):
        task = case.new(random_state=seed)
        task.fit(task.read(case.tiny.file), **case.tiny.fit)
        assert all(math.isfinite(row["loss"]) for row in task.history_), seed
        values = [v for row in task.answers(task.read(case.tiny.file)).records() for v in row.values()]
        assert values and all(math.isfinite(v) for v in values if isinstance(v, float)), seed
