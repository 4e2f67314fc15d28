"""Labels, texts, tags and models that cannot be used: one clear line each, and nothing lost."""

from collections.abc import Callable
from pathlib import Path

import pytest
from command_cases import refused, run
from learner_cases import CLASSIFY, LANGUAGE, TAG, opinion_rows, write_book, write_opinions, write_tagged

TEXT = ("--text", "text", "--target", "feeling")


@pytest.fixture(autouse=True)
def in_its_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models whose name is left to the command land here."""
    monkeypatch.chdir(tmp_path)


def one_class(rows: list[list[str]]) -> None:
    for row in rows[1:]:
        row[1] = "good"


def no_labels(rows: list[list[str]]) -> None:
    for row in rows[1:]:
        row[1] = ""


BAD_TABLES: dict[str, tuple[Callable[[list[list[str]]], None], tuple[str, ...], str]] = {
    "one class": (one_class, TEXT, "two"),
    "no labels": (no_labels, TEXT, "label"),
    "no such column": (lambda rows: None, ("--text", "words", "--target", "feeling"), "words"),
    "no such target": (lambda rows: None, ("--text", "text", "--target", "mood"), "mood"),
    "text as its own label": (lambda rows: None, ("--text", "text", "--target", "text"), "text"),
    "only a header": (lambda rows: rows.__delitem__(slice(1, None)), TEXT, "row"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_tables_that_cannot_be_learned(case: str, tmp_path: Path, table: Callable[..., Path]) -> None:
    change, options, word = BAD_TABLES[case]
    rows = opinion_rows(30)
    change(rows)
    data, output = table(rows), tmp_path / "model.safetensors"
    said = refused(run("fit", "classify", data, *options, "-o", output, *CLASSIFY))
    assert word in said
    assert not output.exists()


def test_rows_without_a_label_or_a_text_are_left_out_and_counted(tmp_path: Path, table) -> None:
    rows = opinion_rows(60)
    rows[4][1] = rows[9][1] = ""
    rows[12][0] = '"  "'
    options = [option for option in CLASSIFY if option != "-q"]
    ran = run("fit", "classify", table(rows), *TEXT, "-o", tmp_path / "m.safetensors", *options)
    assert ran.code == 0 and "2 of 60 rows" in ran.err and "1 of 60 rows has no text" in ran.err


def test_a_class_with_one_row_is_named_under_folds(tmp_path: Path, table: Callable[..., Path]) -> None:
    rows = opinion_rows(60)
    rows.append(["odd one out", "strange", "user1", "2024-01-01"])
    data, model = table(rows), tmp_path / "m.safetensors"
    assert run("fit", "classify", data, *TEXT, "-o", model, *CLASSIFY).code == 0
    assert "strange" in refused(run("evaluate", model, data, "--folds", "3", "-q"))


def test_a_label_that_training_has_not_seen_is_counted_wrong_and_said(tmp_path: Path, table) -> None:
    model = tmp_path / "m.safetensors"
    assert run("fit", "classify", write_opinions(tmp_path / "a.csv"), *TEXT, "-o", model, *CLASSIFY).code == 0
    rows = opinion_rows(30)
    rows[1][1] = "furious"
    ran = run("evaluate", model, table(rows, "later.csv"), "-q")
    assert ran.code == 0 and "furious" in ran.out


def test_text_that_is_no_utf_8_is_said_with_its_place(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_bytes(b"fine text so far \xff\xfe\xfd and on\n" * 50)
    said = refused(run("fit", "language", book, *LANGUAGE))
    assert "0xff" in said and "17" in said
    rows = "text,feeling\n" + "caf\xe9,good\nfine,bad\n" * 20
    data = tmp_path / "latin.csv"
    data.write_bytes(rows.encode("latin-1"))
    assert run("fit", "classify", data, *TEXT, *CLASSIFY).code == 0  # surely Western: read, and said
    data.write_bytes(rows.replace("caf\xe9", "\u0436\u0443\u043a").encode("koi8-r"))
    assert "encoding" in refused(run("fit", "classify", data, *TEXT, *CLASSIFY, "--force"))
    assert run("fit", "classify", data, *TEXT, "--encoding", "koi8-r", *CLASSIFY, "--force").code == 0


@pytest.mark.parametrize("text", ["", "   \n", "short"])
def test_a_corpus_without_enough_text(tmp_path: Path, text: str) -> None:
    book = tmp_path / "book.txt"
    book.write_text(text, encoding="utf-8")
    assert "text" in refused(run("fit", "language", book, *LANGUAGE))
    assert not (tmp_path / "book.safetensors").exists()


def test_a_prompt_of_unknown_characters(tmp_path: Path) -> None:
    model = tmp_path / "book.safetensors"
    assert run("fit", "language", write_book(tmp_path / "book.txt"), "-o", model, *LANGUAGE).code == 0
    assert "prompt" in refused(run("generate", model, "--prompt", "日本語"))
    assert "temperature" in refused(run("generate", model, "--temperature", "-1"))
    assert "top_p" in refused(run("generate", model, "--top-p", "1.5")).replace("--top-p", "top_p")


def test_columns_of_unequal_length_name_the_line(tmp_path: Path) -> None:
    data = tmp_path / "words.tsv"
    data.write_text("the\tDET\ndog\n\na\tDET\ncat\tNOUN\n", encoding="utf-8")
    assert "line 2" in refused(run("fit", "tag", data, *TAG))


def test_options_of_other_tasks_are_refused(tmp_path: Path) -> None:
    model = tmp_path / "words.safetensors"
    data = write_tagged(tmp_path / "words.tsv")
    assert run("fit", "tag", data, "-o", model, *TAG).code == 0
    assert "--future" in refused(run("predict", model, data, "--future", data))
    assert "--group" in refused(run("evaluate", model, data, "--folds", "2", "--group", "user"))
    assert "--step" in refused(run("evaluate", model, data, "--step", "3"))
    assert "--train" in refused(run("evaluate", model, data, "--folds", "2", "--train", data))
    assert "--order" in refused(run("evaluate", model, data, "--order", "day"))
    assert "expected a LanguageModel" in refused(run("generate", model))


def test_a_table_of_another_kind_than_the_training_s(tmp_path: Path, weather: Path) -> None:
    model = tmp_path / "m.safetensors"
    assert run("fit", "classify", write_opinions(tmp_path / "a.csv"), *TEXT, "-o", model, *CLASSIFY).code == 0
    assert "'text'" in refused(run("predict", model, weather))


@pytest.mark.parametrize("damage", ["truncated", "not a model", "a folder"])
def test_pretrained_models_that_cannot_be_read(tmp_path: Path, damage: str) -> None:
    model, data = tmp_path / "lm.safetensors", write_opinions(tmp_path / "a.csv", 30)
    if damage == "a folder":
        model.mkdir()
    elif damage == "not a model":
        model.write_bytes(b"PK\x03\x04 not a model")
    else:
        book = write_book(tmp_path / "book.txt")
        assert run("fit", "language", book, "-o", model, *LANGUAGE).code == 0
        model.write_bytes(model.read_bytes()[:-40])
    output = tmp_path / "c.safetensors"
    said = refused(run("fit", "classify", data, *TEXT, "--pretrained", model, "-o", output, *CLASSIFY))
    assert "lm.safetensors" in said and not output.exists()


def test_a_classifier_is_no_language_model_to_begin_with(tmp_path: Path) -> None:
    model, data = tmp_path / "first.safetensors", write_opinions(tmp_path / "a.csv", 30)
    assert run("fit", "classify", data, *TEXT, "-o", model, *CLASSIFY).code == 0
    output = tmp_path / "c.safetensors"
    said = refused(run("fit", "classify", data, *TEXT, "--pretrained", model, "-o", output, *CLASSIFY))
    assert "LanguageModel" in said
