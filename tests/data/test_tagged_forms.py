"""Files of tagged words in the forms that people have: lines that name columns, tables, JSON, comments, tags first."""

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest

from memorycell.data.text.tagged_files import format_tagged, read_tagged
from memorycell.data.text.tagged_tables import read_tagged_json, read_tagged_objects, read_tagged_table

KAGGLE = (
    "Sentence #,Word,POS,Tag\nSentence: 1,Thousands,NNS,O\n,of,IN,O\n"
    ',"""",``,O\n,London,NNP,B-geo\nSentence: 2,"10,000",CD,O\n,NA,NN,B-org\n'
)
WORDS = [["Thousands", "of", '"', "London"], ["10,000", "NA"]]
TAGS = [["O", "O", "O", "B-geo"], ["O", "B-org"]]


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def said(data) -> str:
    return " ".join(entry["text"] for entry in data.notes)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "word\ttag\nthe\tDET\ngull\tNOUN\n\nthe\tDET\n"),
        ("a.tsv", "Token\tNER_tags\nthe\tDET\ngull\tNOUN\n\nthe\tDET\n"),
        ("a.txt", "word pos tag\nthe X DET\ngull X NOUN\n\nthe X DET\n"),
        ("a.txt", "-DOCSTART- -X- O\n\nword pos tag\nthe X DET\ngull X NOUN\n\nthe X DET\n"),
        ("a.csv", "token,label\nthe,DET\ngull,NOUN\n\nthe,DET\n"),
        ("a.csv", "mot;classe\nthe;DET\ngull;NOUN\n\nthe;DET\n"),
        ("a.csv", "id,sentence_id,token,label\n0,7,the,DET\n1,7,gull,NOUN\n2,8,the,DET\n"),
        ("a.tsv", "Sentence #\tWord\tTag\nSentence: 1\tthe\tDET\n\tgull\tNOUN\nSentence: 2\tthe\tDET\n"),
        ("a.tsv", "\ufeffword\ttag\r\nthe\tDET\r\ngull\tNOUN\r\n  \t\r\nthe\tDET\r\n"),
    ],
)
def test_a_line_that_names_columns(name: str, text: str, tmp_path: Path) -> None:
    path = write(tmp_path / name, text)
    data = read_tagged(path)
    assert (data.words, data.tags) == ([["the", "gull"], ["the"]], [["DET", "NOUN"], ["DET"]])
    assert "names the columns" in said(data)
    assert format_tagged(data, data.tags).split() == path.read_text(encoding="utf-8-sig").split()
    assert read_tagged(path, labelled=False).words == data.words


@pytest.mark.parametrize("text", ["the\tDET\ngull\tNOUN\n\nthe\tDET\n", "word\tNOUN\ngull\tNOUN\n\nthe\tDET\n"])
def test_a_line_that_names_none(text: str, tmp_path: Path) -> None:
    data = read_tagged(write(tmp_path / "a.tsv", text))
    assert [len(words) for words in data.words] == [2, 1]
    assert not data.notes


def test_a_first_tag_of_no_scheme_where_all_others_are_of_one(tmp_path: Path) -> None:
    data = read_tagged(write(tmp_path / "a.tsv", "mot\tetiquette\nEU\tB-X\nla\tO\n\nEU\tB-X\n"))
    assert data.words == [["EU", "la"], ["EU"]]
    assert read_tagged(tmp_path / "a.tsv", word="mot", tag="Etiquette").tags == data.tags


def test_columns_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", KAGGLE)
    assert read_tagged(path, tag="POS").tags == [["NNS", "IN", "``", "NNP"], ["CD", "NN"]]
    assert read_tagged(path, tag="pos").tags == read_tagged(path, tag=2).tags
    with pytest.raises(ValueError, match="no column 'NER': expected one of 'Sentence #', 'Word', 'POS' and 'Tag'"):
        read_tagged(path, tag="NER")
    with pytest.raises(ValueError, match="sentences are in column 1, as words"):
        read_tagged(path, sentence="Word")


