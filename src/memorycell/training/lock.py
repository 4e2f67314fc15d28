"""One training a checkpoint: a lock that goes with its process, however that ends."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

_Fit = TypeVar("_Fit", bound=Callable[..., Any])

# What this process holds: of each file the process, the thread and how often. A child that was forked has inherited
# the list, but not the locks.
_held: dict[Path, tuple[int, int, int]] = {}
_guard = threading.Lock()


class LockedError(OSError):
    """Another training writes this checkpoint."""


@contextlib.contextmanager
def holding(path: str | os.PathLike[str]) -> Iterator[None]:
    """Hold the checkpoint at `path` against other processes and threads; within one thread it may be held again.

    The system takes the lock from a process that ends, also from one that was killed. Where a file system has no locks,
    the one for temporary files is asked, which knows of processes on this machine alone.

    Raises
    ------
    LockedError
        If another process or thread holds it; nothing is waited for.

    Example
    -------
    >>> with tempfile.TemporaryDirectory() as folder, holding(Path(folder, "run.ckpt")):
    ...     print([file.name for file in Path(folder).iterdir()])
    ['.run.ckpt.lock']
    """
    target = Path(path).resolve()
    mine = (os.getpid(), threading.get_ident())
    with _guard:
        process, thread, times = _held.get(target, (0, 0, 0))
        if process == mine[0] and thread != mine[1]:
            raise _refusal(path, "another thread of this process")
        again = (process, thread) == mine
        _held[target] = (*mine, times + 1 if again else 1)
    lock = None
    try:
        lock = None if again else _locked(target, path)
        yield
    finally:
        with _guard:
            times = _held[target][2] - 1
            if times:
                _held[target] = (*mine, times)
            else:
                del _held[target]
            if lock is not None:
                lock.close()


def keeps_checkpoint(fit: _Fit) -> _Fit:
    """A `fit` that holds the checkpoint it is given from its first training to its last."""

    @functools.wraps(fit)
    def holds(*args: Any, checkpoint: Any = None, **kwargs: Any) -> Any:
        if checkpoint is None:
            return fit(*args, **kwargs)
        with holding(checkpoint):
            return fit(*args, checkpoint=checkpoint, **kwargs)

    return holds  # type: ignore[return-value]


class _Lock:
    """An open file that is locked, and removed in the end."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file, self._path = file, path

    def close(self) -> None:
        # Removed while it is held, so that nobody else's is.
        with contextlib.suppress(OSError):
            self._path.unlink()
        self._file.close()


def _locked(target: Path, said: Any) -> _Lock | None:
    """The lock of `target`; None where nothing can be locked."""
    name = hashlib.sha256(os.fsencode(target)).hexdigest()[:32]
    for path in (target.with_name(f".{target.name}.lock"), Path(tempfile.gettempdir(), f"memorycell-{name}.lock")):
        try:
            return _try(path, said)
        except LockedError:
            raise
        except OSError:  # no locks there, or nothing can be written: writing the checkpoint says so
            continue
    return None


def _try(path: Path, said: Any) -> _Lock:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            if not _lock(file):
                raise _refusal(said, f"process {file.read(20).decode(errors='replace').strip() or 'unknown'}")
            # Whoever held it until now may have removed the file that we opened: then it is nobody's lock.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                    file.truncate(0)
                    file.write(str(os.getpid()).encode())
                    return _Lock(file, path)
        except BaseException:
            file.close()
            raise
        file.close()


def _lock(file: IO[bytes]) -> bool:
    """Whether the open file could be locked for this process."""
    if os.name == "nt":
        import msvcrt

        try:
            file.seek(1 << 30)  # far behind what is read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        except PermissionError:
            return False
        finally:
            file.seek(0)
        return True
    import fcntl

    try:
        # POSIX's: processes that are forked do not inherit it, and NFS has it.
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _refusal(path: Any, who: str) -> LockedError:
    return LockedError(
        f"another training ({who}) writes the checkpoint {os.fspath(path)}: wait for its end, or name another file"
    )
