"""What tests of the native library mean without one."""

import re

import pytest

from memorycell.kernels import native

WHY_MISSING = native.why_missing()  # asked once: tests have the library looked for again


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
