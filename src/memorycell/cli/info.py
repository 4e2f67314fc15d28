"""memorycell info: this machine, or a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from memorycell.cli.output import print_json

_NEEDED = (
    "torch", "numpy", "safetensors", "scikit-learn", "pandas", "pyarrow", "narwhals", "matplotlib", "statsmodels",
    "typer", "rich",
)  # fmt: skip


def info(
    model: Annotated[
        Path | None, typer.Argument(metavar="[MODEL]", help="Model file; without one, this machine.")
    ] = None,
    card: Annotated[bool, typer.Option("--card", help="Print the model card, in Markdown.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what a model is, or what this machine has and lacks."""
    if model is None:
        if card:
            raise ValueError("--card needs a model: memorycell info MODEL --card")
        found = machine()
        if as_json:
            print_json(found)
        else:
            print(_machine_text(found))
        return
    from memorycell.cli.describe import model_card, model_text
    from memorycell.jobs.registry import load

    fitted = load(model)
    if as_json:
        print_json({"model": str(model), "bytes": model.stat().st_size, **fitted.facts()})
    else:
        print(model_card(fitted, model) if card else model_text(fitted, model))


def machine() -> dict[str, Any]:
    """Versions, devices, native library and threads; under "missing" what is lacking, each with its remedy."""
    import platform
    from importlib import metadata

    import torch

    from memorycell import __version__
    from memorycell.jobs.devices import device_of
    from memorycell.jobs.registry import registry
    from memorycell.kernels import native

    versions, missing = {}, []
    for name in _NEEDED:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(f"{name} is not installed: pip install {name}")
    library = native.library()
    if library is None:
        missing.append(native.why_missing() or "")
    gpus = (
        [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    return {
        "memorycell": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": versions,
        "device": device_of("auto").type,
        "gpus": gpus,
        "cpu": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "kernels": native.level_name(),
        "native_library": None if library is None else str(library._name),
        "jobs": [job.verb for job in registry().jobs],
        "missing": [*missing, *registry().failures],
    }


def _machine_text(found: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    device = ", ".join(found["gpus"]) or "no GPU that torch can use"
    rows = [
        ("memorycell", found["memorycell"]),
        ("Python", f"{found['python']}, {found['system']}"),
        ("packages", versions),
        ("device", f"{found['device']} ({device})"),
        ("processor", f"{found['cpu']}, {found['threads']} threads at most"),
        ("native library", found["native_library"] or "missing"),
        ("fused kernels", found["kernels"] or "none: layers run on torch's operators"),
        ("jobs", ", ".join(found["jobs"])),
    ]
    lines = [f"{name:<15} {value}" for name, value in rows]
    lines += [f"{'missing':<15} {text}" for text in found["missing"]]
    return "\n".join(lines)
