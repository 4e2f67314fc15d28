"""The report's sections on a forecaster: what its gates did, what it is, how to repeat it."""

from __future__ import annotations

from memorycell.jobs.forecasting.ends import able_series
from memorycell.jobs.forecasting.page.material import Material
from memorycell.pages.page import Section, facts, figure, paragraph, table
from memorycell.pages.plots.traces import gates
from memorycell.pages.sections.learner import choices
from memorycell.pages.sections.model import python_lines, reproduced, training_data
from memorycell.pages.wording import counted

_PLAN_NAMES = {
    "window": "window (steps)",
    "segment": "segment (steps)",
    "normalize": "normalisation",
}


_ROWS = "Each row is one unit of the layer and each column one of its steps"


_READ = {
    "LSTM": (
        f"{_ROWS}: the forget gate says how much of its cell a unit keeps, the input gate how much new "
        "content it writes, the output gate how much of the cell it shows. Where a row's forget gate stays "
        "strong and its input gate faint, the unit carries something old along; where the two change places, "
        "it takes in what has just happened."
    ),
    "GRU": (
        f"{_ROWS}: the update gate says how much of its state a unit keeps, the reset gate how much of the "
        "past it lets into the new content. Where a row's update gate stays strong, the unit carries "
        "something old along; where it fades, the unit takes in what has just happened."
    ),
    "RNN": (
        f"{_ROWS}; a plain RNN has no gates, so every unit is written anew at every step. A row whose colour "
        "lasts over many columns holds on to something; one that flickers follows the last input."
    ),
}


def gate_activity(material: Material) -> Section:
    """What the gates did on the last window."""
    section = Section("gates", "What the gates did on the last window")
    forecaster, encoded = material.forecaster, material.encoded
    if material.forecasts is None:
        return section
    trace = forecaster.trace(material.samples)
    s = int(able_series(encoded, 1 if forecaster.state == "carried" else forecaster.window_).argmax())
    stop = int(encoded.offsets[s] + encoded.observed_rows[s])
    start = max(int(encoded.offsets[s]), stop - forecaster.window_)
    values = encoded.target[start:stop, 0].double().numpy() * encoded.scale[s, 0] + encoded.center[s, 0]
    of = f" of {encoded.ids[s]}" if len(encoded.ids) > 1 else ""
    section.add(
        paragraph(_READ.get(forecaster.cell, "")),
        figure(
            lambda width: gates(
                trace,
                dates=encoded.wall(encoded.dates[start:stop]),
                values=values,
                name=material.targets[0],
                width=width,
            ),
            "gates",
            f"The last {counted(stop - start, 'row')}{of}, as the last recurrent layer took them. Strong "
            "colour is the upper end of the range in its heading, faint the lower; longest memory on top.",
        ),
    )
    return section


def model(material: Material) -> Section:
    """The network, its size and the choices that were made."""
    section = Section("model", "The model")
    forecaster = material.forecaster
    network = forecaster.network_
    carried = forecaster.state == "carried"
    section.add(
        facts(
            {
                "network": f"{network.cell}, {counted(network.num_layers, 'layer')} of {network.hidden_size} units",
                "parameters": f"{forecaster.n_parameters_:,}",
                "horizon": counted(forecaster.horizon, "step") + ", forecast at once",
                "state": "carried through the series" if carried else "each window from zero",
                "point forecast": "mean (squared error)" if forecaster.loss == "squared" else "median",
                "quantiles": ", ".join(f"{level:g}" for level in forecaster.quantiles),
            }
        ),
        table(["choice", "value", "why"], choices(forecaster, _PLAN_NAMES), words=3),
    )
    return section


def reproduction(material: Material) -> Section:
    """Command, seed, versions and the data's fingerprint."""
    forecaster, source = material.forecaster, material.samples.source
    targets = material.targets[0] if len(material.targets) == 1 else material.targets
    given = training_data(forecaster, source)
    lines = python_lines(forecaster, "forecaster", given, f", target={targets!r}")
    return reproduced(forecaster, lines, material.command, source)
