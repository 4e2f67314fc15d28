"""What all tests share."""

import gc
import os
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest

# Tests run small networks beside other test processes: one thread each, and two where a test asks for them.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Several test processes share the cores: a thread that waits for another must not keep a core busy meanwhile.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# The threads of numpy's and scipy's OpenBLAS always do: on two busy cores a system of 200 equations takes 60 ms
# with two of them and 0.5 ms with one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A job that a script puts in the background ignores Ctrl-C, and so do its children. Tests of Ctrl-C send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

WHY_MISSING: list[str] = []  # why there is no native library, if there is none


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest begins first, so that no worker is left alone with it."""
    items.sort(key=lambda item: item.get_closest_marker("early") is None)


def pytest_collection_finish() -> None:
    from memorycell.kernels import native

    if (reason := native.why_missing()) is not None:  # asked before tests have the library looked for again
        WHY_MISSING.append(reason)
    # What is loaded by now stays; looking for garbage in it again and again took a third of the time of pages.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function):
    """Without the native library a test of it asserts that what it calls is refused, with the reason and the remedy."""
    if not WHY_MISSING or pyfuncitem.get_closest_marker("library") is None:
        return (yield)
    with pytest.raises(Exception, match=re.escape(WHY_MISSING[0])):
        yield
    return True


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures of pages are drawn for a page only, and not for a phone, too."""
    monkeypatch.setattr("memorycell.pages.page.WIDTHS", {"wide": 720})


@pytest.fixture
def undrawn(wide: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures of pages are made, but not turned into SVG: for tests of all else that pages say and read."""
    monkeypatch.setattr("memorycell.pages.page.inline_svg", lambda figure, key, caption: "<svg></svg>")


@pytest.fixture
def same_bits() -> Callable[[Any, Any], None]:
    """Asserts that two arrays are equal to the bit, which the fused kernels promise; torch's round by their shapes."""
    import numpy as np

    def check(found: Any, expected: Any) -> None:
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 if WHY_MISSING else 0)

    return check
