"""The sample folder: real documents, questions whose quotes stand where they say, a full README."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import docx
import lxml.html
import pypdfium2
import pytest

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
PUBLISHED = Path(__file__).parents[2] / "shared" / "data" / "ntsb" / "pdfs"
DOCUMENTS = sorted(
    path.name for path in SAMPLES.iterdir() if path.name not in ("README.md", "questions.jsonl")
)
README = (SAMPLES / "README.md").read_text(encoding="utf-8")
QUESTIONS: list[dict[str, Any]] = [
    json.loads(line)
    for line in (SAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines()
]
ANSWERABLE = [q for q in QUESTIONS if q["answerable"]]
UNANSWERABLE = [q for q in QUESTIONS if not q["answerable"]]

each_answerable = pytest.mark.parametrize("item", ANSWERABLE, ids=lambda q: q["id"])
each_unanswerable = pytest.mark.parametrize("item", UNANSWERABLE, ids=lambda q: q["id"])


def normalised(text: str) -> str:
    """Whitespace, hyphens at line ends and quote marks made equal, nothing else."""
    text = text.translate(str.maketrans("“”„’‘", '"""\'\''))
    # PDFium writes U+FFFE for a hyphen at a line end. Every hyphen inside a word goes, so that
    # «10-degrees» equals itself broken after the hyphen; the minus of «-13°C» stays.
    text = re.sub(r"(?<=\w)[-\ufffe\u00ad]\s*(?=\w)", "", text)
    return " ".join(text.split())


def pdf_pages(path: Path) -> dict[int | None, str]:
    with pypdfium2.PdfDocument(path) as pdf:
        return {
            number: page.get_textpage().get_text_bounded() for number, page in enumerate(pdf, 1)
        }


def docx_text(path: Path) -> str:
    document = docx.Document(str(path))
    cells = [cell.text for t in document.tables for row in t.rows for cell in row.cells]
    return "\n".join([paragraph.text for paragraph in document.paragraphs] + cells)


@cache
def pages(name: str) -> dict[int | None, str]:
    """Page number → text; one entry under None for a format without pages."""
    path = SAMPLES / name
    if path.suffix == ".pdf":
        return pdf_pages(path)
    if path.suffix == ".docx":
        return {None: docx_text(path)}
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        text = "\n".join(lxml.html.document_fromstring(text).find("body").itertext())
    return {None: text}


def figures(text: str) -> list[str]:
    return re.findall(r"\d+(?:\.\d+)?", text.replace(",", ""))


def test_the_folder_is_a_handful_of_small_files_in_five_formats() -> None:
    assert 8 <= len(DOCUMENTS) <= 12
    assert {Path(name).suffix for name in DOCUMENTS} == {".pdf", ".docx", ".html", ".md", ".txt"}
    assert sum((SAMPLES / name).stat().st_size for name in DOCUMENTS) < 4_000_000


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_page_of_a_sample_has_text(name: str) -> None:
    assert all(normalised(text) for text in pages(name).values())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_readme_gives_every_file_a_source_and_a_licence(name: str) -> None:
    rows = [line.split("|")[1:-1] for line in README.splitlines() if line.startswith(f"| `{name}`")]
    assert [len(row) for row in rows] == [4]
    assert all(cell.strip() for cell in rows[0])
    assert "public domain" in rows[0][3]


def test_the_readme_lists_no_file_that_is_not_there() -> None:
    assert sorted(re.findall(r"^\| `([^`]+\.\w+)`", README, re.MULTILINE)) == DOCUMENTS


def test_the_readme_explains_exactly_the_tags_in_use() -> None:
    table = README[README.index("| tag |") :]
    explained = {
        tag
        for line in table.splitlines()[2:]
        for tag in re.findall(r"`([^`]+)`", line.split("|")[1])
    }
    assert explained == {tag for q in QUESTIONS for tag in q["tags"]}


def test_there_are_about_forty_questions_of_every_kind() -> None:
    assert len(ANSWERABLE) >= 26
    assert len(UNANSWERABLE) >= 14
    assert sum("half" in q["tags"] for q in ANSWERABLE) >= 3
    assert {q["file"] for q in ANSWERABLE} == set(DOCUMENTS)
    assert any((q["page"] or 0) >= 2 for q in ANSWERABLE)


@pytest.mark.parametrize("item", QUESTIONS, ids=lambda q: q["id"])
def test_a_question_has_the_eight_fields_of_the_contract(item: dict[str, Any]) -> None:
    assert list(item) == [
        "id", "question", "answerable", "answer", "file", "page", "quote", "tags",
    ]  # fmt: skip
    assert item["question"].endswith("?")
    assert item["tags"]


@pytest.mark.parametrize("field", ["id", "question"])
def test_no_two_questions_share_an_id_or_a_wording(field: str) -> None:
    assert max(Counter(q[field] for q in QUESTIONS).values()) == 1


@each_answerable
def test_a_quote_stands_on_its_page_and_on_no_other(item: dict[str, Any]) -> None:
    quote = normalised(item["quote"])
    bearing = [page for page, text in pages(item["file"]).items() if quote in normalised(text)]
    assert bearing == [item["page"]]


@each_answerable
def test_every_figure_of_an_answer_stands_in_its_quote(item: dict[str, Any]) -> None:
    if "date" in item["tags"]:  # «June 17, 2019» is written 06/17/2019 in the report
        return
    assert set(figures(item["answer"])) <= set(figures(item["quote"]))


@each_answerable
def test_a_question_is_not_copied_from_its_quote(item: dict[str, Any]) -> None:
    """No run of five words is shared, names and numbers apart."""
    asked = re.findall(r"\w+", item["question"].lower())
    quoted = " ".join(re.findall(r"\w+", item["quote"].lower()))
    runs = (" ".join(asked[i : i + 5]) for i in range(len(asked) - 4))
    assert not [run for run in runs if run in quoted]


@each_answerable
def test_the_readme_gives_no_answer_away(item: dict[str, Any]) -> None:
    """It lies in the folder and is indexed with it."""
    assert normalised(item["quote"]) not in normalised(README)


@each_unanswerable
def test_an_unanswerable_question_has_no_answer_file_page_or_quote(item: dict[str, Any]) -> None:
    assert [item[field] for field in ("answer", "file", "page", "quote")] == [None] * 4


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"\w+", normalised(text)))


def published(name: str) -> Path:
    """The NTSB's own PDF of a report, named by the number that every sample keeps."""
    found = re.match(r"ntsb-(\w+?)-", name)
    assert found
    path = PUBLISHED / f"{found[1]}.pdf"
    if not path.exists():
        pytest.skip("the published reports are not beside this checkout")
    return path


@pytest.mark.parametrize("name", [n for n in DOCUMENTS if n.endswith(".pdf")])
def test_a_pdf_is_byte_for_byte_as_published(name: str) -> None:
    assert (SAMPLES / name).read_bytes() == published(name).read_bytes()


@pytest.mark.parametrize("name", [n for n in DOCUMENTS if not n.endswith((".pdf", ".txt"))])
def test_a_converted_report_holds_every_word_of_its_pdf_and_no_other(name: str) -> None:
    original = "\n".join(
        re.sub(r"\APage \d+ of \d+.*", "", text) for text in pdf_pages(published(name)).values()
    )
    converted = pages(name)[None].replace("| Item | Reported |", "")
    assert words(converted) == words(original)
