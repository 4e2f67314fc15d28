"""read_tagged and format_tagged: CoNLL, CoNLL-U and TSV, in and out, and lines that are wrong."""

import gzip
from pathlib import Path

import pytest

from memorycell.data.text.tagged_files import format_tagged, read_tagged

TSV = """# text one
She\tshe\tPRON\tPRP
sleeps\tsleep\tVERB\tVBZ

# text two
#\t#\tSYM\tNN
10 000\t10000\tNUM\tCD
"""
CONLL = """-DOCSTART- -X- O O

EU NNP I-NP B-ORG
rejects VBZ I-VP O

# NN I-NP O
7 CD I-NP O
"""
CONLLU = """# sent_id = 1
1-2\tdu\t_\t_\t_\t_\t_\t_\t_\t_
1\tde\tde\tADP\tIN\t_\t3\tcase\t_\t_
2\tle\tle\tDET\tDT\t_\t3\tdet\t_\tSpaceAfter=No
3\tchat\tchat\tNOUN\tNN\t_\t0\troot\t_\t_
3.1\tvu\t_\tVERB\t_\t_\t_\t_\t0:root\t_

# sent_id = 2
1\t#\t#\tSYM\tSYM\t_\t0\troot\t_\t_

"""


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_columns_between_tabs(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv.gz", gzip.compress(TSV.encode()))
    data = read_tagged(path)
    assert data.words == [["She", "sleeps"], ["#", "10 000"]]
    assert data.tags == [["PRP", "VBZ"], ["NN", "CD"]]
    assert read_tagged(path, tag=2).tags == [["PRON", "VERB"], ["SYM", "NUM"]]
    assert read_tagged(path, word=1, tag=-1).words[0] == ["she", "sleep"]
    assert len(data) == 2


def test_conll(tmp_path: Path) -> None:
    data = read_tagged(write(tmp_path / "a.conll", CONLL))
    assert data.words == [["EU", "rejects"], ["#", "7"]]
    assert data.tags == [["B-ORG", "O"], ["O", "O"]]
    assert [entry["text"] for entry in data.notes] == ["1 document marks were skipped."]


def test_conllu(tmp_path: Path) -> None:
    path = write(tmp_path / "a.conllu", CONLLU)
    data = read_tagged(path)
    assert data.words == [["de", "le", "chat"], ["#"]]
    assert data.tags == [["ADP", "DET", "NOUN"], ["SYM"]]
    assert read_tagged(path, tag="xpos").tags == [["IN", "DT", "NN"], ["SYM"]]
    assert read_tagged(path, word="LEMMA", tag="DEPREL").tags[0] == ["case", "det", "root"]
    assert "2 multiword tokens and empty nodes were skipped." in [entry["text"] for entry in data.notes]


def test_words_alone(tmp_path: Path) -> None:
    data = read_tagged(write(tmp_path / "a.txt", "She\nsleeps\r\n\n\nYes\n"), labelled=False)
    assert (data.words, data.tags) == ([["She", "sleeps"], ["Yes"]], None)
    assert format_tagged(data, [["A", "B"], ["C"]]) == "She A\nsleeps B\n\n\nYes C\n"


def test_line_ends_of_other_alphabets_are_no_line_ends(tmp_path: Path) -> None:
    data = read_tagged(write(tmp_path / "a.tsv", "a\u2028b\tX\nc\x85\tY\nd\u00a0e\tZ"))
    assert data.words == [["a\u2028b", "c\x85", "d\u00a0e"]]
    spaced = read_tagged(write(tmp_path / "a.txt", "d\u00a0e X\nf  Y\n"))
    assert (spaced.words, spaced.tags) == ([["d\u00a0e", "f"]], [["X", "Y"]])


@pytest.mark.parametrize("text", [TSV, CONLL, CONLLU], ids=["tsv", "conll", "conllu"])
def test_what_is_written_back_is_what_was_read(text: str, tmp_path: Path) -> None:
    data = read_tagged(write(tmp_path / "a", text))
    assert format_tagged(data, data.tags) == text


def test_tags_replaced_and_added(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", TSV)
    other = [["a", "b"], ["c", "d"]]
    text = format_tagged(read_tagged(path, tag=2), other)
    assert read_tagged(write(tmp_path / "b.tsv", text), tag=2).tags == other
    assert text.startswith("# text one\nShe\tshe\ta\tPRP\n")
    added = read_tagged(write(tmp_path / "c.tsv", format_tagged(read_tagged(path), other, add=True)))
    assert (added.columns, added.tags) == (5, other)
    filled = format_tagged(read_tagged(write(tmp_path / "d.conllu", CONLLU), labelled=False), [["A", "B", "C"], ["D"]])
    assert "1\tde\tde\tA\tIN\t_\t3\tcase\t_\t_" in filled.split("\n")
    assert "3.1\tvu\t_\tVERB\t_\t_\t_\t_\t0:root\t_" in filled.split("\n")


@pytest.mark.parametrize(
    ("tags", "options", "message"),
    [
        ([["a", "b"]], {}, "expected tags of 2 sentences, got 1"),
        ([["a"], ["b", "c"]], {}, "expected 2 tags of sentence 0, got 1"),
        ([["a", "b\tc"], ["d", "e"]], {}, "a tag cannot be"),
        ([["a", ""], ["d", "e"]], {}, "a tag cannot be ''"),
        ([["a", "b"], ["d", "e\n"]], {}, "a tag cannot be"),
    ],
)
def test_tags_that_cannot_be_written(tags: list, options: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        format_tagged(read_tagged(write(tmp_path / "a.tsv", TSV)), tags, **options)


def test_columns_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="CoNLL-U file has ten columns"):
        format_tagged(read_tagged(write(tmp_path / "a.conllu", CONLLU)), [["A", "B", "C"], ["D"]], add=True)
    with pytest.raises(ValueError, match="read without tags: expected add=True"):
        format_tagged(read_tagged(write(tmp_path / "a.tsv", TSV), labelled=False), [["a", "b"], ["c", "d"]], add=False)


BAD = {
    "empty": ("\n\n", {}, "is empty"),
    "comments only": ("# one\n# two\n", {}, "has no words"),
    "documents only": ("-DOCSTART- O\n\n", {}, "has no words"),
    "one column": ("# c\nShe\nsleeps\n", {}, r"only one column \(line 2: 'She'\)"),
    "too few": ("a\tX\nb\n", {}, r"line 2: expected 2 columns as in line 1, got 1 \('b'\)"),
    "too many": ("a X\n\nb Y Z\n", {}, r"line 3: expected 2 columns as in line 1, got 3 \('b Y Z'\)"),
    "comment within": ("a\tX\n# no comment\nb\tY\n", {}, "line 2: expected 2 columns"),
    "no tag": ("a\tX\nb\t\n", {}, "line 2: expected a tag, got nothing"),
    "no word": ("a\tX\n\tY\n", {}, "line 2: expected a word, got nothing"),
    "conllu without tags": (CONLLU, {"tag": "FEATS"}, "line 3: expected a tag, got '_', which means none"),
    "conllu column": (CONLLU, {"tag": "POS"}, "no column 'POS': expected one of 'ID', 'FORM'"),
    "name of a column": (TSV, {"tag": "UPOS"}, "no names of columns: expected a place from 0 to 3, got 'UPOS'"),
    "place of a column": (TSV, {"tag": 4}, "no column 4: expected 0 to 3, or -1 to -4 from the end"),
    "the same column": (TSV, {"tag": 0}, "words and tags are both in column 0"),
    "not UTF-8": (b"caf\xe9\tX\n", {}, r"byte 0xe9 at place 3 \(line 1\).*latin-1"),
    "UTF-16": (("a\tX\n" * 30).encode("utf-16-le"), {}, "looks like UTF-16 text: give encoding='utf-16-le'"),
    "zero byte": ("a\tX\n\0\tX\n", {}, r"a zero byte at 4, line 2.*take its zero bytes out"),
    "damaged gzip": (gzip.compress(TSV.encode())[:30], {}, "it is damaged"),
    "encoding": (TSV, {"encoding": "utf-99"}, "unknown encoding 'utf-99'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_file(case: str, tmp_path: Path) -> None:
    text, options, message = BAD[case]
    with pytest.raises(ValueError, match=message) as caught:
        read_tagged(write(tmp_path / "a.tsv", text), **options)
    assert "\n" not in str(caught.value)


def test_other_encodings(tmp_path: Path) -> None:
    assert read_tagged(write(tmp_path / "a", b"caf\xe9\tX\n"), encoding="latin-1").words == [["café"]]
    assert read_tagged(write(tmp_path / "b", "é\tX\n".encode("utf-16")), encoding="utf-16").words == [["é"]]
    assert read_tagged(tmp_path / "b").words == [["é"]]
    assert read_tagged(write(tmp_path / "c", b"\xef\xbb\xbfa\tX\n")).words == [["a"]]
