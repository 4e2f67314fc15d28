"""The package of this folder as if it were installed: its modules can be imported, its entry point is found."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Folders for the path of Python: the package, and what pip writes beside it."""
    import tomllib

    project = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    site = tmp_path_factory.mktemp("site")
    about = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    (about / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
            for group, points in project["entry-points"].items()
        )
    )
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
        yield found
    registry.cache_clear()
