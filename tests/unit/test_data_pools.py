"""Text pools: what ours hold, what a file may hold, and what is said of one that cannot be used."""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

from microtome.core.errors import DataError
from microtome.data.pools.base import TextPool, pool_of
from microtome.data.pools.general import GENERAL, general_pool
from microtome.data.pools.general_phrases import Phrases, with_article
from microtome.data.pools.read import open_pool, read_pool
from microtome.data.pools.world import world_pool
from microtome.data.world.arranged import arrange, draw_arrangement
from microtome.data.world.dataset import World
from microtome.data.world.dice import Dice
from microtome.data.world.factors import FACTOR_VALUES
from microtome.data.world.varied import caption_words, varied_caption

PAIR = TextPool("two", ("a cat", "red"), ("animal", "color"))


def _file(folder: Path, content: str | bytes) -> Path:
    path = folder / "names.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text)


def test_the_general_pool_is_large_and_no_property_rules_it() -> None:
    pool = general_pool()
    sizes = Counter(pool.properties)
    assert 3000 <= len(pool) <= 4000
    assert 20 <= len(sizes) <= 40
    assert max(sizes.values()) < 0.12 * len(pool)
    assert min(sizes.values()) >= 40
    asked = {
        "color", "texture", "shape", "material", "place", "animal", "object", "count", "camera", "weather", "letter"
    }  # fmt: skip
    assert asked <= set(pool.property_names)


def test_the_general_pool_says_nothing_twice() -> None:
    folded = Counter(" ".join(text.casefold().split()) for text in general_pool().texts)
    assert [text for text, count in folded.items() if count > 1] == []
    of_lists = chain.from_iterable(phrases.texts() for phrases in GENERAL)
    assert len(list(of_lists)) == len(general_pool()), "two lists make the same text"


def test_no_word_of_the_general_pool_stands_for_two_properties() -> None:
    owners: dict[str, set[str]] = {}
    for phrases in GENERAL:
        for word in phrases.listed():
            owners.setdefault(word.casefold(), set()).add(phrases.property)
    assert {word: kinds for word, kinds in owners.items() if len(kinds) > 1} == {}


def test_the_texts_of_the_general_pool_are_plain_and_short() -> None:
    for text in general_pool().texts:
        assert text.isascii()
        assert len(text.split()) <= 12, text
        assert not text[0].islower(), text
        assert "{" not in text, text
        assert not re.search(r"\ba (?!uni|uku|euca|one)[aeiou]", text.lower()), text
        assert not re.search(r"\ban (?!hour|x-ray)[^aeiou]", text.lower()), text
        assert not re.search(r"\ban? (an?|the|two|some) ", text.lower()), text


@pytest.mark.parametrize(
    ("word", "spoken"),
    [("violin", "a violin"), ("apple", "an apple"), ("unicycle", "a unicycle"), ("umbrella", "an umbrella"),
     ("hourglass", "an hourglass"), ("horse", "a horse"), ("x-ray image", "an x-ray image"), ("ukulele", "a ukulele"),
     ("eucalyptus tree", "a eucalyptus tree"), ("Easter egg", "an Easter egg")],
)  # fmt: skip
def test_articles_are_as_spoken(word: str, spoken: str) -> None:
    assert with_article(word) == spoken


def test_phrases_put_every_word_into_every_template() -> None:
    phrases = Phrases("animal", ("{a_word}", "Two of the kind {word}"), "ox,\n        guinea\n   pig")
    assert list(phrases.texts()) == [
        ("An ox", "animal"),
        ("Two of the kind ox", "animal"),
        ("A guinea pig", "animal"),
        ("Two of the kind guinea pig", "animal"),
    ]


def test_the_world_pool_speaks_the_words_of_captions() -> None:
    pool = world_pool()
    assert 150 <= len(pool) <= 400
    assert {word for text in pool.texts for word in _words(text)} <= set(caption_words())
    assert not any(re.search(r"[^a-z0-9, ]", text) for text in pool.texts)
    assert set(pool.property_names) == {
        "color", "object", "material", "count", "surface", "side", "background", "scene", "numeral"
    }  # fmt: skip


def test_the_world_pool_uses_no_word_that_captions_never_hold() -> None:
    """A word that no caption holds has an embedding that was never trained."""
    world = World("train", count=400, size=16)
    said: set[str] = set()
    for number in range(400):
        said |= set(_words(varied_caption(world.scene(number), Dice(number))))
        dice = Dice(number)
        said |= set(_words(varied_caption(arrange(draw_arrangement(dice), dice), dice)))
    unsaid = {word for text in world_pool().texts for word in _words(text)} - said
    assert unsaid <= {"five"}, "only the rare counts may be missing from 400 scenes"


