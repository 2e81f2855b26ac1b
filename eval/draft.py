"""A first set of questions, drafted from the index without a model, for a person to edit.

Two kinds: what a file gives under a label («Date/Type of Last Inspection: 08/01/2007»), and a
sentence with one of its facts cut out. Some get a label or a fact that is nowhere in that file, and
so no answer. They are plain, and easier than what people ask, since they use the file's own words.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from eval.records import Question
from rag.checking.reading import read
from rag.errors import UsageError
from rag.records import FileRecord
from rag.render import one_line
from rag.sentences import spans
from rag.settings import Settings
from rag.store import open_reader
from rag.store.base import Reader, StoredChunk, chunk_id

#: One draft in four has no answer in its file. Set by hand.
_UNANSWERABLE_EACH = 4
#: Files read for each draft wanted, and chunks of each that are drafted from: a large index is not
#: read as a whole. Set by hand.
_FILES_A_DRAFT = 3
_CHUNKS_A_FILE = 60
_TOGETHER = 500  # chunks loaded at once
#: Words of a sentence that can stand alone with a gap in it. Set by hand.
_WORDS = range(8, 36)
_GAP = "____"
_FILE = "\0"  # where the name of a file goes: no text from `one_line` has it
_WORDS_OF_A_VALUE = 2  # under a label: more are mostly prose, unless a «|» sets it apart. By hand
#: Addresses, lists and tables make no readable gap.
_ODD = ("@", "://", "www.", ":", "|", _GAP)
_KINDS = {
    "number": "figure", "money": "amount", "percent": "percentage", "date": "date",
    "quarter": "date", "time": "time",
}  # fmt: skip
_LABEL = re.compile(
    r"^\W*([A-Z][\w /&'’().-]{3,40}?)\s*:[\s|]+(\S[^:|]{0,60}?)[\s|]*$", re.MULTILINE
)
#: A sentence that begins so leans on the one before it.
_LEANS = re.compile(
    r"(?:he|she|it|they|we|this|that|these|those|such|however|there)\b", re.IGNORECASE
)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


@dataclass(frozen=True, slots=True)
class _Fact:
    """Something that a file says: its question with a place for the file's name, the answer, the
    exact quote. ``known`` is the label or sentence that the question shows."""

    file: str
    page: int | None
    asks: str
    answer: str
    quote: str
    known: str
    label: bool


@dataclass(frozen=True, slots=True)
class _Source:
    file: str
    facts: tuple[_Fact, ...]
    text: str


def draft(settings: Settings, count: int) -> list[Question]:
    """At most ``count`` drafts, the same ones for the same index, spread over its files.

    Raises UsageError when no file gives one; IndexMissing and the other errors of an index.
    """
    reader = open_reader(settings)
    try:
        sources = _without_boilerplate(list(_sources(reader, count * _FILES_A_DRAFT)))
    finally:
        reader.close()
    if not sources:
        raise UsageError(
            "no sentence with a fact was found to draft from", "write questions by hand"
        )
    without = count // _UNANSWERABLE_EACH
    lacking = list(_lacking(sources))[:without]
    answered = list(_in_turn(sources))[: count - len(lacking)]
    return [*(_question(f, n) for n, f in enumerate(answered, 1)), *lacking]


# ------------------------------------------------------------------ facts


def _sources(reader: Reader, most: int) -> Iterator[_Source]:
    files = sorted((f for f in reader.files() if f.chunks), key=lambda f: _shuffled(f.file))
    for record in files[:most]:
        chunks = list(_chunks(reader, record))
        text = "\n".join(c.text for c in chunks)
        every = max(1, len(chunks) // _CHUNKS_A_FILE)
        facts = {f.quote: f for c in chunks[::every] for f in (*_labels(c, text), *_sentences(c))}
        yield _Source(
            record.file, tuple(sorted(facts.values(), key=lambda f: _shuffled(f.quote))), text
        )


def _without_boilerplate(sources: Sequence[_Source]) -> list[_Source]:
    """What several files say in the same words is no question about one of them."""
    homes = Counter(f.known for s in sources for f in s.facts if not f.label)
    kept = [replace(s, facts=tuple(f for f in s.facts if homes[f.known] < 2)) for s in sources]
    return [s for s in kept if s.facts]


def _chunks(reader: Reader, record: FileRecord) -> Iterator[StoredChunk]:
    """All chunks of a file, since what is said to be missing must be missing in all of it."""
    fingerprint = reader.meta().fingerprint
    for start in range(0, record.chunks, _TOGETHER):
        numbers = range(start, min(record.chunks, start + _TOGETHER))
        ids = [chunk_id(record.file, record.content, n, fingerprint) for n in numbers]
        yield from reader.chunks(ids)


def _labels(chunk: StoredChunk, text: str) -> Iterator[_Fact]:
    """What stands after a label that the file has once. Without the bars of a table a longer value
    may be that of the next column too."""
    for match in _LABEL.finditer(chunk.text):
        label, value = match.group(1).strip(), match.group(2).strip()
        alone = "|" in match.group() or len(value.split()) <= _WORDS_OF_A_VALUE
        figure = any(c.isdigit() for c in value) or bool(read(value).names)
        once = text.count(f"{label}:") == 1 and label.count("(") == label.count(")")
        if alone and figure and once:
            asks = f"What does {_FILE} give as «{one_line(label)}»?"
            quote = match.group().strip(" |\n")
            yield _Fact(chunk.file, chunk.page, asks, one_line(value), quote, label, label=True)


def _sentences(chunk: StoredChunk) -> Iterator[_Fact]:
    """Sentences of a fair length that stand alone, with a figure, date or name cut out."""
    for start, end in spans(chunk.text):
        quote = chunk.text[start:end]
        told = one_line(quote)
        stands = told[:1].isupper() and told.endswith(".") and not _LEANS.match(told)
        odd = any(sign in told for sign in _ODD)
        if odd or not stands or len(told.split()) not in _WORDS:
            continue
        if fact := _cut(told):
            answer, what = fact
            shown = told.replace(answer, _GAP)
            asks = f"According to {_FILE}, what is the missing {what}: “{shown}”?"
            yield _Fact(chunk.file, chunk.page, asks, answer, quote, told, label=False)


def _cut(sentence: str) -> tuple[str, str] | None:
    """(the fact to be cut out, what it is): the longest amount, else a date, else a name. It must
    stand there once, and by itself."""
    reading = read(sentence)
    figures = [
        (sentence[q.start : q.end].strip(), _KINDS.get(q.kind, "figure"))
        for q in reading.quantities
        if q.kind in _KINDS and any(c.isdigit() for c in sentence[q.start : q.end])
    ]
    figures.sort(key=lambda f: (f[1] == "date", -len(f[0])))
    names = [(n.text, "name") for n in reading.names if not n.doubtful and len(n.stems) > 1]
    for fact, what in (*figures, *names):
        alone = re.search(rf"(?<![^\s(“\"]){re.escape(fact)}(?=[\s,.;)”\"])", sentence)
        if alone and len(fact) > 1 and sentence.count(fact) == 1:
            return fact, what
    return None


# ------------------------------------------------------------------ questions


def _in_turn(sources: Sequence[_Source]) -> Iterator[_Fact]:
    """The first fact of each file, then the second of each; labels and sentences by turns."""
    queues = []
    for source in sources:
        labels = [f for f in source.facts if f.label]
        others = [f for f in source.facts if not f.label]
        mixed = [f for pair in zip(others, labels, strict=False) for f in pair]
        queues.append([*mixed, *others[len(labels) :], *labels[len(others) :]])
    for turn in range(max(map(len, queues))):
        yield from (queue[turn] for queue in queues if turn < len(queue))


def _lacking(sources: Sequence[_Source]) -> Iterator[Question]:
    """Questions about a file that it cannot answer, by turns: the year of a sentence changed to
    one that is nowhere in the file; a label, or a sentence, that only another file has."""
    seen: set[str] = set()
    for n, source in enumerate(sources, 1):
        others = [*sources[n:], *sources[: n - 1]]
        ways = [
            _other_years(source),
            _others(source, others, label=True),
            _others(source, others, label=False),
        ]
        turned = itertools.chain(*ways[n % 3 :], *ways[: n % 3])
        changed = next((asks for asks in turned if asks not in seen), None)
        if changed:
            seen.add(changed)
            yield Question(
                id=f"draft-without-{n:02}",
                question=changed.replace(_FILE, _name(source.file)),
                answerable=False,
                tags=("draft", "unanswerable"),
                draft=True,
            )


def _other_years(source: _Source) -> Iterator[str]:
    for fact in source.facts:
        for year in () if fact.label else _YEAR.findall(fact.known):
            later = (str(int(year) + step) for step in range(3, 12))
            other = next((y for y in later if y not in source.text), None)
            if other and year in fact.asks:
                yield fact.asks.replace(year, other)


def _others(source: _Source, others: Sequence[_Source], *, label: bool) -> Iterator[str]:
    """What other files say under a label, or in a sentence, of which this one has not a word in
    that order."""
    mine = " ".join(source.text.casefold().split())
    for fact in (f for other in others for f in other.facts):
        if fact.label is label and fact.known.casefold() not in mine:
            yield fact.asks


def _question(fact: _Fact, number: int) -> Question:
    return Question(
        id=f"draft-{number:02}",
        question=fact.asks.replace(_FILE, _name(fact.file)),
        answerable=True,
        answer=fact.answer,
        file=fact.file,
        page=fact.page,
        quote=fact.quote,
        tags=("draft", "label" if fact.label else "gap"),
        draft=True,
    )


def _name(file: str) -> str:
    return one_line(PurePosixPath(file).name)


def _shuffled(text: str) -> str:
    """An order that has nothing to do with the text's own, and is always the same."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