def test_a_table_with_a_column_of_sentences(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", KAGGLE)
    data = read_tagged(path)
    assert (data.words, data.tags) == (WORDS, TAGS)
    assert said(data) == "Line 1 names the columns: words in 'Word', tags in 'Tag', sentences in 'Sentence #'."
    assert format_tagged(data, TAGS) == KAGGLE
    asked = read_tagged(write(tmp_path / "b.csv.gz", gzip.compress(KAGGLE.encode())), labelled=False)
    lines = format_tagged(asked, [["1", "2", "3", "4"], ["5", "6"]]).split("\n")
    assert lines[0] == "Sentence #,Word,POS,Tag,predicted_tag"
    assert lines[3] == ',"""",``,O,3'
    assert format_tagged(
        read_tagged(write(tmp_path / "c.csv", "word\nthe\n\ngull\n"), labelled=False), [["X"], ["Y"]]
    ) == ("word,tag\nthe,X\n\ngull,Y\n")


def test_cells_with_line_breaks_and_rows_without_words(tmp_path: Path) -> None:
    text = 'sentence,word,tag\n1,"a\nb",X\n1,,Y\n2,c,X\n'
    data = read_tagged(write(tmp_path / "a.csv", text))
    assert data.words == [["a\nb"], ["c"]]
    assert "1 rows without a word were skipped" in said(data)
    assert format_tagged(data, [["X"], ["Z"]]) == text.replace("c,X", "c,Z")


def test_a_table_that_does_not_say_where_sentences_end(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "token,label,part\n" + "a,X,1\nb,Y,1\n" * 150 + "c,X,2\n")
    with pytest.raises(
        ValueError, match="does not say where its sentences end: name the column that does with sentence="
    ):
        read_tagged(path)
    assert [len(words) for words in read_tagged(path, sentence="part").words] == [300, 1]
    assert "The longest sentence has 1,200 words" in said(read_tagged(write(tmp_path / "a.tsv", "a\tX\nb\tY\n" * 600)))


def test_comments_with_as_many_columns_as_words(tmp_path: Path) -> None:
    data = read_tagged(
        write(tmp_path / "a.txt", "# sent_id = 1\nthe DT B-NP O\nman NN I-NP O\n\n# text = hi you\nhi U O O\n")
    )
    assert data.words == [["the", "man"], ["hi"]]
    multi = "# id 52\tdomain=en\nthe _ _ O\nrome _ _ B-LOC\n\n# id 53\tdomain=en\nhi _ _ O\n"
    assert read_tagged(write(tmp_path / "b.conll", multi)).words == [["the", "rome"], ["hi"]]


def test_tags_in_the_first_column(tmp_path: Path) -> None:
    data = read_tagged(write(tmp_path / "a.bio", "B-ACTOR\tsteve\nI-ACTOR\tmcqueen\nO\tfilm\n\nO\tfilm\n"))
    assert data.words == [["steve", "mcqueen", "film"], ["film"]]
    assert "Column 0 has the tags" in said(data)
    assert format_tagged(data, data.tags).startswith("B-ACTOR\tsteve\n")


def test_frames() -> None:
    frame = pd.DataFrame({"Sentence #": ["S1", None, "S2"], "Word": ["She", "NA", "Yes"], "Tag": ["A", "B", "C"]})
    data = read_tagged_table(frame)
    assert (data.words, data.tags) == ([["She", "NA"], ["Yes"]], [["A", "B"], ["C"]])
    assert read_tagged_table(frame[["Sentence #", "Word"]], labelled=False).tags is None
    numbered = frame.assign(**{"Sentence #": [1, 1, 2]}).rename(columns={"Sentence #": "s"})
    with pytest.raises(ValueError, match="does not say where its sentences end"):
        read_tagged_table(numbered)
    assert read_tagged_table(numbered, sentence="s").words == data.words
    with pytest.raises(ValueError, match="has no tag in column 'Tag' in row 1"):
        read_tagged_table(frame.assign(Tag=["A", None, "C"]))


def test_json(tmp_path: Path) -> None:
    rows = [{"id": 1, "tokens": ["She", "sleeps"], "ner_tags": ["O", "B-x"]}, {"tokens": [], "ner_tags": []}]
    lines = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    listed = write(tmp_path / "a.json", json.dumps(rows))
    assert read_tagged_json(lines).words == read_tagged_json(listed).words == [["She", "sleeps"], []]
    assert read_tagged_json(lines, labelled=False).tags is None
    for text, message in (
        ("{", "is no JSON"),
        ("[1]", "object 0: expected a list of words"),
        ('{"tokens": "She", "tags": ["X"]}', "object 0: expected a list of words, got 'tokens', 'tags'"),
        ('{"tokens": ["She"], "y": ["X"]}', "expected a list of tags, got 'tokens', 'y': name it with tag="),
        ('{"tokens": ["She"], "tags": []}', "1 words, but 0 tags"),
        ('{"tokens": [], "tags": []}', "has no words"),
    ):
        with pytest.raises(ValueError, match=message):
            read_tagged_json(write(tmp_path / "b.json", text))


def test_a_sentence_a_line_is_not_what_is_read(tmp_path: Path) -> None:
    data = read_tagged(write(tmp_path / "a.txt", "London is big\n"), labelled=False)
    assert "The words are those of column 0, of 3 between spaces: a line has one word." in said(data)
    with pytest.raises(ValueError, match=r"line 2: expected 3 columns as in line 1, got 2 .* a line has one word"):
        read_tagged(write(tmp_path / "a.txt", "London is big\nRome too\n"), labelled=False)


SENTENCES = [["Ann", "Lee", "saw", "Rome"], ["Nobody", "came"]]
SPANS = [["B-per", "I-per", "O", "B-loc"], ["O", "O"]]
MARKED = [("Ann Lee saw Rome", [[0, 7, "per"], [12, 16, "loc"]]), ("Nobody came", [])]


def _marked(name: str, span) -> list[dict]:
    return [{"text": text, name: [span(*each) for each in spans]} for text, spans in MARKED]


OBJECTS = {
    "tokens": [
        {"id": str(k), "tokens": w, "ner_tags": t} for k, (w, t) in enumerate(zip(SENTENCES, SPANS, strict=True))
    ],
    "doccano": _marked("label", lambda *each: list(each)),
    "entities": _marked("entities", lambda *each: list(each)),
    "prodigy": _marked("spans", lambda start, stop, label: {"start": start, "end": stop, "label": label}),
    "offsets": _marked(
        "entities", lambda start, stop, label: {"start_offset": start, "end_offset": stop, "label": label}
    ),
    "pairs": [[text, {"entities": spans}] for text, spans in MARKED],
}


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_of_words_or_of_marked_texts(name: str, tmp_path: Path) -> None:
    rows = OBJECTS[name]
    lines = "\n".join(map(json.dumps, rows))
    for text in (json.dumps(rows), json.dumps({"data": rows}), json.dumps({"data": rows}, indent=1), lines):
        data = read_tagged_json(write(tmp_path / "a.json", text))
        assert (data.words, data.tags) == (SENTENCES, SPANS)
        assert read_tagged_json(tmp_path / "a.json", labelled=False).words == SENTENCES
    data = read_tagged_objects("X", rows)
    assert (data.words, data.tags) == (SENTENCES, SPANS)
    assert ("split into words" in said(data)) is (name != "tokens")


def test_a_span_that_ends_within_a_word_tags_all_of_it() -> None:
    data = read_tagged_objects("X", [{"text": "Romans came", "spans": [[0, 4, "loc"]]}])
    assert data.tags == [["B-loc", "O"]] and "1 spans begin or end within a word" in said(data)


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ([0, 99, "a"], "within the 4 characters"),
        ([0, 2], "such as"),
        ([2, 2, "a"], "got 2 to 2"),
        ({"start": 1}, "such as"),
    ],
)
def test_spans_that_cannot_be_used(span, message: str) -> None:
    with pytest.raises(ValueError, match=f"^X, object 0: expected a span .*{message}"):
        read_tagged_objects("X", [{"text": "Rome", "spans": [span]}])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "id,token,label\n7,the,DET\n7,gull,NOUN\n8,the,DET\n8,a,DET\n"),
        ("a.tsv", "text_id\ttoken\tlabel\na\tthe\tDET\na\tgull\tNOUN\nb\tthe\tDET\nb\ta\tDET\n"),
    ],
)
def test_an_id_that_stays_the_same_within_sentences_says_where_they_end(name: str, text: str, tmp_path: Path) -> None:
    data = read_tagged(write(tmp_path / name, text))
    assert data.words == [["the", "gull"], ["the", "a"]] and "sentences in" in said(data)


def test_an_id_of_each_word_says_nothing_of_sentences(tmp_path: Path) -> None:
    data = read_tagged(write(tmp_path / "a.tsv", "id\ttoken\tlabel\n1\tthe\tDET\n2\tgull\tNOUN\n1\tthe\tDET\n"))
    assert data.words == [["the", "gull", "the"]]


def test_conllu_between_spaces(tmp_path: Path) -> None:
    text = "# text = a\n1-2 du _ _ _ _ _ _ _ _\n1 de de ADP E _ 2 case _ _\n2 le le DET D _ 0 root _ _\n"
    data = read_tagged(write(tmp_path / "a.conllu", text))
    assert data.conllu and data.words == [["de", "le"]] and data.tags == [["ADP", "DET"]]