@pytest.mark.parametrize("factor", sorted(FACTOR_VALUES))
def test_the_world_pool_names_every_value_of_a_factor(factor: str) -> None:
    pool = world_pool()
    own = {
        word for text, kind in zip(pool.texts, pool.properties, strict=True) if kind == factor for word in _words(text)
    }
    numbers = {"1": "one", "2": "two", "3": "three", "4": "four"}
    assert {numbers.get(value, value) for value in FACTOR_VALUES[factor]} <= own  # type: ignore[index]


@pytest.mark.parametrize("factor", ["color", "object", "material", "surface", "side", "scene"])
def test_a_text_of_the_world_pool_names_no_other_property(factor: str) -> None:
    values = set(FACTOR_VALUES[factor]) if factor in FACTOR_VALUES else {"beach", "desert"}  # type: ignore[index]
    allowed = {factor, "background"} if factor == "color" else {factor}
    pool = world_pool()
    strays = [
        text
        for text, kind in zip(pool.texts, pool.properties, strict=True)
        if kind not in allowed and values & set(_words(text))
    ]
    assert strays == []


def test_the_fingerprint_is_of_texts_and_properties_in_order() -> None:
    mark = PAIR.fingerprint()
    assert len(mark) == 16
    assert mark == TextPool("other name", PAIR.texts, PAIR.properties, ("a note",)).fingerprint()
    assert mark != PAIR.restricted([1, 0]).fingerprint()
    assert mark != TextPool("two", PAIR.texts, ("animal", "animal")).fingerprint()
    assert mark != TextPool("two", ("a cat", "reds"), PAIR.properties).fingerprint()


def test_a_restricted_pool_keeps_properties_beside_texts() -> None:
    some = general_pool().restricted([700, 3])
    whole = general_pool()
    assert some.texts == (whole.texts[700], whole.texts[3])
    assert some.properties == (whole.properties[700], whole.properties[3])
    assert some.property_names == (whole.properties[700], whole.properties[3])
    with pytest.raises(DataError, match="has no text"):
        PAIR.restricted([])
    with pytest.raises(DataError, match="'red' twice"):
        PAIR.restricted([1, 1])
    for outside in (-1, 2):
        with pytest.raises(IndexError, match="of a pool of 2"):
            PAIR.restricted([outside])


@pytest.mark.parametrize(
    ("texts", "properties", "said"),
    [
        ((), (), "has no text"),
        (("a", "b"), ("x",), "2 texts and 1 properties"),
        (("a", " b"), ("", ""), "white space around ' b'"),
        (("a", "b"), ("x", "y "), "white space around 'y '"),
        (("a", ""), ("", ""), "an empty text in place 1"),
        (("a", "b", "a"), ("", "", ""), "'a' twice"),
        (("a", "b"), ("x", ""), "no property for 'b'"),
    ],
)
def test_a_pool_that_makes_no_sense_is_refused(texts: tuple[str, ...], properties: tuple[str, ...], said: str) -> None:
    with pytest.raises(DataError, match=said):
        TextPool("odd", texts, properties)


def test_pool_of_keeps_the_first_of_equals() -> None:
    pool = pool_of("mine", [("red", "color"), ("cat", "animal"), ("red", "mood")])
    assert (pool.texts, pool.properties) == (("red", "cat"), ("color", "animal"))


def test_a_file_of_texts(tmp_path: Path) -> None:
    path = _file(tmp_path, b"\xef\xbb\xbfa cat\r\n\r\n# a comment\n  two   dogs \n#\nA cat\ncaf\xc3\xa9")
    pool = read_pool(path)
    assert pool.texts == ("a cat", "two dogs", "A cat", "café")
    assert pool.properties == ("",) * 4
    assert (pool.name, pool.has_properties, pool.property_names, pool.notes) == ("names.txt", False, (), ())


def test_a_comment_behind_a_byte_order_mark_is_a_comment(tmp_path: Path) -> None:
    assert read_pool(_file(tmp_path, b"\xef\xbb\xbf# names\na cat\n")).texts == ("a cat",)


def test_a_file_with_properties(tmp_path: Path) -> None:
    pool = read_pool(_file(tmp_path, "a cat\tanimal\n\na  red thing \t color\n# no\ttext\there\na dog\tanimal\n"))
    assert pool.texts == ("a cat", "a red thing", "a dog")
    assert pool.properties == ("animal", "color", "animal")
    assert pool.has_properties
    assert pool.property_names == ("animal", "color")


