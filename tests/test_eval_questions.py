"""What is asked and by what it is judged: questions, their drafts, the rubric."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest
from conftest import SAMPLES, one_error_line, rag_here
from hypothesis import given
from hypothesis import strategies as st

from eval import criteria, rubric
from eval.draft import draft
from eval.new_file import write_new
from eval.questions import questions_digest, read_questions, to_line
from eval.records import Question
from eval.rubric import load_rubric, shipped
from rag.errors import DiskFull, UsageError
from rag.pipeline import Pipeline
from rag.quotes import locate
from rag.settings import Settings


def written(folder: Path, text: str | bytes, name: str = "questions.jsonl") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# ------------------------------------------------------------------ questions


def test_the_sample_questions_are_read_in_their_order() -> None:
    found = read_questions(SAMPLES / "questions.jsonl")
    assert (found[0].id, found[0].page, found[0].answerable) == ("wausau-runway", 1, True)
    assert found[-1].answerable is False
    assert len({q.id for q in found}) == len(found) == 43


def test_a_bom_empty_lines_and_windows_line_ends_do_not_count(tmp_path: Path) -> None:
    path = written(tmp_path, b'\xef\xbb\xbf\r\n{"question": "One?"}\r\n\r\n \n{"question": "Two?"}')
    assert [q.question for q in read_questions(path)] == ["One?", "Two?"]


def test_a_question_without_an_id_gets_the_same_one_wherever_it_stands(tmp_path: Path) -> None:
    one = read_questions(written(tmp_path, '{"question": "A?"}\n{"question": "B?"}', "1.jsonl"))
    other = read_questions(written(tmp_path, '{"question": "B?"}\n{"question": "A?"}', "2.jsonl"))
    assert [q.id for q in one] == [q.id for q in reversed(other)]


def test_numbers_are_taken_as_ids(tmp_path: Path) -> None:
    (found,) = read_questions(written(tmp_path, '{"id": 7, "question": "A?"}'))
    assert found.id == "7"


def test_two_thousand_questions_are_read(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps({"question": f"What is {n}?"}) for n in range(2000))
    assert len(read_questions(written(tmp_path, lines))) == 2000


@pytest.mark.parametrize(
    ("line", "told"),
    [
        pytest.param("{", "not JSON", id="cut"),
        pytest.param('{"question": "x?", "question": "y?"}', "«question» is given twice", id="two"),
        pytest.param('["A?"]', "not an object", id="list"),
        pytest.param('{"id": "a"}', "«question» is missing", id="no question"),
        pytest.param('{"question": " "}', "«question» is .*, not a text", id="blank"),
        pytest.param('{"question": 3}', "«question» is 3, not a text", id="number"),
        pytest.param('{"question": "A?", "page": "2"}', "«page» is .*not a whole", id="page"),
        pytest.param('{"question": "A?", "file": "f", "page": 0}', "from 1", id="page 0"),
        pytest.param('{"question": "A?", "file": "f", "page": true}', "from 1", id="page true"),
        pytest.param('{"question": "A?", "page": 2}', "«page» without «file»", id="no file"),
        pytest.param('{"question": "A?", "answerable": "yes"}', "true or false", id="yes"),
        pytest.param('{"question": "A?", "tags": "x"}', "not a list", id="tags"),
        pytest.param('{"question": "A?", "anwser": "x"}', "did you mean «answer»", id="misspelt"),
        pytest.param('{"question": "A?", "colour": 1}', "unknown field «colour»", id="unknown"),
        pytest.param('{"question": "\\ud800?"}', "half a character", id="surrogate"),
        pytest.param('{"question": "%s"}' % ("a" * 4001), "the limit is 4000", id="long"),
        pytest.param(
            '{"question": "A?", "answerable": false, "answer": "x"}', "is false, but", id="both"
        ),
        pytest.param("[" * 100_000, "not JSON", id="deep"),
    ],
)
def test_a_line_that_cannot_be_used_is_named_with_what_is_wrong(
    tmp_path: Path, line: str, told: str
) -> None:
    path = written(tmp_path, f'{{"question": "First?"}}\n{line}\n')
    with pytest.raises(UsageError, match=f"questions.jsonl: line 2: .*{told}"):
        read_questions(path)


def test_all_wrong_lines_are_told_at_once_and_those_beyond_twenty_counted(tmp_path: Path) -> None:
    path = written(tmp_path, '{"question": 1}\n' * 25)
    with pytest.raises(UsageError) as caught:
        read_questions(path)
    assert all(f"line {n}:" in caught.value.problem for n in range(1, 21))
    assert "line 21:" not in caught.value.problem
    assert "and 5 more" in caught.value.problem


def test_an_id_that_stands_twice_is_named_with_both_lines(tmp_path: Path) -> None:
    path = written(tmp_path, '{"id": "a", "question": "A?"}\n\n{"id": "a", "question": "B?"}')
    with pytest.raises(UsageError, match="line 3: id «a» is that of line 1 as well"):
        read_questions(path)


def test_a_byte_that_is_no_text_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line 2: not UTF-8"):
        read_questions(written(tmp_path, b'{"question": "A?"}\n{"question": "\xff"}'))


@pytest.mark.parametrize("name", ["absent.jsonl", "."])
def test_a_file_that_cannot_be_read_is_a_usage_error_with_the_way_to_make_one(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError, match=r"cannot be read: .*rag eval init"):
        read_questions(tmp_path / name)


def test_an_empty_file_holds_no_question(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no question in it"):
        read_questions(written(tmp_path, "\n\n"))


def test_hostile_field_names_reach_the_terminal_inert(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps({"question": "A?", "\x1b[31mred\u202e": 1}))
    done = rag_here("eval", "run", str(path), cwd=tmp_path)
    assert done.code == 2
    assert "unknown field" in one_error_line(done.err)


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).filter(str.strip)


@given(
    st.builds(
        Question, id=TEXT, question=TEXT, answerable=st.sampled_from([None, True]),
        answer=st.none() | TEXT, file=TEXT, page=st.none() | st.integers(1, 10**6),
        quote=st.none() | TEXT, tags=st.lists(TEXT, max_size=3).map(tuple), draft=st.booleans(),
    )
)  # fmt: skip
def test_a_question_written_as_a_line_reads_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, question: Question
) -> None:
    path = tmp_path_factory.getbasetemp() / "line.jsonl"
    path.write_text(to_line(question) + "\n", encoding="utf-8", newline="\n")
    assert read_questions(path) == [question]


def test_the_digest_names_what_is_asked_and_expected_in_whatever_order() -> None:
    asked = read_questions(SAMPLES / "questions.jsonl")
    digest = questions_digest(asked)
    assert questions_digest(asked[::-1]) == digest
    assert questions_digest([replace(asked[0], tags=("x",), draft=True), *asked[1:]]) == digest
    for change in ({"question": "x"}, {"answer": "x"}, {"page": 9}, {"answerable": None}):
        assert questions_digest([replace(asked[0], **change), *asked[1:]]) != digest


# ------------------------------------------------------------------ drafts


@pytest.fixture(scope="module")
def drafts(samples_index: Path) -> list[Question]:
    return draft(Settings(index=str(samples_index)), 20)


def test_drafts_are_marked_as_such_and_a_quarter_has_no_answer(drafts: list[Question]) -> None:
    assert len(drafts) == 20
    assert all(q.draft for q in drafts)
    assert sum(q.answerable is False for q in drafts) == 5
    assert len({q.file for q in drafts if q.file}) >= 8


def test_the_answer_of_a_draft_is_in_its_quote_and_the_quote_on_its_page(
    samples_index: Path, drafts: list[Question]
) -> None:
    with Pipeline.open(samples_index) as pipeline:
        for question in (q for q in drafts if q.answerable):
            assert question.answer in " ".join(question.quote.split())
            found = pipeline.search(question.quote, k=20, files=question.file)
            assert any(locate(question.quote, p.text) for p in found), question
            homes = {p.page for p in found if locate(question.quote, p.text)}
            assert question.page in homes


def test_the_answer_stands_in_no_question_with_a_gap(drafts: list[Question]) -> None:
    gaps = [q for q in drafts if "gap" in q.tags]
    assert gaps
    assert not any(q.answer in q.question.partition(": ")[2] for q in gaps)


def test_the_same_index_gives_the_same_drafts(samples_index: Path, drafts: list[Question]) -> None:
    assert draft(Settings(index=str(samples_index)), 20) == drafts


def test_init_writes_drafts_that_run_reads_and_says_that_a_person_must_edit_them(
    samples_index: Path, tmp_path: Path, drafts: list[Question]
) -> None:
    done = rag_here("eval", "init", "--index", str(samples_index), cwd=tmp_path)
    assert done.code == 0
    assert "Read each one" in done.err
    assert read_questions(tmp_path / "questions.jsonl") == drafts
    assert all(
        json.loads(line)["draft"]
        for line in (tmp_path / "questions.jsonl").read_text("utf-8").splitlines()
    )


def test_init_never_writes_over_a_file(samples_index: Path, tmp_path: Path) -> None:
    """And says so before it looks for the index."""
    path = written(tmp_path, "mine")
    for index in (str(samples_index), "absent"):
        done = rag_here("eval", "init", "--index", index, cwd=tmp_path)
        assert done.code == 2
        assert "exists and stays as it is" in one_error_line(done.err)
        assert path.read_text() == "mine"


def test_a_draft_that_could_not_be_written_whole_does_not_stand_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full: exit 16, and nothing is left; then there is room, and it is written."""
    opened = Path.open

    class Full:
        def __init__(self, stream: Any) -> None:
            self.stream = stream

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            self.stream.close()

        def write(self, text: str) -> int:
            self.stream.write(text[:2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def full(path: Path, *how: Any, **more: Any) -> Any:
        return Full(opened(path, *how, **more))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(DiskFull, match=r"no room for .*rubric\.toml"):
            write_new(tmp_path / "rubric.toml", "text")
    assert list(tmp_path.iterdir()) == []
    write_new(tmp_path / "rubric.toml", "text")
    assert (tmp_path / "rubric.toml").read_text() == "text"


_KILLED = """
import os, signal, sys
from pathlib import Path
from eval.new_file import write_new

opened = Path.open

def killed(path, *how, **more):
    with opened(path, *how, **more) as stream:
        stream.write("half")
    os.kill(os.getpid(), signal.SIGKILL)

Path.open = killed
write_new(Path(sys.argv[1]), "text")
"""


def test_a_kill_while_a_draft_is_written_does_not_stand_in_the_way_of_the_next(
    tmp_path: Path,
) -> None:
    path = tmp_path / "questions.jsonl"
    done = subprocess.run([sys.executable, "-c", _KILLED, str(path)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert [p.read_text() for p in tmp_path.iterdir()] == ["half"]
    write_new(path, "text")
    assert path.read_text() == "text"


@pytest.mark.parametrize("there", [False, True])
def test_a_disk_without_links_has_drafts_too_and_none_is_written_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refused)
    path = tmp_path / "questions.jsonl"
    if there:
        path.write_text("mine")
        with pytest.raises(UsageError, match="exists and stays as it is"):
            write_new(path, "text")
    else:
        write_new(path, "text")
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [
        (path.name, "mine" if there else "text")
    ]


def test_init_without_an_index_is_exit_10(tmp_path: Path) -> None:
    done = rag_here("eval", "init", cwd=tmp_path)
    assert done.code == 10
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------ rubric


def test_the_rubric_that_ships_judges_everything_that_can_be_judged() -> None:
    keys = [c.key for c in load_rubric().criteria]
    assert sorted(keys) == sorted(k for known in rubric.KNOWN.values() for k in known)
    assert set(keys) == set(criteria.BY_REPLY) | set(criteria.BY_QUESTION)
    assert all(c.description for c in load_rubric().criteria)


def test_a_copied_rubric_is_the_rubric(tmp_path: Path) -> None:
    done = rag_here("eval", "init", "--rubric", cwd=tmp_path)
    assert done.code == 0
    assert load_rubric(tmp_path / "rubric.toml").digest == load_rubric().digest


def test_a_weight_changes_the_digest_and_a_description_does_not(tmp_path: Path) -> None:
    described = shipped().replace("An answerable question", "A question that can be answered")
    weighed = shipped().replace("weight = 2.0", "weight = 3")
    assert load_rubric(written(tmp_path, described, "d.toml")).digest == load_rubric().digest
    assert load_rubric(written(tmp_path, weighed, "w.toml")).digest != load_rubric().digest


def test_a_criterion_that_is_taken_out_is_not_judged(tmp_path: Path) -> None:
    path = written(tmp_path, "[formatting.quotes_exist]\nweight = 3\n", "mine.toml")
    (found,) = load_rubric(path).criteria
    assert (found.key, found.check, found.weight) == ("quotes_exist", "formatting", 3.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("[form.x]\n", "line 1.*unknown check «form»", id="check"),
        pytest.param(
            "[formatting.quotes]\n",
            "line 1.*unknown criterion «quotes».*«quotes_exist»",
            id="criterion",
        ),
        pytest.param(
            "[speed.answered_in_time]\n# a\nsecond = 3\n",
            "line 3, .speed.answered_in_time. second: unknown key.*did you mean «seconds»",
            id="key",
        ),
        pytest.param(
            "[formatting.quotes_exist]\nseconds = 3\n", "line 2.*unknown key «seconds»", id="other"
        ),
        pytest.param(
            "[formatting.quotes_exist]\nweight = 0\n", "line 2.*«weight» is 0; give", id="weight"
        ),
        pytest.param(
            "[consistency.same_answer]\nat_least = 50\n", "line 2.*a share from 0 to 1", id="share"
        ),
        pytest.param("[consistency.same_answer]\n", "line 1.*«at_least» is missing", id="missing"),
        pytest.param(
            "[factual_accuracy.claims_accepted]\nat_least = 1\nverdicts = ['yes']\n",
            "line 3.*a list of supported",
            id="verdicts",
        ),
        pytest.param("formatting = 3\n", "«formatting» is no table", id="no table"),
        pytest.param("[formatting\n", "is not TOML: .*line 1", id="no toml"),
        pytest.param("", "names no criterion", id="empty"),
    ],
)
def test_what_a_rubric_may_not_say_is_refused_with_its_line(
    tmp_path: Path, text: str, told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        load_rubric(written(tmp_path, text, "mine.toml"))
    assert re.search(told, str(caught.value)), str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_a_rubric_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.toml cannot be read: No such file"):
        load_rubric(tmp_path / "absent.toml")
