"""One training a checkpoint: a second one is refused, and nothing that is killed keeps the first from going on."""

import contextlib
import errno
import subprocess
import sys
import tempfile
import threading

import pytest
from toys import Line, Points, seeded

from memorycell.data.streams import SampleStream
from memorycell.training import TrainingOptions, lock, train
from memorycell.training.lock import LockedError, holding, keeps_checkpoint

# The module alone: it needs nothing else, and a process that imports no torch begins at once.
HOLDER = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("lock", {lock.__file__!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
with module.holding(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def another(path, holder=HOLDER):
    """A process that holds the checkpoint."""
    command = [sys.executable, "-c", holder, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.stdin.close()


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def training(path, **more):
    return train(
        seeded(Line), SampleStream(Points(), 16), TrainingOptions(epochs=2, n_threads=1), checkpoint=path, **more
    )


def test_a_second_process_is_refused_and_the_first_loses_nothing(tmp_path):
    path = tmp_path / "run.ckpt"
    training(path)
    before = path.read_bytes()
    with another(path) as process:
        with pytest.raises(LockedError, match=rf"another training \(process {process.pid}\) writes .*run\.ckpt: wait"):
            training(path)
        assert path.read_bytes() == before
    assert training(path).stopped == "finished"
    assert names(tmp_path) == ["run.ckpt"]


def test_a_process_that_was_killed_holds_nothing(tmp_path):
    path = tmp_path / "run.ckpt"
    with another(path) as process:
        process.kill()
        process.wait()
        assert names(tmp_path) == [".run.ckpt.lock"]
        training(path)
    assert names(tmp_path) == ["run.ckpt"]


def test_a_link_to_the_checkpoint_is_the_checkpoint(tmp_path):
    path, link = tmp_path / "run.ckpt", tmp_path / "link"
    training(path)
    link.symlink_to(path)
    with another(link), pytest.raises(LockedError):
        training(path)


def test_a_second_thread_is_refused_and_the_same_one_is_not(tmp_path):
    path, refused = tmp_path / "run.ckpt", []

    def second():
        try:
            with holding(path):
                pass
        except LockedError as error:
            refused.append(str(error))

    with holding(path):
        with holding(path):
            pass
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
        assert len(refused) == 1 and "another thread" in refused[0]
        assert (tmp_path / ".run.ckpt.lock").exists()
    second()
    assert len(refused) == 1 and not names(tmp_path)


def test_a_fit_holds_it_from_its_first_training_to_its_last(tmp_path):
    path = tmp_path / "run.ckpt"

    @keeps_checkpoint
    def fit(X, checkpoint=None):
        """Fits."""
        training(checkpoint)
        with pytest.raises(AssertionError), another(path):
            pass
        return training(f"{checkpoint}.refit").stopped

    assert fit(1, checkpoint=path) == "finished" and fit.__doc__ == "Fits."
    assert keeps_checkpoint(lambda X, checkpoint=None: X)(3) == 3
    assert names(tmp_path) == ["run.ckpt", "run.ckpt.refit"]


def test_where_a_file_system_has_no_locks_that_of_temporary_files_is_asked(tmp_path, monkeypatch):
    temporary, folder = tmp_path / "temporary", tmp_path / "run"
    temporary.mkdir()
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    real = lock._try

    def none_here(path, said):
        if path.parent == folder:
            raise OSError(errno.ENOLCK, "No locks available")
        return real(path, said)

    monkeypatch.setattr(lock, "_try", none_here)
    with holding(folder / "run.ckpt"):
        (held,) = names(temporary)
    assert held.startswith("memorycell-") and not names(temporary)
    holder = HOLDER.replace(
        "with module", f"module._locked.__globals__['tempfile'].tempdir = {str(temporary)!r}\nwith module"
    )
    with another(folder / "run.ckpt", holder.replace("with module", NONE_HERE + "with module")) as process:
        with pytest.raises(LockedError, match=f"process {process.pid}"), holding(folder / "run.ckpt"):
            pass


NONE_HERE = """
real = module._try
def none_here(path, said):
    if not path.name.startswith("memorycell-"):
        raise OSError(37, "No locks available")
    return real(path, said)
module._try = none_here
"""