def test_repeated_texts_are_dropped_and_counted(tmp_path: Path) -> None:
    pool = read_pool(_file(tmp_path, "a cat\na  cat\nA cat\n a cat\na dog\n"))
    assert pool.texts == ("a cat", "A cat", "a dog")
    assert pool.notes == ("2 lines with a text that came before were left out.",)
    again = read_pool(_file(tmp_path, "a cat\tanimal\na dog\tanimal\na cat\tanimal\n"))
    assert again.texts == ("a cat", "a dog")
    assert again.notes == ("1 line with a text that came before was left out.",)


def test_properties_that_differ_in_case_are_noted(tmp_path: Path) -> None:
    pool = read_pool(_file(tmp_path, "red\tColor\nblue\tcolor\na cat\tanimal\n"))
    assert pool.notes == ("The properties 'Color' and 'color' differ in case alone and count apart.",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", r"names\.txt' is empty"),
        (b"\n  \n\t\n", r"names\.txt' is empty"),
        (b"# only\n\n#comments\n", r"names\.txt' holds no text"),
        (b"a cat\ncaf\xe9\n", r"names\.txt, line 2: byte 4 of the line is no UTF-8"),
        ("a cat\n".encode("utf-16"), r"names\.txt, line 1: byte 1 of the line is no UTF-8"),
        (b"a cat\tanimal\nred\tcolor\tbright\n", r"names\.txt, line 2: 3 columns"),
        (b"a cat\tanimal\n\tcolor\n", r"names\.txt, line 2: the text is empty, its property is 'color'"),
        (b"a cat\nre\x00d\n", r"names\.txt, line 2: a control character \(0x00\)"),
        (b"a cat\tanimal\n\nred\na dog\nblue\tcolor\n", r"line 3: 'red' has no property; 2 of 4 texts have one"),
        (b"a cat\tanimal\nred\t\n", r"line 2: 'red' has no property"),
        (b"red\tcolor\na cat\tanimal\nred \tmood\n", r"line 3: 'red' is 'mood' here, but 'color' on line 1"),
    ],
)
def test_what_cannot_be_used_is_refused_with_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        read_pool(_file(tmp_path, content))
    assert caught.value.expected


def test_all_problems_of_a_file_come_together(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_pool(_file(tmp_path, b"a\tx\ty\n\tx\nb\xff\nc\nd\tx\nd\ty\n"))
    told = caught.value.what
    assert told.startswith("5 problems:")
    for line in (1, 2, 3, 4, 6):
        assert f"line {line}: " in told


def test_pools_are_opened_by_name_or_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_pool("general") is general_pool()
    assert open_pool("world") is world_pool()
    path = _file(tmp_path, "a cat\n")
    assert open_pool(str(path)).texts == open_pool(path).texts == ("a cat",)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "world").mkdir()
    (tmp_path / "general").write_text("mine\n", encoding="utf-8")
    assert open_pool("world") is world_pool()
    assert open_pool("./general").texts == ("mine",)


@pytest.mark.parametrize("spec", ["generall", "", "no/such/file.txt", "a" * 5000, "nul\0inside"])
def test_a_name_that_is_neither_pool_nor_file(spec: str) -> None:
    with pytest.raises(DataError, match="There is no text pool") as caught:
        open_pool(spec)
    assert caught.value.expected == "one of general, world, or a file with one text a line"
    assert "did you mean 'general'" in caught.value.next_step
    assert len(str(caught.value)) < 400


def test_a_folder_is_no_pool(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder"):
        open_pool(str(tmp_path))


def test_the_page_says_what_is_so(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/bring-your-descriptions.md").read_text(encoding="utf-8")
    for pool in (general_pool(), world_pool()):
        assert re.search(rf"`{pool.name}` \| ours.* {len(pool):,} .* {len(pool.property_names)} properties", page)
    sample = "\n".join(line[4:] for line in page.split("## ")[1].splitlines() if line.startswith("    "))
    assert read_pool(_file(tmp_path, sample.split("error:")[0])).property_names == ("color", "place", "count")
    exec("\n".join(re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)), {})
    spoilt = "# birds\na bird with a red breast\tcolor\na bird on a feeder\ntwo birds\tcount\ntwo birds\tnumber\n"
    with pytest.raises(DataError) as caught:
        read_pool(_file(tmp_path, spoilt))
    for said in caught.value.what.replace(str(tmp_path / "names.txt"), "birds.txt").splitlines():
        assert said in page
