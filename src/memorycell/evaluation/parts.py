"""Work that is done for each fold: one after the other, or in processes of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from memorycell.data.bars import Bar

_Found = TypeVar("_Found")


def each_fold(run: Callable[[int], _Found], count: int, jobs: int, show: bool | None, what: str = "folds"
              ) -> list[_Found]:  # fmt: skip
    """``run(0)``, ``run(1)``, … with a bar that counts them.

    Parameters
    ----------
    jobs : how many run at once; with more than one `run` must be picklable
    show : see `Bar`, and `wanted`

    Example
    -------
    >>> each_fold(lambda number: number**2, 3, jobs=1, show=False)
    [0, 1, 4]
    """
    found = []
    with Bar(what, count, show=show) as bar:
        bar.update(0, f"1 of {count}")
        for result in _results(run, count, jobs):
            found.append(result)
            bar.update(len(found), f"{min(len(found) + 1, count)} of {count}")
    return found


def _results(run: Callable[[int], _Found], count: int, jobs: int) -> Any:
    if jobs == 1:
        return map(run, range(count))
    from sklearn.utils.parallel import Parallel, delayed

    return Parallel(n_jobs=jobs, return_as="generator")(delayed(run)(number) for number in range(count))


def wanted(task: Any, progress: Any) -> bool | None:
    """Whether a bar is wanted: none where somebody listens to `progress`, or the task is to be silent."""
    if progress is not None:
        return False
    said = getattr(task, "verbose", None)
    return said if isinstance(said, bool) else None
