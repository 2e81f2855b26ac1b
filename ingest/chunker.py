"""Chunking: sections cut at paragraphs, sentences, lines, then words; nothing lost, nothing over.

LlamaIndex's SentenceSplitter decides where to cut. Its chunks come back stripped, so they only
place the cuts, and the section itself is sliced there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from pathlib import PurePosixPath
from typing import Any

from ingest.readers.outline import SEPARATOR
from rag.errors import UsageError
from rag.records import Chunk, Document, Section

#: Part of the index fingerprint: raise it whenever the same document gives other chunks.
CHUNKER_VERSION = 1

#: The line in front of a chunk takes at most this much, and a quarter of what the embedder reads.
#: On 20 quarterly and 40 annual reports the longest such line was 14 tokens [measured].
_PREFIX_TOKENS = 48
#: A «word» of 100 characters and more is one unknown token to WordPiece, however long it is. So
#: a token also counts as at most ten characters, twice those of English prose.
_CHARACTERS_PER_TOKEN = 10
#: A shorter last chunk, as a part of ``chunk_tokens``, is shared out with the one before it.
_SHORT = 0.25
_SMALLEST = 16
_BLOCK = 32


@dataclass(frozen=True, slots=True)
class Chunker:
    """Cuts documents into chunks that the embedder reads to the last token.

    ``count_tokens(text)`` is the exact number of tokens of the embedder's own tokenizer without
    special tokens, ``limit`` how many of these it reads, ``chunk_tokens`` the size aimed at.
    For every chunk count_tokens(prefix + text) ≤ ``limit``; where the prefix leaves less than
    ``chunk_tokens``, chunks shrink. The result follows from the arguments alone.

    Raises UsageError when ``chunk_tokens`` is under 16 or ``limit`` under twice that.
    """

    count_tokens: Callable[[str], int]
    chunk_tokens: int = field(kw_only=True)
    limit: int = field(kw_only=True)

    def __post_init__(self) -> None:
        if self.chunk_tokens < _SMALLEST:
            raise UsageError(f"chunk_tokens = {self.chunk_tokens} is too small", "give 16 or more")
        if self.limit < 2 * _SMALLEST:
            raise UsageError(
                f"the embedder reads only {self.limit} tokens", "choose one that reads 32 or more"
            )

    def chunk(self, document: Document, file: str) -> list[Chunk]:
        """The chunks of all sections in order."""
        cutter = self.cutter(document.title, file)
        return [chunk for section in document.sections for chunk in cutter.cut(section)]

    def cutter(self, title: str, file: str) -> Cutter:
        """Cuts one document as its sections come. ``file`` is the name relative to the folder;
        its stem opens each prefix, the title follows."""
        return Cutter(self, title, file)

    def pieces(self, text: str, prefix: str, splitter: Any) -> list[str]:
        """The section in pieces that join to it again. Nothing for white space alone."""
        if not text.strip():
            return []
        pieces = _slices(text, splitter.split_text(text))
        if len(pieces) > 1 and self.size(pieces[-1]) < self.chunk_tokens * _SHORT:
            last, rest = pieces.pop(), pieces.pop()
            pieces.append(rest + last)  # cut in two below if they are too much for one
        return [small for piece in pieces for small in self._fitted(piece, prefix)]

    def _fitted(self, text: str, prefix: str) -> list[str]:
        """Halved until it fits: tokens of parts need not add up to the tokens of the whole."""
        core = text.strip()
        fits = (
            self.count_tokens(prefix + text) <= self.limit
            and len(core) <= self.limit * _CHARACTERS_PER_TOKEN
        )
        if fits or len(core) < 2:
            return [text]
        cut = text.index(core) + _middle(core)
        return self._fitted(text[:cut], prefix) + self._fitted(text[cut:], prefix)

    def size(self, text: str) -> int:
        return max(self.count_tokens(text), len(text.strip()) // _CHARACTERS_PER_TOKEN)

    def prefix(self, title: str, file: str, section: Section) -> str:
        """«file name · title · heading · page 3» and a newline; the fullest form that fits."""
        most = min(_PREFIX_TOKENS, self.limit // 4)
        name = _one_line(re.sub(r"[_-]+", " ", PurePosixPath(file).stem))
        title = _one_line(title)
        if re.sub(r"[\s_-]+", " ", title).casefold() == name.casefold():
            title = ""
        steps = [_one_line(step) for step in section.heading.split(SEPARATOR)]
        if steps[0] in (title, name):
            steps = steps[1:] or [""]
        page = f"page {section.page}" if section.page else ""
        path, last = SEPARATOR.join(steps), steps[-1]
        for parts in (
            (name, title, path, page),
            (name, title, last, page),
            (name, last, page),
            (name, title, page),
            (name, page),
        ):
            line = " · ".join(filter(None, parts)) + "\n"
            if self.count_tokens(line) <= most:
                return line
        return self._shortened(name, most)

    def _shortened(self, name: str, most: int) -> str:
        """As much of the front of a name as fits in ``most`` tokens, and a newline."""
        while name and self.count_tokens(name + "\n") > most:
            name = name[: len(name) * 3 // 4].rstrip()
        return name + "\n"


class Cutter:
    """The chunks of one document, section by section; a section of white space alone has none."""

    def __init__(self, chunker: Chunker, title: str, file: str) -> None:
        self._chunker = chunker
        self._title = title
        self._file = file
        self._splitters: dict[int, Any] = {}
        self._sections = self._chunks = self._start = 0

    def cut(self, section: Section) -> list[Chunk]:
        """The next section's chunks, numbered on from those before."""
        chunker = self._chunker
        prefix = chunker.prefix(self._title, self._file, section)
        size = min(chunker.chunk_tokens, chunker.limit - chunker.count_tokens(prefix))
        if size not in self._splitters:
            self._splitters[size] = _splitter(size, chunker.size)
        chunks: list[Chunk] = []
        at = self._start
        for text in chunker.pieces(section.text, prefix, self._splitters[size]):
            number = self._chunks + len(chunks)
            place = (section.page, section.heading, prefix)
            chunks.append(Chunk(number, self._sections, at, text, *place))
            at += len(text)
        self._sections += 1
        self._chunks += len(chunks)
        self._start += len(section.text)
        return chunks


