"""The page that explains an answer: its numbers are the network's, its text is safe, and what cannot be is refused."""

import base64
import copy
import hashlib
import json
import re
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from memorycell import (
    Forecaster,
    LanguageModel,
    SequenceClassifier,
    SequenceRegressor,
    Tagger,
    write_explanation,
    write_report,
)
from memorycell.insight.explained import Explained
from memorycell.layers import GRU, LSTM, RNN
from memorycell.pages.drawing import canvas
from memorycell.pages.explaining import cell as explain_cell
from memorycell.pages.explaining import memory as explain_memory
from memorycell.pages.explaining import why as explain_why
from memorycell.pages.explaining.bound import WORDS, Bound, digits_for
from memorycell.pages.explaining.cell import CellRun, fitted_to_page
from memorycell.pages.explaining.drawing import drawing
from memorycell.pages.explaining.equations import equations, story
from memorycell.pages.explaining.player import script_data
from memorycell.pages.explaining.runs import cell_runs, runs_of
from memorycell.pages.explaining.steps import player, step_labels
from memorycell.pages.page import json_block
from pages import HOSTILE, REVERSED, Page, without_charts

QUICK: dict[str, Any] = {"epochs": 1, "verbose": False, "n_threads": 1}


def runs_of_layer(cell: Any, steps: int = 6, **options: Any) -> tuple[list[CellRun], Any]:
    torch.manual_seed(1)
    layer = cell(3, 4, batch_first=True, **options).eval()
    x = torch.randn(steps, 3)
    return cell_runs(lambda values: layer(values)[0].sum((1, 2)), (layer,), x), layer.trace(x).to_dict()


VARIANTS: list[tuple[Any, dict[str, Any]]] = [
    (LSTM, {}),
    (LSTM, {"num_layers": 2, "bidirectional": True}),
    (LSTM, {"bias": False}),
    (LSTM, {"peephole": True}),
    (LSTM, {"coupled": True, "peephole": True}),
    (LSTM, {"layer_norm": True}),
    (LSTM, {"layer_norm": True, "zoneout": (0.2, 0.1)}),
    (LSTM, {"proj_size": 2}),
    (GRU, {"bidirectional": True}),
    (GRU, {"reset_after": False}),
    (GRU, {"layer_norm": True}),
    (GRU, {"layer_norm": True, "reset_after": False, "zoneout": 0.3}),
    (RNN, {}),
    (RNN, {"nonlinearity": "relu", "layer_norm": True}),
]


@pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=lambda each: getattr(each, "__name__", None) or str(each))
def test_the_parts_of_every_cell_make_its_gates_and_states(cell: Any, options: dict[str, Any]) -> None:
    runs, trace = runs_of_layer(cell, **options)
    names = {"input": "i", "forget": "f", "candidate": "g", "output": "o", "reset": "r", "update": "z", "new": "n"}
    for number, run in enumerate(runs):
        layer, direction = divmod(number, 2 if options.get("bidirectional") else 1)
        for step in range(run.steps):
            for unit in range(4):
                numbers = run.frame(unit, step)
                for gate, key in names.items():
                    if gate in trace:
                        assert numbers[key] == pytest.approx(float(trace[gate][layer, direction, step, unit]), abs=1e-5)
                zone_c, zone_h = run.zone
                if "c" in run.parts:
                    assert zone_c * numbers["cp"] + (1 - zone_c) * numbers["cn"] == pytest.approx(
                        numbers["c"], abs=1e-6
                    )
                if not run.projected:
                    said = zone_h * numbers["hp"] + (1 - zone_h) * numbers["m"]
                    assert said == pytest.approx(float(trace["hidden"][layer, direction, step, unit]), abs=1e-5)


@pytest.mark.parametrize(("cell", "options"), VARIANTS, ids=lambda each: getattr(each, "__name__", None) or str(each))
def test_every_cell_has_a_drawing_and_equations(cell: Any, options: dict[str, Any]) -> None:
    runs, _ = runs_of_layer(cell, **options)
    run = runs[-1]
    bound = Bound(run.frame(1, 2), run.unit_scales(1))
    made = drawing(run, bound) + equations(run, bound) + story(run, bound)
    page = Page(made)
    assert page.tags.count("svg") == 2
    used = set(re.findall(r'data-(?:n|p|pc|flow|gate|ring|bar|sign)="(\w+)"', made))
    assert used <= set(bound.numbers)
    assert used & {"m", "n"}
    assert "nan" not in made
    said = {"layer_norm": "layer normalisation", "peephole": "Peepholes", "coupled": "Coupled", "zoneout": "zoneout"}
    for option, word in said.items():
        assert (word in made) == bool(options.get(option)), word


