"""A quote is found where it stands, whatever typesetting did to it, and nowhere else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.quotes import locate, places, same

WORD = st.text(alphabet="abcdefghijklmnopqrstuvwxyzABCDEFG0123456789", min_size=1, max_size=9)
TEXT = st.lists(WORD, min_size=3, max_size=40)


@given(TEXT, st.data())
def test_any_stretch_of_a_text_is_found_in_it(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    quote = " ".join(words[first : last + 1])
    start, end = locate(quote, text) or (0, 0)
    assert text[start:end] == quote


@given(TEXT, st.data())
def test_typesetting_does_not_hide_a_quote(words: list[str], data: st.DataObject) -> None:
    breaks = [data.draw(st.sampled_from([" ", "\n", "  ", "\n\n", "\u00a0", "\t"])) for _ in words]
    text = "".join(w + b for w, b in zip(words, breaks, strict=True))
    start, end = locate(" ".join(words), text) or (0, 0)
    assert text[start:end].split() == words


@given(TEXT, st.integers(0, 9))
def test_a_changed_digit_is_never_found(words: list[str], digit: int) -> None:
    text = " ".join([*words, f"x {digit}7 y"])
    other = (digit + 1) % 10
    assert locate(f"x {other}7 y", text) is None


@pytest.mark.parametrize(
    ("quote", "text", "found"),
    [
        ("the “first” example of fine work", 'a "first" the "first" exam-\nple of ﬁne work.', True),
        ("well-known fact", "a well-\nknown fact", True),
        ("wellknown fact", "a well-\nknown fact", True),
        ("well-known fact", "a well-known fact", True),
        ("well-known fact", "a wellknown fact", False),
        ("He resigned", "He re-signed", False),
        ("wasn't drunk", "He wasnʼt drunk", True),
        ("don't", "they don’t know", True),
        ("10-15 knots", "winds of 10–15 knots", True),
        ("5 percent", "-5 percent", False),
        ("1 days", "21 days", False),
        ("5 million", "1.5 million", False),
        ("5 million", "5 millions", False),
        ("15 knots", "10-15 knots", False),
        ("102 tonnes", "10² tonnes", False),
        ("51 million", "5¹ million", False),
        ("年間二十日", "有給休暇は年間二十日です", True),
        ("-5 percent", "5 percent", False),
        ("1015 knots", "10-15 knots", False),
        ("Profit rose", "profit rose", False),
        ("soft­hyphen", "softhyphen", True),
        ("", "anything", False),
        ("...", "wait... what", False),
    ],
)  # fmt: skip
def test_what_counts_as_the_same(quote: str, text: str, found: bool) -> None:
    assert (locate(quote, text) is not None) is found


def test_spaces_before_a_comma_or_a_full_stop_are_typesetting_but_not_inside_a_figure() -> None:
    text = "Paid in cash , and $ .16 a share . It ended ."
    assert locate("Paid in cash, and $ .16 a share.", text) == (0, 34)
    assert locate("Paid in cash , and", "Paid in cash, and more.") == (0, 17)
    assert locate("and $.16", text) is None
    assert locate("Paid in cash and", text) is None


def test_each_place_of_a_quote_is_found_and_hyphens_tell_them_apart() -> None:
    text = "He re-signed. He re-\nsigned. He resigned."
    assert [text[a:b] for a, b in places("He resigned", text)] == ["He re-\nsigned", "He resigned"]
    assert [text[a:b] for a, b in places("re-signed", text)] == ["re-signed", "re-\nsigned"]
    assert same("re-\nsigned", "resigned")
    assert not same("re-signed", "resigned")


def test_offsets_point_into_the_original_text() -> None:
    text = "intro ﬁrst\n line,  second exam-\nple end"
    start, end = locate("first line, second example", text) or (0, 0)
    assert text[start:end] == "ﬁrst\n line,  second exam-\nple"


@given(st.text(max_size=60))
def test_a_text_is_the_same_as_itself_with_other_white_space(text: str) -> None:
    assert same(text, re.sub(r" ", "  ", text))
