"""The package of this folder as if it were installed: its modules can be imported, its entry point is found."""

from pathlib import Path

import pytest

from installed import write_about

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders for the path of Python: the package, and what pip writes beside it."""
    site = tmp_path_factory.mktemp("site")
    write_about(HERE, site)
    return [HERE, site]


@pytest.fixture(scope="session")
def plugged(installed: list[Path]):
    """The registry with the job of this folder."""
    from memorycell.jobs.registry import registry

    with pytest.MonkeyPatch.context() as patch:
        for folder in installed:
            patch.syspath_prepend(str(folder))
        registry.cache_clear()
        found = registry()
        assert found.failures == []
        yield found
    registry.cache_clear()