def test_a_state_that_was_carried_in_is_the_first_c_before() -> None:
    layer = LSTM(2, 3, batch_first=True).eval()
    state = torch.randn(1, 1, 3), torch.randn(1, 1, 3)
    (run,) = cell_runs(lambda x: layer(x, state)[0].sum((1, 2)), (layer,), torch.randn(4, 2))
    assert run.frame(2, 0)["cp"] == pytest.approx(float(state[1][0, 0, 2]))


def test_a_decoder_is_no_layer_more_and_not_shown_first() -> None:
    encoder, decoder = LSTM(1, 3, batch_first=True).eval(), LSTM(2, 3, batch_first=True).eval()

    def function(x: torch.Tensor) -> torch.Tensor:
        _, state = encoder(x)
        return decoder(x.new_ones(len(x), 2, 2), state)[0].sum((1, 2))

    values = torch.randn(5, 1)
    runs = cell_runs(function, (encoder, decoder), values)
    assert [(run.name, run.steps) for run in runs] == [("the layer", 5), ("the steps ahead", 2)]
    # To the bit with the fused kernels; torch's operators, which may run alone, round by their shapes.
    assert runs[1].frame(1, 0)["cp"] == pytest.approx(runs[0].frame(1, 4)["c"], abs=1e-6)
    explained = Explained(function, values, 0 * values, (encoder, decoder), "y", range(5), "numbers", anchor=4)
    shown = player(explained, None, runs)
    assert (shown.first, shown.at) == (0, [4, 1])


def test_units_that_matter_for_the_output_come_first() -> None:
    layer = LSTM(2, 5, batch_first=True).eval()
    weights = torch.tensor([0.0, 3.0, 0.0, -0.1, 0.0])
    (run,) = cell_runs(lambda x: (layer(x)[0][:, -1] * weights).sum(1), (layer,), torch.randn(6, 2))
    assert run.order()[:2] == [1, 3]


def test_long_series_have_fewer_units_and_longest_ones_a_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    runs, _ = runs_of_layer(LSTM, 50)
    monkeypatch.setattr(explain_cell, "MOST_BYTES", 50 * 40 * 2)
    ((run, units),) = fitted_to_page(runs, [49])
    assert (run.steps, len(units)) == (50, 2)
    monkeypatch.setattr(explain_cell, "MOST_BYTES", 20 * 40)
    ((run, units),) = fitted_to_page(runs, [45])
    assert (run.steps, run.first, run.whole, len(units)) == (20, 30, 50, 1)
    assert run.frame(0, 0)["cp"] == pytest.approx(runs[0].frame(0, 30)["cp"])
    assert run.frame(0, 19)["f"] == pytest.approx(runs[0].frame(0, 49)["f"])


def test_packed_numbers_come_back() -> None:
    runs, _ = runs_of_layer(GRU)
    back = np.frombuffer(base64.b64decode(runs[0].packed(2)), "<f4").reshape(len(runs[0].parts), -1)
    for line, values in zip(back, runs[0].parts.values(), strict=True):
        assert (line == values[:, 2]).all()


def test_steps_of_segments_are_called_by_the_rows_they_read() -> None:
    explained = Explained(
        lambda x: x.sum((1, 2)), torch.zeros(7, 1), torch.zeros(7, 1), (), "y", list("abcdefg"), "numbers",
        rows_of_step=(3, 3),
    )  # fmt: skip
    assert step_labels(explained, 7) == list("abcdefg")
    assert step_labels(explained, 2) == ["b to d", "e to g"]
    assert step_labels(explained, 3) == ["1 ahead", "2 ahead", "3 ahead"]


@pytest.mark.parametrize(("scale", "digits"), [(1.5, 2), (0.1, 3), (0.001, 4)])
def test_small_states_have_more_digits(scale: float, digits: int) -> None:
    assert digits_for({"c": scale, "h": 1.0, "a": 1.0}) == digits


def test_every_gate_has_a_word() -> None:
    for key, table in WORDS.items():
        for value in (0.0, 0.5, 1.0):
            assert Bound({key: value}, {"c": 1.0, "h": 1.0, "a": 1.0}).word(key)
        assert [limit for limit, _ in table] == sorted(limit for limit, _ in table)


def test_json_in_a_page_cannot_end_its_script() -> None:
    given = ["</script><!-- <script>", "a & b", "\u2028"]
    block = json_block("numbers", given)
    inside = block.removeprefix('<script type="application/json" id="numbers">').removesuffix("</script>")
    assert not set("<>&\u2028") & set(inside)
    assert json.loads(inside) == given


