"""What the tests of this folder share."""

import pytest

from memorycell.training import foreign_hdf5, foreign_keras


@pytest.fixture(autouse=True)
def in_this_process(request, monkeypatch):
    """HDF5 is read without a process of its own, which takes 0.3 s each time: `test_foreign_hdf5` has one."""
    if "foreign_keras" in request.node.path.name:
        monkeypatch.setattr(foreign_keras, "read_hdf5", foreign_hdf5._read)
