"""The equations of a cell with the numbers of one step in them, and what they say in plain words."""

from __future__ import annotations

from memorycell.pages.explaining.bound import Bound
from memorycell.pages.explaining.cell import CellRun
from memorycell.pages.page import Html, bullets, element


def letter(name: str, when: str = "t") -> Html:
    """A letter with its time as a subscript.

    Example
    -------
    >>> letter("c", "t−1")
    '<i>c</i><sub>t−1</sub>'
    """
    return Html(f"<i>{name}</i><sub>{when}</sub>")


def equations(run: CellRun, bound: Bound) -> Html:
    """Every equation of the cell: its letters, its numbers, and what the result does."""
    lines = {"LSTM": _lstm, "GRU": _gru}.get(run.cell.mode, _rnn)(run, bound)
    made = "".join(_line(*line) for line in lines)
    return Html(f'<div class="equations">{made}</div>{_variants(run)}')


def _line(symbols: str, numbers: str, says: str) -> str:
    result = f'<p class="says">{says}</p>' if says else ""
    return f'<div class="equation"><p class="letters">{symbols}</p><p class="numbers">{numbers}</p>{result}</div>'


def _product(run: CellRun, matrix: str, gate: str, of: str) -> str:
    """W_f x_t, or its normalised form; a plain RNN has one W, which needs no name."""
    name = f"<sub>{gate}</sub>" if run.cell.mode[:3] != "RNN" else ""
    inner = f"<i>{matrix}</i>{name}{of}"
    return f"LN({inner})" if run.normalised else inner


def _gate(run: CellRun, bound: Bound, gate: str, function: str, says: str) -> tuple[str, str, str]:
    """A gate: σ of what the input, the memory and the bias add up to."""
    plain = run.cell.mode[:3] == "RNN"
    terms = [
        ("x", _product(run, "W", gate, letter("x"))),
        ("h", _product(run, "U", gate, letter("h", "t−1"))),
        ("b", "<i>b</i>" if plain else f"<i>b</i><sub>{gate}</sub>"),
    ]
    if gate + "p" in run.constants:
        seen = letter("c") if gate == "o" else letter("c", "t−1")
        terms.insert(2, ("w", f"<i>p</i><sub>{gate}</sub>{seen}"))
    colours = {"x": "of-x", "h": "of-h", "b": "of-b", "w": "of-c"}
    symbols = " + ".join(f'<span class="{colours[key]}">{said}</span>' for key, said in terms)
    numbers = " + ".join(f'<span class="{colours[key]}">{bound.term(gate + key)}</span>' for key, _ in terms)
    total, value = bound.number(gate + "a"), bound.number(gate)
    return (
        f"{letter('h' if plain else gate)} = {function}({symbols})",
        f"= {function}({numbers}) = {function}({total}) = <b>{value}</b>",
        says,
    )


def _lstm(run: CellRun, b: Bound) -> list[tuple[str, str, str]]:
    before, now, normed = letter("c", "t−1"), letter("c"), run.kind[4]
    lines = []
    if run.cell.coupled:
        lines.append(_gate(run, b, "i", "σ", f"lets in {b.percent('i')} of the new"))
        lines.append(
            (
                f"{letter('f')} = 1 − {letter('i')}",
                f"= 1 − {b.number('i')} = <b>{b.number('f')}</b>",
                f"keeps {b.percent('f')} of what it held",
            )
        )
    else:
        lines.append(_gate(run, b, "f", "σ", f"keeps {b.percent('f')} of what it held"))
        lines.append(_gate(run, b, "i", "σ", f"lets in {b.percent('i')} of the new"))
    lines.append(_gate(run, b, "g", "tanh", f"the new would be {b.number('g')}"))
    lines.append(
        (
            f"{_zoned(now, run.zone[0])} = {letter('f')} · {before} + {letter('i')} · {letter('g')}",
            f"= {b.number('f')} · {b.term('cp')} + {b.number('i')} · {b.term('g')} = {b.term('fc')} + {b.term('ig')} "
            f"= <b>{b.number('cn')}</b>",
            "what it holds now",
        )
    )
    lines.append(_gate(run, b, "o", "σ", f"shows {b.percent('o')} of it"))
    shown = f"LN({now})" if normed else str(now)
    held = b.number("cl") if normed else b.number("cn")
    lines.append(
        (
            f"{_zoned(letter('h'), run.zone[1])} = {letter('o')} · tanh({shown})",
            f"= {b.number('o')} · tanh({held}) = {b.number('o')} · {b.term('tc')} = <b>{b.number('m')}</b>",
            "what the other units and the layers above hear of it",
        )
    )
    return lines + _zoning(run, b)