# ---------------------------------------------------------------------- whole pages


class Explanation(Page):
    """A page with one script of ours and its data, and nothing else that runs."""

    def check_safe(self) -> None:
        assert self.tags.count("script") == 2
        self.tags = [tag for tag in self.tags if tag != "script"]
        super().check_safe()


def explained_page(path: Path, *args: Any, phone: bool = False, **options: Any) -> tuple[str, Explanation]:
    with pytest.MonkeyPatch.context() as patch:
        if not phone:
            patch.setattr("memorycell.pages.page.WIDTHS", {"wide": 720})
        patch.setattr("memorycell.pages.page.inline_svg", lambda figure, key, caption: "<svg></svg>")
        text = write_explanation(path, *args, **options).read_text(encoding="utf-8")
    script = re.search(r"\n<script>(.*)</script>\n", without_charts(text), re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    found = Explanation(text.replace(script[1], ""))
    found.check_safe()
    return text, found


TASKS = ["Forecaster", "LanguageModel", "SequenceClassifier", "SequenceRegressor", "Tagger"]


@pytest.fixture(scope="module")
def models() -> dict[str, tuple[Any, Any]]:
    """A model of each task, and data for it."""
    days = np.arange(90)
    table = {"date": np.datetime64("2024-01-01") + days, "temp": 12 + 8 * np.sin(days / 9)}
    texts = [f"a {'good' if k % 2 else 'bad'} film {HOSTILE if k == 2 else ''} {REVERSED}" for k in range(10)]
    waves = [np.sin(np.arange(12 + k) / 3) for k in range(10)]
    words = [["the", HOSTILE, "barks"], ["a", "cat", "sleeps"]] * 5
    line = f"the cat sat on the mat {HOSTILE}\n"
    return {
        "Forecaster": (Forecaster(window=12, hidden_size=4, cell="GRU", **QUICK).fit(table, target="temp"), table),
        "LanguageModel": (
            LanguageModel(unit="character", hidden_size=(4,), embedding_size=3, batch_size=2, **QUICK).fit(line * 9),
            line,
        ),
        "SequenceClassifier": (
            SequenceClassifier(hidden_size=4, embedding_size=3, min_count=1, **QUICK).fit(texts, ["+", HOSTILE] * 5),
            texts,
        ),
        "SequenceRegressor": (SequenceRegressor(hidden_size=4, **QUICK).fit(waves, np.arange(10.0)), waves),
        "Tagger": (Tagger(hidden_size=4, embedding_size=3, **QUICK).fit(words, [["D", "N", HOSTILE]] * 10), words),
    }


ASKED = {
    "Forecaster": {"at": "2024-02-20"},
    "LanguageModel": {"place": 8},
    "SequenceClassifier": {"row": 2, "output": HOSTILE},
    "SequenceRegressor": {"row": 3, "method": "occlusion"},
    "Tagger": {"row": 0, "place": 1},
}


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_a_page(models: dict[str, Any], task: str, tmp_path: Path) -> None:
    model, data = models[task]
    text, page = explained_page(tmp_path / "why.html", model, data, phone=True, **ASKED[task])
    attended = ["attention"] if task in ("SequenceClassifier", "SequenceRegressor") else []
    assert page.sections == ["why", "cell", "gates", *attended, "memory", "method"]
    assert "Inside the cell, step by step" in page.text
    assert "JavaScript is off" in page.text
    shown = re.search(r"sum of all parts (\S+) the number itself (\S+)", page.text)
    assert shown is not None
    total, value = (float(each.replace("−", "-").replace(",", "")) for each in shown.groups())
    assert total == pytest.approx(value, abs=1e-3 * max(1, abs(value)))
    data_in_page = json.loads(re.search(r'id="numbers">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    run = data_in_page["runs"][data_in_page["first"]]
    assert len(data_in_page["labels"][run["labels"]]) == run["steps"]
    assert 0 <= run["at"] < run["steps"]


def test_the_page_begins_where_the_output_is_read_or_with_the_strongest_step(models: dict[str, Any]) -> None:
    model, table = models["Forecaster"]
    explained = model.explained(table)
    runs = runs_of(explained)
    assert script_data(player(explained, None, runs))["runs"][0]["at"] == len(explained) - 1
    model, texts = models["SequenceClassifier"]
    explained = model.explained(texts, row=1)
    scores = np.zeros(len(explained))
    scores[1] = -2.0
    shown = player(explained, scores, runs_of(explained))
    assert shown.at[shown.first] == 1
    assert not shown.runs[shown.first][0].backwards


REFUSED: list[tuple[str, dict[str, Any], type[Exception], str]] = [
    ("Forecaster", {"at": "1999-01-01"}, ValueError, "2024-01-12 to 2024-03-30"),
    ("Forecaster", {"row": 500}, ValueError, "rows 11 to 89"),
    ("Forecaster", {"at": "2024-02-02", "row": 3}, ValueError, "got both"),
    ("Forecaster", {"target": "rain"}, ValueError, "temp"),
    ("SequenceClassifier", {"row": 10}, ValueError, "0 to 9"),
    ("SequenceClassifier", {"output": "?"}, ValueError, "expected one of the classes"),
    ("SequenceClassifier", {"at": "2024"}, ValueError, "at is not for models of this kind"),
    ("SequenceRegressor", {"against": "2"}, ValueError, "against is not for"),
    ("SequenceRegressor", {"method": "magic"}, ValueError, "expected a method of 'integrated gradients'"),
    ("Tagger", {"place": 9}, ValueError, "0 to 2"),
    ("Tagger", {"output": "X"}, ValueError, "expected one of the labels"),
    ("LanguageModel", {"output": "ß"}, ValueError, "vocabulary"),
]  # fmt: skip


@pytest.mark.parametrize(("task", "options", "error", "said"), REFUSED, ids=lambda each: str(each)[:30])
def test_what_is_not_there_is_refused_and_nothing_is_written(
    models: dict[str, Any], task: str, options: dict[str, Any], error: type[Exception], said: str, tmp_path: Path
) -> None:
    model, data = models[task]
    with pytest.raises(error, match=re.escape(said)) as caught:
        write_explanation(tmp_path / "why.html", model, data, **options)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_an_empty_sequence_is_refused(models: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="empty"):
        write_explanation(tmp_path / "why.html", models["Tagger"][0], [[]])
    with pytest.raises(ValueError, match="empty one"):
        write_explanation(tmp_path / "why.html", models["LanguageModel"][0], "")


def test_a_file_is_replaced_only_by_force(models: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "why.html"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="force=True"):
        write_explanation(path, *models["Tagger"])
    assert path.read_text() == "mine"
    explained_page(path, *models["Tagger"], force=True)
    assert path.read_text() != "mine"


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("own.csv", ValueError, "ends in .html or .htm"),
        ("why", ValueError, "ends in .html or .htm"),
        ("own.html", ValueError, "is what the page is made of"),
        ("link.html", ValueError, "is what the page is made of"),
        ("folder.html", IsADirectoryError, "is a folder"),
        ("null.html", ValueError, "no regular file"),
        ("nowhere/why.html", FileNotFoundError, "there is no folder"),
    ],
)
@pytest.mark.parametrize("write", [write_explanation, write_report])
def test_no_page_replaces_data_or_devices(
    models: dict[str, Any], write: Any, name: str, error: type[Exception], said: str, tmp_path: Path
) -> None:
    own = tmp_path / "own.html"
    own.write_text("the\tD\ndog\tN\n")
    (tmp_path / "own.csv").write_text("mine")
    (tmp_path / "link.html").hardlink_to(own)
    (tmp_path / "null.html").symlink_to("/dev/null")
    (tmp_path / "folder.html").mkdir()
    for data in (own, str(own)):
        with pytest.raises(error, match=re.escape(said)):
            write(tmp_path / name, models["Tagger"][0], data, force=True)
    assert own.read_text() == "the\tD\ndog\tN\n"
    assert (tmp_path / "own.csv").read_text() == "mine"


def test_code_on_the_page_names_files_that_are_there_or_says_what_stands_for_them(
    models: dict[str, Any], tmp_path: Path
) -> None:
    model, data = copy.copy(models["Forecaster"][0]), models["Forecaster"][1]
    _, page = explained_page(tmp_path / "why.html", model, data)
    assert "model = ... # the fitted model of this page data = ... # what this page was made of" in page.text
    model.save(tmp_path / "temp.safetensors")
    table = tmp_path / "temp.csv"
    rows = zip(data["date"], data["temp"], strict=True)
    table.write_text("date,temp\n" + "\n".join(f"{day},{value}" for day, value in rows), encoding="utf-8")
    _, page = explained_page(tmp_path / "why.html", model, table, force=True)
    assert f"model = memorycell.load({str(model.file_)!r})" in page.text and Path(model.file_).is_file()
    assert f"model.explain({str(table)!r}" in page.text
    assert type(model).load(model.file_).file_ == model.file_


@pytest.mark.usefixtures("wide")
def test_the_same_answer_gives_the_same_page(models: dict[str, Any], tmp_path: Path) -> None:
    model, data = models["Forecaster"]
    first, second = (write_explanation(tmp_path / f"{name}.html", model, data).read_bytes() for name in "ab")
    assert first == second


def test_of_a_long_sequence_it_is_said_how_much_was_read(tmp_path: Path) -> None:
    for unit, noun, count in (("word", "words", 14), ("character", "characters", 84), ("subword", "subwords", None)):
        model = SequenceClassifier(hidden_size=3, embedding_size=3, max_length=5, min_count=1, unit=unit, **QUICK)
        model.fit(["a good film", "a bad film"] * 4, ["+", "-"] * 4)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            _, page = explained_page(tmp_path / "why.html", model, ["goody films " * 7], method="occlusion", force=True)
        assert len([each for each in caught if each.category is UserWarning]) <= 1
        assert re.search(rf"Only the first 5 of {count or '[0-9]+'} {noun} were read", page.text), page.text
        assert f"Which {noun} made it" in page.text
    _, page = explained_page(tmp_path / "why.html", model, ["a"], method="occlusion", force=True)
    assert "Only the first" not in page.text
    assert f"Which {noun} made it" in page.text
    model = SequenceRegressor(hidden_size=3, max_length=6, **QUICK).fit(
        [np.arange(6.0) + k for k in range(6)], range(6)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        _, page = explained_page(tmp_path / "why.html", model, [np.arange(20.0)], force=True)
    assert "Only the first 6 of 20 steps were read" in page.text


def test_contextual_decomposition_has_a_page_of_short_sequences(models: dict[str, Any], tmp_path: Path) -> None:
    options = {"method": "contextual decomposition", "force": True}
    _, page = explained_page(tmp_path / "why.html", *models["SequenceClassifier"], **options)
    assert "method contextual decomposition" in page.text
    assert "Do other methods agree" in page.text
    long = np.sin(np.arange(301))
    with pytest.raises(ValueError, match=r"at most 300 steps for a contextual decomposition .* got 301"):
        write_explanation(tmp_path / "long.html", models["SequenceRegressor"][0], [long], method=options["method"])


def test_other_methods_are_compared_but_contextual_decomposition_only_if_asked(
    models: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[list[str]] = []

    def compare(found: list[Any], width: float) -> Any:
        asked.append([each.method for each in found])
        return canvas(width, 60)[0]

    monkeypatch.setattr(explain_why.plot_attribution, "compare_attributions", compare)
    for method in ("occlusion", "contextual decomposition"):
        explained_page(tmp_path / "why.html", *models["SequenceClassifier"], method=method, force=True)
    assert sorted(asked[0]) == ["decomposition", "integrated gradients", "occlusion"]
    assert sorted(asked[-1]) == ["contextual decomposition", "decomposition", "integrated gradients", "occlusion"]


def test_of_several_series_and_targets_it_is_said_which(tmp_path: Path) -> None:
    days = np.tile(np.arange(40), 2)
    table = {
        "date": np.datetime64("2024-01-01") + days, "shop": ["north"] * 40 + [HOSTILE] * 40,
        "sold": np.sin(days / 3), "returns": np.cos(days / 4),
    }  # fmt: skip
    model = Forecaster(window=6, hidden_size=3, series="shop", **QUICK).fit(table, target=["sold", "returns"])
    _, page = explained_page(tmp_path / "why.html", model, table, series="north", target="returns")
    assert "for returns of north?" in page.text
    assert "explained returns of north forecast" in page.text
    assert "returns of north at 2024-02-10, forecast at 2024-02-09" in page.text
    explained_page(tmp_path / "hostile.html", model, table, series=HOSTILE)


def test_in_a_narrow_drawing_sums_keep_apart() -> None:
    runs, _ = runs_of_layer(LSTM)
    made = drawing(runs[0], Bound(runs[0].frame(1, 2), runs[0].unit_scales(1)))
    wide, narrow = made.split('<div class="narrow">')
    assert "tanh(<tspan" in wide
    assert "tanh(<tspan" not in narrow
    sums = re.findall(r'<text x="(\d+)"[^>]* class="sum">Σ ', narrow)
    assert len(sums) == 4
    assert min(b - a for a, b in pairwise(map(int, sums))) >= 66


def test_only_tasks_are_explained(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="got LSTM"):
        write_explanation(tmp_path / "why.html", LSTM(1, 1), [])


def test_what_takes_too_long_is_left_out(
    models: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(explain_memory, "_LONG", 5)
    monkeypatch.setattr(explain_why, "_MOST_COMPARED", 5)
    _, page = explained_page(tmp_path / "why.html", *models["SequenceRegressor"])
    assert "takes long to measure" in page.text
    assert "Do other methods agree" not in page.text