# ------------------------------------------------------------------ where to cut


def _splitter(size: int, measure: Callable[[str], int]) -> Any:
    from llama_index.core.node_parser import SentenceSplitter

    return SentenceSplitter(
        chunk_size=size,
        chunk_overlap=0,  # 15 % of overlap: +.009 nDCG@10, not significant [measured]
        tokenizer=lambda text: range(measure(text)),  # it only asks for the length
        paragraph_separator="\n\n",
        chunking_tokenizer_fn=_finer,
        secondary_chunking_regex=None,
    )


def _finer(text: str) -> list[str]:
    """Sentences, else lines, else words, else blocks of characters; joined they are ``text``."""
    import sentencex

    sentences: list[str] = sentencex.segment("en", text)
    # Sentencex drops some of many blank lines in a row.
    if len(sentences) > 1 and "".join(sentences) == text:
        return sentences
    for parts in (re.findall(r"[^\n]*\n|[^\n]+", text), re.findall(r"\s+|\S+\s*", text)):
        if len(parts) > 1:
            return parts
    # Blocks and not halves: halving 400,000 Chinese characters counts them all eleven times over.
    step = min(_BLOCK, max(1, len(text) // 2))
    return [text[at : at + step] for at in range(0, len(text), step)]


def _slices(text: str, chunks: list[str]) -> list[str]:
    """``text`` cut where each of the stripped ``chunks`` begins; whole where the splitter has
    changed a character (it may, at odd line separators), for `_fitted` to cut."""
    cuts, end = [], 0
    for chunk in chunks:
        begin = text.find(chunk, end)  # only white space lies between, so the first is the one
        if begin < 0:
            return [text]
        cuts.append(begin)
        end = begin + len(chunk)
    return [text[a:b] for a, b in pairwise([0, *cuts[1:], len(text)])] if cuts else []


def _middle(core: str) -> int:
    """The boundary of ``core`` (two characters or more, stripped) nearest to its middle."""
    cuts = list(accumulate(map(len, _finer(core))))[:-1]
    return min(cuts, key=lambda cut: abs(cut - len(core) / 2))


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
