"""Text → sparse BM25 vectors: one encoder for every engine, so that all rank alike.

The engine's own ``Bm25`` stems, folds accents and drops stop words (term frequencies saturate
here, inverse document frequencies are applied by the engine). What it does not know, `spell_out`
adds first: fiscal years, glued file names, thousands separators.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

#: Part of the index fingerprint: raise it when the words of a text change.
WORDS_VERSION = "bm25-en-1"

#: The length at which BM25 neither raises nor lowers a text. Chunks of the FinanceBench reports
#: have 53 distinct words on average; 60 instead of 100 moved page@5 by +.015 and page@10 by -.015,
#: one question each.
_AVERAGE_WORDS = 100


@dataclass(frozen=True, slots=True)
class SparseVector:
    indices: tuple[int, ...]
    values: tuple[float, ...]


def document_words(text: str) -> SparseVector:
    """The words of a passage with their saturated frequencies."""
    vector = _encoder().embed_document(spell_out(text))
    return SparseVector(tuple(vector.indices), tuple(vector.values))


def query_words(question: str) -> SparseVector:
    """The words of a question, each counted once."""
    vector = _encoder().embed_query(spell_out(question))
    return SparseVector(tuple(vector.indices), tuple(vector.values))


def name_query_words(question: str) -> SparseVector:
    """The words of a question for finding documents by name: «Best Buy» also as «bestbuy»."""
    words = re.findall(r"[^\W_]+", question)
    glued = [(a + b).lower() for a, b in pairwise(words)]
    return query_words(f"{question} {' '.join(glued)}")


_FISCAL = re.compile(r"\b(?:FY|CY|fiscal(?: year)?)[ '’]?(\d{4}|\d{2})\b", re.IGNORECASE)
#: «Q3 FY22» and «Q32022»; «2023Q2»; «2Q23»: the named groups are the same in each.
_QUARTERS = (
    re.compile(r"\bQ(?P<quarter>[1-4])[ '’]?(?:FY)?[ '’]?(?P<year>\d{4}|\d{2})\b", re.IGNORECASE),
    re.compile(r"\b(?P<year>\d{4})Q(?P<quarter>[1-4])\b", re.IGNORECASE),
    re.compile(r"\b(?P<quarter>[1-4])Q(?P<year>\d{4}|\d{2})\b", re.IGNORECASE),
)
_THOUSANDS = re.compile(r"(?<![\d,.])\d{1,3}(?:,\d{3})+(?![\d,])")
_FORM = re.compile(r"\b(\d{1,2})-([A-Z])\b")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def spell_out(text: str) -> str:
    """``text`` with the spellings a reader would also search for.

    «FY18» is also «2018», «2023Q2» also «2023 Q2», «10-K» also «10K», «1,577» becomes «1577»,
    «BESTBUY_2017» and «annualReport» fall into their words.
    """
    text = text.replace("_", " ")
    text = _CAMEL.sub(" ", text)
    text = _THOUSANDS.sub(lambda m: m.group().replace(",", ""), text)
    text = _FORM.sub(r"\g<0> \1\2", text)
    for pattern in _QUARTERS:
        text = pattern.sub(lambda m: f"{m.group()} Q{m['quarter']} {_full_year(m['year'])}", text)
    return _FISCAL.sub(lambda m: f"{m.group()} {_full_year(m.group(1))}", text)


def _full_year(year: str) -> str:
    return year if len(year) == 4 else f"20{year}"


@cache
def _encoder() -> Any:
    import qdrant_edge as edge

    return edge.Bm25(
        edge.Bm25Config(
            avg_len=_AVERAGE_WORDS,
            language="english",
            lowercase=True,
            ascii_folding=True,
            tokenizer=edge.TokenizerType.Word,
        )
    )
