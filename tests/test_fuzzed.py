"""Files that somebody has damaged, and values that nobody means: refused in a sentence, never anything else.

A few hundred calls here; ``make check-long`` makes a million.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import random
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow
import pytest
import torch
from pyarrow import parquet

import fields
import memorycell
from memorycell import LSTM, Corpus, TextCodec, import_weights, read_labelled, read_table, read_tagged
from memorycell.jobs.card import resolved
from memorycell.jobs.parameters import TrainingParameters, check, options
from memorycell.jobs.registry import own

FEW, MANY = 30, 3_000  # damaged files of each kind; calls of parameters and layers are a hundred times as quick
FIELDS = 300  # of each of nine kinds: more than 10,000 by `make check-long`
FIXTURES = Path(__file__).parent / "fixtures/0.1"
WEIGHTS = Path(__file__).parent / "training/fixtures"


class Kind(NamedTuple):
    """A kind of file, an intact one, and what reads it."""

    name: str
    content: bytes
    read: Callable[[Path], Any]


def _trace(suffix: str, folder: Path) -> bytes:
    path = folder / f"intact.{suffix}"
    LSTM(2, 3).trace(torch.zeros(4, 2, 2), lengths=[4, 2]).named(time=["a", "b", "c", "d"]).save(path)
    return path.read_bytes()


TABLE = b"date;y;kind\n2024-01-01;1,5;a\n2024-01-02;-3;b\n2024-01-03;;a\n2024-01-04;1.000,25;\xc3\xa4\n"
TEXTS = b'text,target\n"good, really",pos\nbad,neg\n"a ""quoted"" one",pos\n\xe4\xb8\xad\xe6\x96\x87,neg\n'
WORDS = b"Ann B-PER\nruns O\n. O\n\nRome B-LOC\nis O\nold O\n"
CONLLU = b"# text = Ann runs\n1\tAnn\tAnn\tPROPN\t_\t_\t2\tnsubj\t_\t_\n2\truns\trun\tVERB\t_\t_\t0\troot\t_\t_\n\n"
TS = b"@problemName x\n@timeStamps false\n@univariate true\n@classLabel true a b\n@data\n1,2,3:a\n4,5,?:b\n"
BOOK = "It was a cold day. Ünïcödé 中文 😀\r\nA second line\tof it.\n\n".encode()
LINES = b"pos good film\nneg bad film\n__label__a text of it\n"


def kinds(folder: Path) -> Iterator[Kind]:
    """What is read of files."""
    for path in sorted(FIXTURES.glob("*.safetensors")):
        yield Kind(path.name, path.read_bytes(), memorycell.load)
    yield Kind("trace.safetensors", _trace("safetensors", folder), memorycell.Trace.load)
    yield Kind("trace.parquet", _trace("parquet", folder), memorycell.Trace.load)
    yield Kind("table.csv", TABLE, read_table)
    yield Kind("texts.csv", TEXTS, read_labelled)
    yield Kind("texts.txt", LINES, read_labelled)
    yield Kind("series.ts", TS, read_labelled)
    yield Kind("words.txt", WORDS, read_tagged)
    yield Kind("zipped.csv.gz", gzip.compress(TABLE, mtime=0), read_table)
    parquet.write_table(
        pyarrow.table({"at": [1, 2, 3], "y": [1.5, None, 2.0], "kind": ["a", "b", "a"]}), folder / "intact.parquet"
    )
    yield Kind("table.parquet", (folder / "intact.parquet").read_bytes(), read_table)
    both = partial(import_weights, into=LSTM(3, 2, bidirectional=True))
    yield Kind("tagger.keras", (WEIGHTS / "tagger.keras").read_bytes(), both)
    torch.save(LSTM(2, 3).state_dict(), folder / "intact.pt")
    yield Kind("weights.pt", (folder / "intact.pt").read_bytes(), partial(import_weights, into=LSTM(2, 3)))
    codec = TextCodec().fit(["It was a cold day.", "A second line of it."])
    yield Kind("book.txt", BOOK, partial(Corpus.from_file, codec=codec))
    yield Kind("words.conllu", CONLLU, partial(read_tagged, tag="upos"))


def damaged(content: bytes, chance: random.Random) -> bytes:
    """The same with some bytes changed, cut out, doubled or put in."""
    found = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        # Headers come first, and are where a file lies.
        place = int(len(found) * chance.random() ** chance.choice((1, 4)))
        what = chance.randrange(6)
        if what == 0:
            found[place : place + 1] = bytes([chance.randrange(256)])
        elif what == 1:
            found[place:place] = chance.choice(PIECES)
        elif what == 2:
            del found[place : place + chance.choice((1, 8, 200))]
        elif what == 3:
            found[place:place] = found[place : place + chance.choice((1, 8, 200))]
        elif what == 4:
            del found[place:]
        elif place < len(found):
            found[place] ^= 1 << chance.randrange(8)
    return bytes(found)


# fmt: off
PIECES = [
    b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"-", b"9" * 30, b"1e999", b"nan", b"null", b"[]", b"{}", b'"', b"\r",
    b"\n", b"\n\n", b",", b";", b"\t", b" ", b":", b"@data\n", b"0001-01-01", b"9999-12-31", b"\xe2\x80\xae", b"-1",
    b"2024-02-30", b"\xc3", b"'", b"#", b"=1+1", b"true", b"\x1a", b"[[[[[[[[[[", b"18446744073709551616",
]
TEXTS_TYPED = [
    "", " ", "auto", "none", "nan", "inf", "-1", "1e400", "0.5", "3,4", "3,,4", "a=1", "=", "a=", "1=2,3=4", "{",
    '{"a": 1}', "[]", "\0", "é", "9" * 5000, "cuda:99", "yes", "No", "last,max", "٣", "0x10", "1_000",
]
WEIRD = [
    None, True, False, 0, 1, -1, 3, 10**30, 0.5, -0.0, 1e308, float("nan"), float("inf"), 1j, "", "auto", "LSTM",
    "\0", "\ud800", b"bytes", (), [], {}, set(), (1, 2), [0.1, 0.9], ["a"], {"a": 1}, {1: 2}, object(), len, int,
    np.int64(2), np.float32(0.5), np.zeros(3), np.array("x"), np.datetime64("NaT"), torch.zeros(2), Path("x"),
    range(3), slice(1), np.bool_(True), "9" * 400, [[]], [None], (None, None), {"": None},
]
# fmt: on


def refused(call: Callable[[], Any], what: str) -> bool:
    """Whether it is refused, which must be in a sentence."""
    try:
        call()
    except (ValueError, TypeError, OSError) as error:
        words = str(error)
        assert len(words) > 10 and "Traceback" not in words, f"{what}: {type(error).__name__}({words!r})"
        return True
    except Exception as error:  # what nobody foresaw
        raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    return False


def fuzz_files(folder: Path, calls: int, seed: int) -> None:
    """Read damaged files of all kinds, so many of each."""
    chance = random.Random(seed)  # noqa: S311
    for kind in kinds(folder):
        path = folder / kind.name
        path.write_bytes(kind.content)
        kind.read(path)
        for _ in range(calls):
            content = damaged(kind.content, chance)
            path.write_bytes(content)
            refused(lambda: kind.read(path), f"{kind.name} {content[:3000]!r}")  # noqa: B023
        path.write_bytes(b"")
        refused(lambda: kind.read(path), f"an empty {kind.name}")  # noqa: B023


def fuzz_parameters(calls: int, seed: int) -> None:
    """Give every parameter of every job, typed and in Python, what it is not made for."""
    chance = random.Random(seed)  # noqa: S311
    told = [(job, option) for job in own().jobs for option in every(job)]
    for _ in range(calls):
        job, option = chance.choice(told)
        value = chance.choice(WEIRD)
        refused(lambda: option.value.check(option.name, value), f"{job.verb} {option.name}={value!r}")  # noqa: B023
        task = resolved(job.task)
        refused(lambda: check(task(**{option.name: value})), f"{task.__name__}({option.name}={value!r})")  # noqa: B023
        if option.value.switch:
            continue
        text = "".join(chance.choice(TEXTS_TYPED) for _ in range(chance.choice((1, 1, 2))))
        if not refused(lambda: option.value.parse(text), f"{job.verb} {option.option} {text!r}"):  # noqa: B023
            refused(lambda: option.value.check(option.name, option.value.parse(text)), f"{option.option} {text!r}")  # noqa: B023


def every(job: Any) -> list[Any]:
    """All that a job is told in its constructor."""
    return [*options(resolved(job.parameters)), *options(TrainingParameters)]


def fuzz_layers(calls: int, seed: int) -> None:
    """Call a layer with sequences, states and lengths that may not fit."""
    chance = random.Random(seed)  # noqa: S311
    layer = LSTM(2, 3, batch_first=True)
    sizes, dtypes = (0, 1, 2, 3, 4), (torch.float32, torch.float32, torch.float64, torch.int64, torch.float16)

    def tensor() -> Any:
        if chance.random() < 0.1:
            return chance.choice(WEIRD)
        return torch.zeros([chance.choice(sizes) for _ in range(chance.choice((3, 3, 2, 1, 4)))]).to(
            chance.choice(dtypes)
        )

    for _ in range(calls):
        x, state = tensor(), chance.choice((None, None, (tensor(), tensor()), tensor()))
        lengths = chance.choice((None, None, [chance.randrange(-1, 5) for _ in range(chance.randrange(4))], tensor()))
        said = f"{_said(x)}, {_said(state)}, {_said(lengths)}"
        refused(lambda: layer(x, state, lengths=lengths), said)  # noqa: B023
        refused(lambda: layer.trace(x, state, lengths), said)  # noqa: B023


def _said(value: Any) -> str:
    return f"{tuple(value.shape)} {value.dtype}" if isinstance(value, torch.Tensor) else repr(value)[:200]


def _used(path: Path) -> None:
    """Load a model, and ask it for what it can say."""
    model = memorycell.load(path)
    model.facts(), model.rows(), model.data_rows(), model.headline(), model.network_text(), model.purpose()
    repr(model), str(model.plan_), model._repr_html_()
    try:
        if isinstance(model, memorycell.Forecaster):
            model.predict({"y": np.arange(20.0)})
        elif isinstance(model, memorycell.SequenceRegressor):
            model.predict(np.ones((1, 6)))
        elif isinstance(model, memorycell.LanguageModel):
            model.perplexity("it was")
        else:
            model.predict([["Ann", "runs"]] if isinstance(model, memorycell.Tagger) else ["a good one"])
    except ValueError as error:  # it may well ask for other data than before
        assert not FOREIGN.search(str(error)), error


def _going_on(path: Path) -> None:
    texts, labels = ["a good one", "a bad one"] * 10, ["yes", "no"] * 10
    task = memorycell.SequenceClassifier(hidden_size=2, embedding_size=2, epochs=1, random_state=1, verbose=False)
    task.set_params(refit=False, n_grams=0, n_threads=1).fit(texts, labels, checkpoint=path)


def _checkpoint(folder: Path) -> bytes:
    path = folder / "intact.ckpt"
    _going_on(path)
    return path.read_bytes()


def described_kinds(folder: Path) -> Iterator[Kind]:
    """Files that say in JSON what they hold."""
    for path in sorted(FIXTURES.glob("*.safetensors")):
        yield Kind(path.name, path.read_bytes(), _used)
    yield Kind("run.ckpt", _checkpoint(folder), _going_on)
    yield Kind("trace.safetensors", _trace("safetensors", folder), memorycell.Trace.load)


def without_checksum(content: bytes) -> bytes:
    """A checkpoint as release 0.1 wrote it, in which nothing but its fields says that it was altered."""
    header, numbers = fields.apart(content)
    told = json.loads(header["__metadata__"]["memorycell_checkpoint"])
    del told["checksum"]
    header["__metadata__"]["memorycell_checkpoint"] = json.dumps(told)
    return fields.together(header, numbers)


# What Python and libraries say, who do not know the user's file.
FOREIGN = re.compile(
    r"object (is|has|cannot)|has no attribute|not subscriptable|operand|unexpected keyword|positional|unhashable|"
    r"out of range|Expecting|invalid literal|could not convert|must be real|size mismatch|argument \'|not iterable|"
    r"not a mapping|invalid combination|Error\b|concatenate|too many values|not enough values|too large to convert|"
    r"broadcast|__init__|recursion|deserializ|not supported between|look for NaN"
)


def fuzz_fields(folder: Path, calls: int, seed: int) -> None:
    """Read files of which a field or a tensor was changed; a refusal is one line, and names the file."""
    chance = random.Random(seed)  # noqa: S311
    for kind in described_kinds(folder):
        path = folder / kind.name
        path.write_bytes(kind.content)
        kind.read(path)
        older = without_checksum(kind.content) if kind.name.endswith("ckpt") else kind.content
        for _ in range(calls):
            content = chance.choice((kind.content, older))
            change = chance.choice((fields.described, fields.described, fields.tensored))
            changed, what = change(content if change is fields.tensored else older, chance)
            path.write_bytes(changed)
            try:
                with contextlib.redirect_stderr(io.StringIO()):
                    kind.read(path)
            except (ValueError, OSError) as error:
                words = str(error)
                assert kind.name in words and "\n" not in words and not FOREIGN.search(words), f"{what}: {error!r}"
            except Exception as error:
                raise AssertionError(f"{kind.name}, {what}: {type(error).__name__}: {error}") from error


FUZZES = [
    pytest.param(lambda folder, calls, seed: fuzz_files(folder, calls, seed), id="files"),
    pytest.param(lambda folder, calls, seed: fuzz_fields(folder, min(calls, FIELDS), seed), id="fields"),
    pytest.param(lambda folder, calls, seed: fuzz_parameters(20 * calls, seed), id="parameters"),
    pytest.param(lambda folder, calls, seed: fuzz_layers(10 * calls, seed), id="layers"),
]


@pytest.mark.parametrize("fuzz", FUZZES)
def test_what_is_damaged_is_refused_in_a_sentence(fuzz, tmp_path) -> None:
    fuzz(tmp_path, FEW, 0)


@pytest.mark.long
@pytest.mark.parametrize("fuzz", FUZZES)
@pytest.mark.parametrize("seed", range(1, 5))
def test_a_million_times(fuzz, seed, tmp_path) -> None:
    fuzz(tmp_path, MANY, seed)
