"""Scripts without spaces between words: how texts are split, and put together again."""

import pytest

from memorycell.data.codec import codec_from_json
from memorycell.data.text.scripts import CLUSTERED, has_marks, said, together, without_spaces
from memorycell.data.text.text_codec import TextCodec, words_of

SENTENCES = {
    "Thai": ("ร้านอาหารนี้อร่อยมาก", ["ร้า", "น", "อา", "หา", "ร", "นี้", "อ", "ร่", "อ", "ย", "มา", "ก"]),
    "Lao": ("ສະບາຍດີ", ["ສະ", "ບາ", "ຍ", "ດີ"]),
    "Khmer": ("ខ្ញុំស្រឡាញ់", ["ខ្ញុំ", "ស្រ", "ឡា", "ញ់"]),
    "Myanmar": ("မြန်မာစကား", ["မြန်", "မာ", "စ", "ကား"]),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_clusters_of_a_script_without_spaces(name):
    text, clusters = SENTENCES[name]
    codec = TextCodec().fit([text, "plain words"])
    assert codec.scripts == [name]
    assert [text[a:b] for _, a, b in codec.tokens(text)] == clusters
    assert codec.decode(codec.encode([f"{text} plain words"])[0]) == f"{text} plain words"
    again = codec_from_json(codec.to_json())
    assert again.tokens(text) == codec.tokens(text)


def test_every_script_is_known_to_the_library():
    for script in CLUSTERED:
        sign = script.characters[0]
        assert TextCodec().fit([sign * 3]).scripts == [script.name]


def test_scripts_stay_apart_from_what_stands_beside():
    assert words_of("iPhoneราคา1,990บาท ดี!! #ไทย") == [
        "iPhone", "รา", "คา", "1,990", "บา", "ท", "ดี", "!", "!", "#ไทย",
    ]  # fmt: skip
    assert words_of("今天weather很好。") == ["今", "天", "weather", "很", "好", "。"]
    assert words_of("བོད་སྐད།")[0] == "བོད"


def test_files_of_codecs_without_such_texts_are_those_of_before():
    state = TextCodec().fit(["the cat", "我爱北京"]).to_json()
    assert state["version"] == 1 and "scripts" not in state
    state = TextCodec().fit(["สวัสดี"]).to_json()
    assert state["version"] == 2
    # A model of before, which took a sentence for a word, goes on doing so.
    old = {name: value for name, value in state.items() if name != "scripts"} | {"version": 1}
    assert [token[1:] for token in codec_from_json(old).tokens("สวัสดี")] == [(0, 6)]


@pytest.mark.parametrize("scripts", [None, "Thai", ["Klingon"], [1]])
def test_damaged_scripts(scripts):
    state = {**TextCodec().fit(["สวัสดี"]).to_json(), "scripts": scripts}
    with pytest.raises(ValueError, match="damaged: expected scripts to be some of Thai"):
        codec_from_json(state)


def test_joining():
    codec = TextCodec().fit(["我爱北京。hello there ข้าวผัด"])
    for text in ("我爱北京。", "hello there", "北京 hello 我爱"):
        assert codec.decode(codec.encode([text])[0]) == text
    assert not together("天", ".") and not together("", "天") and together("、", "天")


def test_what_is_said():
    assert said(without_spaces(["plain"])) == "" and without_spaces(["déjà vu"]) == []
    assert "each cluster of a consonant and its signs" in said(without_spaces(["สวัสดี"]))
    assert said(without_spaces(["我爱北京 สวัสดีครับ"])).startswith("Chinese or Japanese and Thai are written")
    # One foreign word in a thousand is not worth it.
    assert without_spaces(["plain words " * 40, "สวัสดี"]) == []


def test_marks():
    assert has_marks(["नमस्ते"]) and not has_marks(["plain", "é"])
