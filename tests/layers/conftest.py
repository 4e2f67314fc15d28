"""Tiny layers: one thread is faster than two. And what tests of the native library mean without one."""

import re

import pytest
import torch

from memorycell.kernels import native

WHY_MISSING = native.why_missing()  # asked once: tests have the library looked for again


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def pytest_configure(config):
    config.addinivalue_line("markers", "library: of the fused kernels; where there are none, saying so is right")


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    """Without the native library a test of it asserts that what it calls is refused, with the reason and the remedy."""
    if WHY_MISSING is None or pyfuncitem.get_closest_marker("library") is None:
        return (yield)
    with pytest.raises(Exception, match=re.escape(WHY_MISSING)):
        yield
    return True
