"""memorycell explain: a page or JSON for every kind of model, and one line for what cannot be explained."""

import json
from pathlib import Path

import pytest
from command_cases import refused, run, write_rows
from learner_cases import CLASSIFY, LANGUAGE, TAG, write_book, write_opinions, write_tagged, write_waves

pytestmark = pytest.mark.usefixtures("undrawn")  # what pages show is asked in tests/pages


@pytest.fixture(scope="module")
def learners(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    """A model file of each task on labelled sequences and on text, and its data."""
    folder = tmp_path_factory.mktemp("learners")
    data = {
        "classify": write_opinions(folder / "opinions.csv"),
        "tag": write_tagged(folder / "words.tsv"),
        "language": write_book(folder / "book.txt"),
        "regress": write_waves(folder / "waves.csv"),
    }
    options = {
        "classify": (*CLASSIFY, "--text", "text", "--target", "feeling"),
        "tag": TAG,
        "language": LANGUAGE,
        "regress": (
            "--epochs", "2", "--threads", "1", "-q", "--hidden-size", "4", "--refit", "no", "--id", "wave",
            "--time", "step", "--value", "height", "--target", "size",
        ),
    }  # fmt: skip
    made = {}
    for task, path in data.items():
        model = folder / f"{task}.safetensors"
        ran = run("fit", task, path, "-o", model, *options[task])
        assert ran.code == 0, ran.err
        made[task] = model, path
    return made


def test_a_page_named_after_the_model(
    model: Path, weather: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = run("explain", model, weather, "--at", "2023-03-01", "--step", "2")
    assert (ran.code, ran.out) == (0, "weather-explain.html\n")
    assert "slider" in ran.err
    page = Path("weather-explain.html").read_text(encoding="utf-8")
    assert "2023-03-01" in page
    assert f"memorycell explain {model} {weather} --at 2023-03-01 --step 2" in page
    assert "--force" in refused(run("explain", model, weather))
    assert Path("weather-explain.html").read_text(encoding="utf-8") == page
    again = run("explain", model, weather, "--row", "100", "--force", "-q", "--method", "occlusion")
    assert (again.code, again.err) == (0, "")
    assert Path("weather-explain.html").read_text(encoding="utf-8") != page


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("classify", ("--row", "3", "--class", "good", "--against", "plain")),
        ("regress", ("--row", "2")),
        ("tag", ("--row", "1", "--place", "2")),
        ("language", ("--row", "1", "--place", "4", "--class", "t")),
    ],
)
def test_json_has_what_adds_up_to_the_number(
    learners: dict[str, tuple[Path, Path]], task: str, options: tuple[str, ...]
) -> None:
    ran = run("explain", *learners[task], *options, "--json", "--method", "integrated-gradients")
    assert ran.code == 0, ran.err
    said = json.loads(ran.out)
    total = sum(step["score"] for step in said["steps"]) + sum(said["terms"].values())
    assert total == pytest.approx(said["value"], abs=1e-4 * max(1, abs(said["value"])))
    assert said["method"] == "integrated gradients"
    assert "residual" in said["terms"]


def test_contextual_decomposition_can_be_asked_for(
    learners: dict[str, tuple[Path, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # what the picture says is asked about
    asked = (*learners["classify"], "--row", "3", "--method", "contextual-decomposition")
    said = json.loads(run("explain", *asked, "--json").out)
    assert said["method"] == "contextual decomposition"
    assert "together" in said["terms"]
    assert run("explain", *asked, "-o", tmp_path / "why.html", "-q").code == 0
    page = (tmp_path / "why.html").read_text(encoding="utf-8")
    assert "contextual decomposition" in page
    assert "by integrated gradients" in page.replace("integrated</tspan>", "integrated")


@pytest.fixture(scope="module")
def long_text(learners: dict[str, tuple[Path, Path]], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    path = tmp_path_factory.mktemp("long") / "long.csv"
    return learners["classify"][0], write_rows(path, [["text"], ["great flight " * 700]])


def test_a_text_that_is_cut_is_told_once(long_text: tuple[Path, Path]) -> None:
    ran = run("explain", *long_text, "--json", "--method", "occlusion")
    told = "Only the first 1,000 of 1,400 words were read"
    assert ran.err.count(told) == 1
    assert len(ran.err.splitlines()) == 1
    said = json.loads(ran.out)
    assert told in said["note"]
    assert len(said["steps"]) == 1000
    assert run("explain", *long_text, "--json", "-q", "--method", "occlusion").err == ""


def test_what_is_too_long_for_contextual_decomposition_is_one_line(long_text: tuple[Path, Path]) -> None:
    ran = run("explain", *long_text, "--json", "--method", "contextual decomposition")
    assert "expected at most 300 steps" in refused(ran)


def test_the_data_are_not_replaced(learners: dict[str, tuple[Path, Path]], tmp_path: Path) -> None:
    model, data = learners["classify"]
    own = tmp_path / "own.html"
    own.write_bytes(data.read_bytes())
    for path, said in ((own, "what would be read"), (tmp_path / "own.csv", "ends in .html or .htm")):
        assert said in refused(run("explain", model, own, "-o", path, "--force"))
    assert own.read_bytes() == data.read_bytes()


REFUSED = [
    ("classify", ("--row", "92"), "samples stand in lines 2, 3, 4"),
    ("classify", ("--class", "great"), "bad, good, plain"),
    ("classify", ("--class", "good", "--against", "good"), "another class than good"),
    ("classify", ("--at", "2024-01-01"), "--at is not for models of this kind: they know --row, --class, --against"),
    ("classify", ("--place", "3"), "--place is not for"),
    ("classify", ("--method", "magic"), "expected a method of 'integrated gradients', 'occlusion', 'decomposition'"),
    ("regress", ("--class", "first"), "--class: expected a whole number"),
    ("regress", ("--class", "²"), "--class: expected a whole number"),
    ("regress", ("--class", "1_0"), "--class: expected a whole number"),
    ("regress", ("--class", "-1"), "--class to be a whole number of at least 0"),
    ("regress", ("--class", "3"), "from 0 to 0"),
    ("tag", ("--place", "7"), "0 to 2"),
    ("tag", ("--class", "PRON"), "DET"),
    ("language", ("--place", "9999999"), "characters"),
    ("language", ("--class", "ß"), "vocabulary"),
]


@pytest.mark.parametrize(("task", "options", "said"), REFUSED, ids=lambda each: str(each))
def test_what_is_not_there_is_one_line(
    learners: dict[str, tuple[Path, Path]], task: str, options: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    output = tmp_path / "why.html"
    assert said in refused(run("explain", *learners[task], *options, "-o", output))
    assert not output.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--at", "1999-01-01"), "expected a date to forecast from, 2023-01-06 to 2023-08-28"),
        (("--at", "yesterday"), "such as 2023-08-28, got 'yesterday'"),
        (("--row", "9000"), "rows 5 to 239"),
        (("--at", "2023-03-01", "--row", "3"), "--at or --row, got both"),
        (("--step", "3"), "horizon of 2"),
        (("--target", "sun"), "temp"),
        (("--series", "b"), "series"),
        (("--class", "warm"), "--class is not for models of this kind"),
        (("--json",), "--json prints, and -o writes"),
    ],
    ids=str,
)
def test_a_forecast_that_is_not_there_is_one_line(
    model: Path, weather: Path, options: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    assert said in refused(run("explain", model, weather, *options, "-o", tmp_path / "why.html"))
    assert not list(tmp_path.iterdir())
