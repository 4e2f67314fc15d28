"""What pip writes beside a package, so that Python finds it installed: quick, and without an index of packages."""

import tomllib
from pathlib import Path


def write_about(project: Path, site: Path) -> None:
    """Write into `site` what ``pip install -e`` would say of the project whose pyproject.toml is in `project`."""
    about = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    folder = site / f"{about['name'].replace('-', '_')}-{about['version']}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {about['name']}\nVersion: {about['version']}\n")
    (folder / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
            for group, points in about["entry-points"].items()
        )
    )
