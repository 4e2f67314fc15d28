"""What a model answered, and what it was asked: the beginning of the page that explains it, task by task."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from memorycell.insight.explained import Explained
from memorycell.jobs.forecasting import explained as explain_forecasts
from memorycell.jobs.forecasting.page.words import say_interval
from memorycell.jobs.insight import checked_row, class_index
from memorycell.jobs.labelling import explained as explain_sequences
from memorycell.pages.drawing import label
from memorycell.pages.highlight import shortened
from memorycell.pages.page import Html, element, figure
from memorycell.pages.wording import counted, fixed, percent, say_when, significant
from memorycell.plot import forecast_fan

_MOST_CHOICES = 6


@dataclass(frozen=True)
class Answer:
    """An answer in words and pictures.

    Attributes
    ----------
    title, lead : str
    cards : dict of str to str
    parts : what is shown of it
    """

    title: str
    lead: str
    cards: dict[str, str] = field(default_factory=dict)
    parts: Sequence[Html] = ()


def answer_of(task: str, model: Any, data: Any, explained: Explained, where: Mapping[str, Any]) -> Answer:
    """The answer of a model of this task, to be explained where `explained` is."""
    return _ANSWERS[task](model, data, explained, where)


def choices(shares: Sequence[tuple[str, float]], chosen: str) -> Html:
    """Names and probabilities as bars, the chosen one set off.

    Example
    -------
    >>> choices([("good", 0.9), ("bad", 0.1)], "good").count("<li")
    2
    """
    rows = []
    for name, share in shares:
        bar = f'<span class="share" style="width:{100 * max(0.0, min(1.0, share)):.1f}%"></span>'
        class_ = ' class="chosen"' if name == chosen else ""
        said = (
            f'{element("span", name, class_="name")}<span class="track">{bar}</span>{element("b", percent(share, 1))}'
        )
        rows.append(f"<li{class_}>{said}</li>")
    return Html(f'<ul class="choices">{"".join(rows)}</ul>')


def _forecast(model: Any, data: Any, explained: Explained, where: Mapping[str, Any]) -> Answer:
    encoded = model.encode(data, where.get("future"))
    origin = explain_forecasts.origin_of(model, encoded, where.get("at"), where.get("series"))
    target, step = where.get("target"), where.get("step", 1) - 1
    names = list(encoded.target_names)
    k = 0 if target is None else class_index(names, target, "targets")
    forecasts = model.forecast_at(encoded, np.array([origin]))
    frequency = model.codec_.frequency_
    spread = float(np.nanstd(encoded.target_in_units()[:, k]))
    decimals = max(0, 2 - math.floor(math.log10(spread))) if spread > 0 else 2
    value, actual = float(forecasts.point[0, step, k]), float(forecasts.actual[0, step, k])
    interval = say_interval(forecasts.quantiles[0, step, k], forecasts.levels, decimals)
    when, seen = (say_when(date, frequency) for date in (forecasts.dates[0, step], encoded.dates[origin]))
    series = encoded.ids[int(forecasts.series[0])]
    which = names[k] + (f" of {series}" if len(encoded.ids) > 1 else "")
    lead = f"{which} at {when}, told at {seen}: {fixed(value, decimals)}{f', {interval}' if interval else ''}."
    came = f" It became {fixed(actual, decimals)}." if math.isfinite(actual) else ""
    several = len(encoded.ids) > 1 or len(names) > 1
    of = f" for {label(which, 60)}" if several else ""
    cards = {"explained": label(which, 60)} if several else {}
    cards |= {"forecast": fixed(value, decimals)}
    cards |= {"became": fixed(actual, decimals)} if came else {}
    cards |= {"last reading": fixed(float(encoded.target_in_units()[origin, k]), decimals)}
    caption = f"The past up to {seen}, and what was forecast from there."
    drawn = figure(lambda width: forecast_fan(forecasts, encoded, targets=[k], width=width), "answer", caption)
    return Answer(f"Why {fixed(value, decimals)}{of}?", lead + came, cards, [drawn])


def _classified(model: Any, data: Any, explained: Explained, where: Mapping[str, Any]) -> Answer:
    given = explain_sequences.read(model, data)
    row = checked_row(where.get("row", 0), len(given))
    shares = np.asarray(model.predict_proba(given.take([row])))[0]
    names = [str(name) for name in model.classes_]
    said = where.get("output")
    k = int(shares.argmax()) if said is None else class_index(model.classes_.tolist(), said)
    order = np.argsort(-shares, kind="stable")[:_MOST_CHOICES]
    true = _truth(model, data, row)
    lead = f"The model gives “{names[k]}” {percent(float(shares[k]), 1)} to row {row}."
    if true is not None:
        lead += f" In the data it is “{true}”" + (
            "." if str(true) == names[k] else ": that is not what the model says."
        )
    cards = {"answer": names[int(shares.argmax())], "probability": percent(float(shares.max()), 1)}
    cards |= {"in the data": str(true)} if true is not None else {}
    return Answer(f"Why “{names[k]}”?", lead, cards, [choices([(names[c], float(shares[c])) for c in order], names[k])])


def _number(model: Any, data: Any, explained: Explained, where: Mapping[str, Any]) -> Answer:
    given = explain_sequences.read(model, data)
    row = checked_row(where.get("row", 0), len(given))
    values = np.asarray(model.predict(given.take([row])), float).reshape(-1)
    value = float(values[where.get("output") or 0])
    true = _truth(model, data, row)
    lead = f"The model predicts {significant(value)} for row {row}."
    cards = {"prediction": significant(value)}
    if true is not None and np.size(true) == 1:
        lead += f" In the data it is {significant(float(np.ravel(true)[0]))}."
        cards["in the data"] = significant(float(np.ravel(true)[0]))
    return Answer(f"Why {significant(value)}?", lead, cards)


def _truth(model: Any, data: Any, row: int) -> Any:
    """The label in the data; None where there is none."""
    from memorycell.jobs.labelling.building import from_source

    try:
        y = from_source(model, data, labelled=True).y
        return None if y is None else np.asarray(y, object)[row]
    except (ValueError, TypeError, KeyError, IndexError):
        return None  # data without labels can be explained all the same


def _tagged(model: Any, data: Any, explained: Explained, where: Mapping[str, Any]) -> Answer:
    given = model._asked(data).sequences
    row = checked_row(where.get("row", 0), len(given))
    place = explained.anchor or 0
    tags = [str(tag) for tag in model.predict([given[row]])[0]]
    shares = model.predict_proba([given[row]])[0][place]
    names = [str(name) for name in model.classes_]
    said = where.get("output")
    k = names.index(tags[place]) if said is None else class_index(model.classes_.tolist(), said, "labels")
    word = f"“{explained.labels[place]}”" if explained.kind == "words" else f"step {place}"
    order = np.argsort(-shares, kind="stable")[:_MOST_CHOICES]
    parts = [choices([(names[c], float(shares[c])) for c in order], names[k])]
    if explained.kind == "words":
        parts.insert(0, _tags(explained.labels, tags, place))
    lead = f"In sequence {row} the model gives {word} the label {tags[place]} ({percent(float(shares.max()), 1)})."
    cards = {"label": tags[place], "of": counted(len(tags), "word" if explained.kind == "words" else "step")}
    return Answer(f"Why {names[k]} for {word}?", lead, cards, parts)


def _tags(words: Sequence[Any], tags: Sequence[str], place: int) -> Html:
    """The sentence with a label under each word, the one explained set off."""
    made = "".join(
        f'<span class="tagged{" asked" if i == place else ""}">{element("span", word)}{element("small", tag)}</span>'
        for i, (word, tag) in enumerate(zip(words, tags, strict=True))
    )
    return Html(f'<blockquote class="sentence" dir="auto">{made}</blockquote>')


def _continued(model: Any, data: Any, explained: Explained, where: Mapping[str, Any]) -> Answer:
    codec = model.codec_
    text, stop = explained.text or "", (explained.spans or [(0, 0)])[-1][1]
    shares = _next_shares(model, explained)
    order = np.argsort(-shares, kind="stable")[:_MOST_CHOICES]
    named = [(spoken(codec.vocabulary[int(c)]), float(shares[c])) for c in order]
    given = where.get("output")
    place = where.get("place")
    chosen = _token_of(explained)
    chosen = str(given) if given is not None else chosen or named[0][0]
    before = shortened("…" + text[max(0, stop - 60) : stop] if stop > 60 else text[:stop])
    first, second = (f"{name} ({percent(share, 1)})" for name, share in named[:2])
    said = f"After “{before}” the likeliest are {first} and {second}."
    cards = {"likeliest": named[0][0], "its probability": percent(named[0][1], 1)}
    cards |= {"tokens read": f"{len(explained):,}"}
    title = f"Why “{spoken(chosen)}”?" if place is None else f"Why “{spoken(chosen)}” there?"
    return Answer(title, said, cards, [choices(named, spoken(chosen))])


def _next_shares(model: Any, explained: Explained) -> Any:
    """Probabilities (V,) of the next token, seen on the way of the number explained."""
    network, seen = model.network_, []
    plain = network.scores

    def scores(features: torch.Tensor) -> torch.Tensor:
        seen.append(plain(features))
        return seen[-1]

    network.scores = scores
    try:
        with torch.no_grad():
            explained.function(explained.values[None])
    finally:
        del network.scores
    return seen[-1][0].double().softmax(0).cpu().numpy()


def _token_of(explained: Explained) -> str:
    """The token that the output names, between its first quotes."""
    parts = explained.output.split("'")
    return parts[1] if len(parts) > 2 else ""


def spoken(token: str) -> str:
    """A token as it can be seen.

    Example
    -------
    >>> spoken(" "), spoken("word")
    ('␣', 'word')
    """
    from memorycell.pages.plots.steps import token as seen

    return seen(token, 24)


_ANSWERS: dict[str, Callable[[Any, Any, Explained, Mapping[str, Any]], Answer]] = {
    "Forecaster": _forecast,
    "LanguageModel": _continued,
    "SequenceClassifier": _classified,
    "SequenceRegressor": _number,
    "Tagger": _tagged,
}
