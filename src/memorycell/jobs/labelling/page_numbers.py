"""The page on a regressor: how near its numbers come, where they are furthest off, and what moved them."""

from __future__ import annotations

from typing import Any

import numpy as np

from memorycell.evaluation.class_metrics import measure_numbers
from memorycell.evaluation.measures import MEASURES
from memorycell.evaluation.result import CrossValidation
from memorycell.jobs.labelling.judged import READS, Judged, caveat, data_section, judge, noun_of
from memorycell.jobs.labelling.mistakes import largest_errors
from memorycell.jobs.labelling.reading import SequenceSamples
from memorycell.pages.page import Page, Section, figure, paragraph, table
from memorycell.pages.plots.classes import predicted_and_true
from memorycell.pages.sections.learner import cards, learning, network_section, reproduction, validation_loss
from memorycell.pages.sections.memory import AT_MOST, remembering
from memorycell.pages.sections.scores import FOOTER, MEASURE, accuracy, headline, is_new, measured
from memorycell.pages.wording import counted, significant

_FEWEST = 3  # numbers that make a picture
_MOST_OUTPUTS = 4


def page(
    model: Any,
    samples: SequenceSamples,
    *,
    evaluation: CrossValidation | None = None,
    seen: bool | None = None,
    unit: str | None = None,
    command: str | None = None,
) -> Page:
    """See `memorycell.write_report`."""
    judged = judge(model, samples, evaluation, seen)
    new = is_new(evaluation, seen)
    honest = judged.measures if judged is not None and judged.honest and evaluation is None else None
    after = f" {unit}" if unit else ""
    what = model.target if isinstance(model.target, str) else "Numbers"
    setting = "" if honest is None or judged is None else caveat(judged, samples, seen)
    sections = [
        accuracy(evaluation, MEASURE, honest, setting, new), _numbers(samples, judged, seen),
        largest_errors(model, samples, judged, after), data_section(model, samples),
        learning(model, ": squared error of standardised numbers", evaluation),
        remembering(model, samples.take(range(min(len(samples), AT_MOST))), "This regressor"),
        network_section(model),
        reproduction(model, "regressor", command, samples.source, seen),
    ]  # fmt: skip
    found = headline(evaluation, honest, noun_of(samples), new)
    several = evaluation is not None and found and len(evaluation.models) > 1
    lead = f"{found} {evaluation.outcome}" if several and evaluation is not None else found
    if not lead:
        lead = f"How near its numbers come for new {READS[samples.given.kind]} was not measured here."
    shown = _cards(model, None if new is False else evaluation, honest, after)
    return Page(f"{what} from {READS[model.input_['kind']]}", lead, shown, sections, FOOTER)


def _cards(model: Any, evaluation: CrossValidation | None, honest: Any, after: str) -> dict[str, str]:
    values = evaluation.models[0].measures.values if evaluation is not None else honest.values if honest else {}
    shown = measured(values, ("rmse", "r2"), after)
    loss = validation_loss(model)
    if not shown and loss is not None:
        shown = {"validation loss": significant(loss)}
    return cards(model, shown)


def _numbers(samples: SequenceSamples, judged: Judged | None, seen: bool | None) -> Section:
    """Predicted against true, of each output."""
    section = Section("numbers", "Predicted and true")
    if judged is None:
        return section
    section.add(paragraph(caveat(judged, samples, seen)))
    true, predicted = np.asarray(judged.true, float), np.asarray(judged.answers["numbers"], float)
    outputs = true.shape[1]
    rows = []
    for k in range(outputs):
        found = measure_numbers(true[:, [k]], predicted[:, [k]]).values
        bias = significant(float((predicted - true)[:, k].mean()))
        name = "all" if outputs == 1 else f"output {k + 1}"
        rows.append([name, *(MEASURES[each].show(found[each]) for each in ("rmse", "mae", "r2")), bias])
    section.add(table(["", "RMSE", "MAE", "R²", "mean of predicted less true"], rows, shown=12))
    for k in range(min(outputs, _MOST_OUTPUTS) if len(true) >= _FEWEST else 0):
        section.add(
            figure(
                lambda width, k=k: predicted_and_true(true[:, k], predicted[:, k], width=width),  # type: ignore[misc]
                f"numbers-{k}",
                ("" if outputs == 1 else f"Output {k + 1}. ")
                + "Dots on the dotted line are right; what is left over should show no pattern.",
            )
        )
    if outputs > _MOST_OUTPUTS:
        section.add(paragraph(f"{counted(outputs - _MOST_OUTPUTS, 'more output')} not drawn."))
    return section
