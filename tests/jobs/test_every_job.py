"""Every job passes the suite by being registered."""

from functools import cache
from pathlib import Path

import pytest

from memorycell.checks import CHECKS, Case
from memorycell.jobs.registry import own

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
