"""HDF5 in a process of its own: what never ends there is refused, and the process that asked lives."""

import gzip
from pathlib import Path

import pytest

from memorycell import LSTM, import_weights
from memorycell.training import foreign_hdf5
from memorycell.training.files import ModelFileError
from memorycell.training.foreign_hdf5 import Refused, read_hdf5

FIXTURES = Path(__file__).parent / "fixtures"


def test_it_gives_what_the_same_process_would():
    path = FIXTURES / "stacked.h5"
    ours, theirs = read_hdf5(str(path), 10**6), foreign_hdf5._read(str(path), 10**6)
    assert (ours.names, ours.layer_names, ours.config) == (theirs.names, theirs.layer_names, theirs.config)
    assert ours.datasets.keys() == theirs.datasets.keys()
    for place, (kind, shape, numbers) in ours.datasets.items():
        assert theirs.datasets[place][:2] == (kind, shape) and bytes(theirs.datasets[place][2]) == bytes(numbers)
    assert read_hdf5(path.read_bytes(), 10**6).datasets.keys() == ours.datasets.keys()


def test_a_file_that_its_library_never_ends_with_is_refused(tmp_path, monkeypatch):
    # Found by damaging files at random.
    path, script = tmp_path / "endless.h5", tmp_path / "quick.py"
    path.write_bytes(gzip.decompress((FIXTURES / "endless.h5.gz").read_bytes()))
    text = Path(foreign_hdf5.__file__).read_text(encoding="utf-8")
    script.write_text(text.replace("_BYTES_A_SECOND = 10,", "_BYTES_A_SECOND = 2,"), encoding="utf-8")
    monkeypatch.setattr(foreign_hdf5, "__file__", str(script))
    with pytest.raises(ModelFileError, match=r"endless\.h5 is damaged: HDF5 does not come to an end with it"):
        import_weights(path, into=LSTM(3, 2))


def test_what_it_cannot_read_is_refused():
    with pytest.raises(Refused, match="HDF5 cannot read it"):
        read_hdf5(b"\x89HDF\r\n\x1a\n" + bytes(99), 10**6)


def test_within_a_program_without_an_interpreter_it_reads_itself(monkeypatch):
    monkeypatch.setattr(foreign_hdf5.sys, "executable", "")
    assert read_hdf5(str(FIXTURES / "stacked.h5"), 10**6).datasets
