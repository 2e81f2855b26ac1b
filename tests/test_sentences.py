"""Sentences keep their abbreviations, decimals and wrapped lines; tables fall into rows."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.sentences import sentences, spans


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Dr. Smith paid $1.5 million in Q3. See fig. 2 [1].",
            ["Dr. Smith paid $1.5 million in Q3.", "See fig. 2 [1]."],
        ),
        ("It rose, e.g. by 4 %. Then it fell.", ["It rose, e.g. by 4 %.", "Then it fell."]),
        ("Winds were\nwest.\nThe pilot landed.", ["Winds were\nwest.", "The pilot landed."]),
        ("One.\n\nTwo", ["One.", "Two"]),
        ("--- *** ---", []),
        ("", []),
    ],
)  # fmt: skip
def test_where_sentences_end(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_a_long_table_falls_into_its_rows() -> None:
    rows = [f"Row {i} of the table  {i},000  {i * 2},000  and a few more words" for i in range(12)]
    assert sentences("\n".join(rows)) == rows


def test_a_long_wrapped_sentence_stays_whole() -> None:
    text = "The rate was 19% for the three months ended in March and it was\n" + (
        "lower for the nine months that ended at the same time because of a benefit that\n" * 6
    )
    assert len(sentences(text + "came in the first quarter.")) == 1


@given(st.text(max_size=400))
def test_spans_are_in_order_apart_and_keep_every_letter(text: str) -> None:
    found = spans(text)
    assert all(a < b for a, b in found)
    assert all(left[1] <= right[0] for left, right in pairwise(found))
    kept = "".join(text[a:b] for a, b in found)
    assert [c for c in kept if c.isalnum()] == [c for c in text if c.isalnum()]
