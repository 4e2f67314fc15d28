"""The command on texts, series, tagged words and language: from a file to a model and back."""

import json
from pathlib import Path

import pytest
from command_cases import run
from learner_cases import (
    CLASSIFY,
    LANGUAGE,
    QUICK,
    TAG,
    write_book,
    write_opinions,
    write_tagged,
    write_waves,
)

pytestmark = pytest.mark.usefixtures("undrawn")  # what pages show is asked in tests/pages


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data and a model of every kind."""
    folder = tmp_path_factory.mktemp("learners")
    write_opinions(folder / "opinions.csv")
    write_tagged(folder / "words.tsv")
    write_book(folder / "book.txt")
    write_waves(folder / "waves.csv")
    columns = ("--text", "text", "--target", "feeling")
    series = ("--id", "wave", "--time", "step", "--value", "height")
    commands = (
        ("classify", "opinions.csv", *columns, *CLASSIFY),
        ("tag", "words.tsv", *TAG),
        ("language", "book.txt", *LANGUAGE),
    )
    for command, data, *options in commands:
        ran = run("fit", command, folder / data, "-o", folder / f"{command}.safetensors", *options)
        assert ran.code == 0, ran.err
    small = (*QUICK, "--hidden-size", "4", "--convolution", "no", "--refit", "no")
    for command, target in (("classify", "kind"), ("regress", "size")):
        output = folder / f"waves-{command}.safetensors"
        ran = run("fit", command, folder / "waves.csv", "--target", target, *series, "-o", output, *small)
        assert ran.code == 0, ran.err
    return folder


def csv_of(text: str) -> list[list[str]]:
    return [line.split(",") for line in text.splitlines()]


def test_texts_get_labels_and_probabilities(folder: Path) -> None:
    ran = run("predict", folder / "classify.safetensors", folder / "opinions.csv", "-q")
    head, *rows = csv_of(ran.out)
    assert head == ["row", "text", "label", "p_bad", "p_good", "p_plain"] and len(rows) == 90
    for row in rows:
        chances = dict(zip(head[3:], map(float, row[3:]), strict=True))
        assert abs(sum(chances.values()) - 1) < 1e-6
        assert f"p_{row[2]}" == max(chances, key=chances.__getitem__)


def test_predictions_are_written_and_not_overwritten(folder: Path, tmp_path: Path) -> None:
    model, data, output = folder / "classify.safetensors", folder / "opinions.csv", tmp_path / "labels.json"
    assert run("predict", model, data, "-o", output, "-q").code == 0
    assert len(json.loads(output.read_text())) == 90
    again = run("predict", model, data, "-o", output, "-q")
    assert again.code == 2 and "exists already" in again.err


def test_a_long_table_is_one_sequence_an_id(folder: Path) -> None:
    head, *rows = csv_of(run("predict", folder / "waves-classify.safetensors", folder / "waves.csv", "-q").out)
    assert head == ["id", "label", "p_fast", "p_slow"] and [row[0] for row in rows[:2]] == ["w0", "w1"]
    head, *rows = csv_of(run("predict", folder / "waves-regress.safetensors", folder / "waves.csv", "-q").out)
    assert head == ["id", "prediction"] and len(rows) == 24


def test_a_tagged_file_gets_its_tags(folder: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.tsv"
    plain.write_text("the\t_\ndog\t_\n\nsleeps\t_\n", encoding="utf-8")
    lines = run("predict", folder / "tag.safetensors", plain, "-q").out.splitlines()
    assert [line.split("\t")[0] for line in lines if line] == ["the", "dog", "sleeps"]
    assert {line.split("\t")[-1] for line in lines if line} <= {"DET", "NOUN", "VERB", "ADJ"}
    output = tmp_path / "tagged.tsv"
    assert run("predict", folder / "tag.safetensors", plain, "-o", output, "-q").code == 0
    assert output.read_text().splitlines() == lines


def test_each_token_of_a_text_has_its_surprise(folder: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("the cat", encoding="utf-8")
    found = json.loads(run("predict", folder / "language.safetensors", text, "--json", "-q").out)
    assert [row["token"] for row in found[:7]] == list("the cat")
    assert all(row["surprise"] > 0 and 0 < row["probability"] < 1 for row in found)


def test_generated_text_follows_its_seed(folder: Path) -> None:
    model = folder / "language.safetensors"
    first = run("generate", model, "--prompt", "the", "--length", "12", "--seed", "3")
    assert first.code == 0 and first.out.startswith("the") and len(first.out) == 3 + 12 + 1
    assert run("generate", model, "--prompt", "the", "--length", "12", "--seed", "3").out == first.out
    told = json.loads(run("generate", model, "--prompt", "the", "--length", "12", "--seed", "3", "--json").out)
    assert told["prompt"] + told["text"] + "\n" == first.out
    assert run("generate", model, "--length", "5", "--beam", "2").code == 0


@pytest.mark.parametrize(
    ("model", "data", "words"),
    [
        ("classify", "opinions.csv", ("stratified", "TF-IDF", "majority class", "true \\ answered")),
        ("waves-classify", "waves.csv", ("stratified", "majority class")),
        ("waves-regress", "waves.csv", ("RMSE",)),
        ("tag", "words.tsv", ("most frequent tag",)),
        ("language", "book.txt", ("Kneser",)),
    ],
)
def test_folds_train_afresh_beside_baselines(folder: Path, model: str, data: str, words: tuple[str, ...]) -> None:
    ran = run("evaluate", folder / f"{model}.safetensors", folder / data, "--folds", "2", "-q")
    assert ran.code == 0, ran.err
    for word in words:
        assert word in ran.out


def test_groups_are_kept_whole_and_time_goes_forward(folder: Path) -> None:
    model, data = folder / "classify.safetensors", folder / "opinions.csv"
    grouped = json.loads(run("evaluate", model, data, "--folds", "2", "--group", "user", "--json", "-q").out)
    assert "grouped" in grouped["split"]
    ordered = json.loads(run("evaluate", model, data, "--folds", "2", "--order", "day", "--json", "-q").out)
    assert ordered["split"] == "time-ordered"


def test_a_model_is_measured_as_it_is_beside_baselines_of_its_training_data(folder: Path) -> None:
    model, data = folder / "classify.safetensors", folder / "opinions.csv"
    ran = run("evaluate", model, data, "--train", data)
    assert ran.code == 0 and "TF-IDF" in ran.out
    alone = run("evaluate", model, data)
    assert "TF-IDF" not in alone.out and "these figures flatter" in alone.err
    text = run("evaluate", folder / "language.safetensors", folder / "book.txt", "-q")
    assert "Perplexity" in text.out and "bits per character" in text.out


def test_the_learning_curve_says_whether_more_data_is_worth_it(folder: Path) -> None:
    ran = run("evaluate", folder / "classify.safetensors", folder / "opinions.csv", "--learning-curve", "--folds", "2")
    assert ran.code == 0, ran.err
    assert "training rows" in ran.out


@pytest.mark.parametrize("model", ["classify", "tag", "language", "waves-regress"])
def test_info_describes_every_model(folder: Path, model: str) -> None:
    path = folder / f"{model}.safetensors"
    assert "units" in run("info", path).out
    assert "## Limits" in run("info", path, "--card").out
    told = json.loads(run("info", path, "--json").out)
    assert told["parameters"] > 0 and told["epochs"] >= 1


@pytest.mark.parametrize(
    ("model", "data"),
    [("classify", "opinions.csv"), ("waves-regress", "waves.csv"), ("tag", "words.tsv"), ("language", "book.txt")],
)
def test_every_model_has_a_report(folder: Path, tmp_path: Path, model: str, data: str) -> None:
    output = tmp_path / "report.html"
    ran = run("report", folder / f"{model}.safetensors", folder / data, "-o", output, "-q")
    assert ran.code == 0, ran.err
    page = output.read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "<svg" in page


def test_a_fit_tells_what_it_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = write_opinions(tmp_path / "opinions.csv", 60)
    told = json.loads(run("fit", "classify", data, "--text", "text", "--target", "feeling", "--json", *CLASSIFY).out)
    assert told["classes"] == ["bad", "good", "plain"] and told["task"] == "SequenceClassifier"
    assert told["model"] == "opinions.safetensors" and (tmp_path / "opinions.safetensors").exists()


def test_a_language_model_begins_a_classifier(folder: Path, tmp_path: Path) -> None:
    book = tmp_path / "opinions.txt"
    lines = (folder / "opinions.csv").read_text().splitlines()[1:]
    book.write_text("\n".join(line.split(",")[0] for line in lines), encoding="utf-8")
    words = (*QUICK, "--unit", "word", "--hidden-size", "8", "--embedding-size", "8", "--batch-size", "2")
    assert run("fit", "language", book, "-o", tmp_path / "words.safetensors", *words).code == 0
    options = ("--text", "text", "--target", "feeling", "--pretrained", tmp_path / "words.safetensors")
    ran = run("fit", "classify", folder / "opinions.csv", "-o", tmp_path / "c.safetensors", *options, *CLASSIFY)
    assert ran.code == 0, ran.err
    assert run("predict", tmp_path / "c.safetensors", folder / "opinions.csv", "-q").code == 0