def _gru(run: CellRun, b: Bound) -> list[tuple[str, str, str]]:
    before = letter("h", "t−1")
    if run.cell.reset_after:
        of_h = f"{letter('r')} · ({_product(run, 'U', 'n', before)} + <i>b</i><sub>m</sub>)"
        numbers = f"{b.number('r')} · ({b.number('nh')} + {b.term('nm')})"
    else:
        of_h = _product(run, "U", "n", f"({letter('r')} · {before})") + " + <i>b</i><sub>m</sub>"
        numbers = f"{b.term('nh')} + {b.term('nm')}"
    of_x = _product(run, "W", "n", letter("x"))
    candidate = (
        f'{letter("n")} = tanh(<span class="of-x">{of_x}</span> + <span class="of-h">{of_h}</span> '
        '+ <span class="of-b"><i>b</i><sub>n</sub></span>)',
        f'= tanh(<span class="of-x">{b.term("nx")}</span> + <span class="of-h">{numbers}</span> + '
        f'<span class="of-b">{b.term("nb")}</span>) = tanh({b.number("na")}) = <b>{b.number("n")}</b>',
        f"the new would be {b.number('n')}",
    )
    mixed = (
        f"{_zoned(letter('h'), run.zone[1])} = {letter('z')} · {before} + (1 − {letter('z')}) · {letter('n')}",
        f"= {b.number('z')} · {b.term('hp')} + {b.number('u')} · {b.term('n')} = {b.term('kh')} + {b.term('un')} "
        f"= <b>{b.number('m')}</b>",
        "what it holds and shows now",
    )
    return [
        _gate(run, b, "r", "σ", f"lets {b.percent('r')} of the memory speak to the new"),
        candidate,
        _gate(run, b, "z", "σ", f"keeps {b.percent('z')} of what it held"),
        mixed,
        *_zoning(run, b),
    ]


def _rnn(run: CellRun, b: Bound) -> list[tuple[str, str, str]]:
    function = "tanh" if run.cell.mode == "RNN_TANH" else "relu"
    return [_gate(run, b, "n", function, "written anew: nothing carries over but through U"), *_zoning(run, b)]


def _zoned(symbol: str, share: float) -> str:
    return f"{symbol}′" if share else symbol


def _zoning(run: CellRun, b: Bound) -> list[tuple[str, str, str]]:
    """With zoneout the new state is mixed with the old one."""
    lines = []
    for state, new, share in (("c", "cn", run.zone[0]), ("h", "m", run.zone[1])):
        if share and not (state == "c" and run.cell.mode != "LSTM"):
            lines.append(
                (
                    f"{letter(state)} = {share:g} · {letter(state, 't−1')} + {1 - share:g} · {letter(state)}′",
                    f"= {share:g} · {b.term(state + 'p')} + {1 - share:g} · {b.term(new)} = <b>{b.number(state)}</b>",
                    "zoneout: the share of the old that stays",
                )
            )
    return lines


def _variants(run: CellRun) -> Html:
    """How this cell differs from the one in the books."""
    mode, coupled, reset_after, peephole, normed, projected = run.kind
    said = []
    if normed:
        said.append(
            "LN is layer normalisation (Ba et al. 2016): what input and memory say is brought to mean 0 and spread 1 "
            "over all units before it is added; the numbers are those after it."
        )
    if peephole:
        said.append("Peepholes (Gers & Schmidhuber 2000): the gates also see the cell itself, p · c.")
    if coupled:
        said.append("Coupled gates (Greff et al. 2015): what is let in is what was let go, f = 1 − i.")
    if projected:
        said.append("A projection (Sak et al. 2014) mixes the h of all units afterwards; h is shown before it.")
    if mode == "GRU" and not reset_after:
        said.append("The reset gate acts on the memory before the product (Cho et al. 2014).")
    return bullets(said)


def story(run: CellRun, bound: Bound) -> Html:
    """What happens at the step, in a sentence or two."""
    b = bound
    if run.cell.mode == "LSTM":
        text = (
            f"It {b.word('f')} what it held ({b.percent('f')}: {b.number('cp')} becomes {b.number('fc')}), "
            f"{b.word('i')} the new ({b.percent('i')}: {b.number('g')} becomes {b.number('ig')}) "
            f"and now holds {b.number('c')}. It {b.word('o')} that ({b.percent('o')}): h = {b.number('h')}."
        )
    elif run.cell.mode == "GRU":
        text = (
            f"It {b.word('z')} what it held ({b.percent('z')}: {b.number('hp')} becomes {b.number('kh')}), "
            f"{b.word('r')} its memory ({b.percent('r')}) for something new, {b.number('n')}, "
            f"takes {b.percent('u')} of that ({b.number('un')}) and now holds and shows {b.number('h')}."
        )
    else:
        text = (
            f"The input says {b.number('nx')}, the memory {b.number('nh')}, the bias {b.number('nb')}: together "
            f"{b.number('na')}, of which it shows {b.number('h')}."
        )
    return element("span", Html(text), class_="story")
