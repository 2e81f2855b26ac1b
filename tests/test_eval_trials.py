"""``rag eval compare`` and `eval.trials`: variants on the same questions."""

from __future__ import annotations

import json
from pathlib import Path

import html5lib
import pytest
from conftest import NOBODY, SAMPLES, one_error_line, rag_here
from eval_runs import make_provenance, make_run, must_be_inert

from eval.compare import compare, needed
from eval.history import History
from eval.questions import read_questions
from eval.records import EvaluationRun
from eval.summary import summarise
from eval.trial_display import trial_html, trial_json, trial_lines
from eval.trials import Trial, Tried, run_trial, variants
from rag.errors import ModelUnavailable, UsageError
from rag.settings import Settings
from rag.testing import MODEL, ScriptedServer


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six of the sample questions, two of them without an answer in the documents."""
    lines = (SAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines()
    path = tmp_path_factory.mktemp("trial") / "questions.jsonl"
    path.write_text("\n".join([*lines[:4], *lines[-2:]]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def quoting(samples_index: Path) -> Settings:
    return Settings(index=str(samples_index), generator="extractive")


def by_hand(*runs: EvaluationRun) -> Trial:
    """A trial of runs «a», «b» and so on."""
    first = runs[0]
    return Trial(
        tuple(
            Tried(
                name,
                run,
                summarise(run),
                None if run is first else compare(first, run),
                {} if run is first else needed(first, run),
            )
            for name, run in zip("abc", runs, strict=False)
        )
    )


# ---------------------------------------------------------------------- what is concluded


def test_variants_that_cannot_be_told_apart_say_how_many_questions_it_would_take() -> None:
    trial = by_hand(make_run(), make_run(kinds={2: "refused"}))
    assert trial.conclusion.startswith("a and b: the answers cannot be told apart on 20 questions")
    assert "to see 5 points of task completion takes about" in trial.conclusion
    assert trial.conclusion.endswith("no quicker and no slower.")


def test_variants_that_answer_alike_are_said_to() -> None:
    assert by_hand(make_run(), make_run()).conclusion == (
        "a and b: all 20 questions came out alike; no quicker and no slower."
    )


def test_a_variant_that_is_worse_and_slower_is_said_to_be_with_its_intervals() -> None:
    worse = make_run(kinds=dict.fromkeys(range(18), "contradicted"), seconds=2.0)
    said = by_hand(make_run(), worse).conclusion
    assert said.startswith("b against a: worse in ")
    assert "claims flagged +94 points [" in said
    assert said.endswith("slower in time for a whole answer +100 % [+100, +100].")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (2.64, "perhaps slower, not beyond doubt: time for a whole answer +164 % ["),
        (0.4, "perhaps quicker, not beyond doubt: time for a whole answer −60 % ["),
        (1.0, "no quicker and no slower."),
    ],
)
def test_what_so_few_questions_cannot_settle_about_times_is_no_equality(
    seconds: float, said: str
) -> None:
    """Five pairs can never be called slower, and one that takes thrice as long is not as quick."""
    trial = by_hand(make_run(questions=6), make_run(questions=6, seconds=seconds))
    assert trial.tried[1].comparison is not None
    times = [d for d in trial.tried[1].comparison.differences if d.metric == "total_s"]
    assert [(d.pairs, d.verdict) for d in times] == [(5, "no difference seen")]
    assert said in trial.conclusion


def test_times_that_scatter_or_are_of_another_machine_are_not_told_to_be_alike() -> None:
    odd, other = make_run(questions=30), make_provenance(machine={"cpu": "another"})
    for n, reply in enumerate(odd.replies):
        reply.answer["timings"]["total_s"] *= 9.0 if n % 6 < 3 else 0.2
    assert by_hand(make_run(questions=30), odd).conclusion.endswith("times cannot be told apart.")
    assert by_hand(make_run(), make_run(provenance=other)).conclusion.endswith(
        "times cannot be compared."
    )


def test_each_further_variant_has_its_own_sentence() -> None:
    said = by_hand(make_run(), make_run(), make_run(seconds=0.4)).conclusion
    assert said.count("a and b: ") == said.count("c against a: ") == 1
    assert "quicker in time for a whole answer −60 %" in said


def test_a_trial_shows_itself_inert_with_a_plot_of_the_differences() -> None:
    trial = by_hand(make_run(), make_run(kinds={2: "contradicted"}))
    hostile = Trial(tuple(Tried(f"<b>{t.name}", *_rest(t)) for t in trial.tried))
    shown = html5lib.parseFragment(trial_html(hostile), namespaceHTMLElements=False)
    for node in shown.iter("div"):
        assert set(node.attrib) <= {"style"}
        node.attrib.clear()
    must_be_inert(shown[0])
    assert "<b>a" in "".join(shown.itertext())
    assert shown.find(".//{http://www.w3.org/2000/svg}svg") is not None


def _rest(tried: Tried) -> tuple[object, ...]:
    return tried.run, tried.summary, tried.comparison, tried.needed


def test_lines_show_quality_beside_latency() -> None:
    lines = trial_lines(by_hand(make_run(), make_run(kinds={2: "contradicted"}, seconds=1.2)))
    shown = "\n".join(lines)
    for figure in ("task completion", "claims flagged", "whole answer, median", "95th percentile"):
        assert figure in shown
    assert lines[-1].startswith("a and b: ")


def test_the_document_of_a_trial_is_json_that_every_parser_takes() -> None:
    """Where a single document was asked about, an interval has no end."""
    trial = by_hand(make_run(questions=3), make_run(questions=3, seconds=2.0))
    written = json.dumps(trial_json(trial), allow_nan=False)
    assert [v["name"] for v in json.loads(written)["variants"]] == ["a", "b"]


# ---------------------------------------------------------------------- asked for real


def test_k_is_varied_on_the_same_questions_and_kept_apart_from_the_nights(
    questions: Path, samples_index: Path, tmp_path: Path
) -> None:
    index = tmp_path / "index"
    index.symlink_to(samples_index)
    common = ("--index", str(index), "--generator", "extractive", "--json")
    done = rag_here("eval", "compare", str(questions), "-k", "1", "--k", "4", *common)
    assert done.code == 0, done.err
    first, second = done.json["variants"]
    assert (first["name"], second["name"]) == ("k = 1", "k = 4")
    assert {d["metric"] for d in second["differences"]} >= {"task_completion", "total_s"}
    assert first["differences"] == []
    assert "k = 4" in done.json["conclusion"]
    with History(tmp_path / "index-eval" / "trials.sqlite") as history:
        kept = [history.load(v["run_id"]) for v in (first, second)]
    assert [r.provenance.settings["ask_k"] for r in kept] == [1, 4]
    assert [len(r.results) for r in kept] == [6, 6]
    assert not (tmp_path / "index-eval" / "history.sqlite").exists()


def test_two_prompts_are_compared_where_a_model_writes(
    questions: Path, samples_index: Path, tmp_path: Path
) -> None:
    """The first prompt gets the answer, the second a refusal of everything."""
    template = Path("prompts/answer.md").read_text(encoding="utf-8")
    prompts = [tmp_path / "a.md", tmp_path / "b.md"]
    for prompt, word in zip(prompts, ("short", "shorter"), strict=True):
        prompt.write_text(template.replace("one to five short", f"one to five {word}"))
    asked = read_questions(questions)[:3]
    with ScriptedServer() as server:
        server.enqueue(*["The runway was 3078 feet long [1]."] * 3)
        server.enqueue(*["not supported in source"] * 3)
        settings = Settings(
            index=str(samples_index), generator="ollama", model=MODEL, ollama_url=server.url
        )
        both = variants(settings, "prompt", [str(p) for p in prompts])
        trial = run_trial(asked, both, tmp_path / "trials.sqlite")
    refused = [[r.answer["refused"] for r in t.run.replies] for t in trial.tried]
    assert refused == [[False] * 3, [True] * 3]
    assert trial.tried[1].comparison is not None
    assert any("prompt" in line for line in trial.tried[1].comparison.changed)


def test_prompts_make_no_difference_where_no_model_writes(
    questions: Path, quoting: Settings, tmp_path: Path
) -> None:
    other = tmp_path / "other.md"
    other.write_text(Path("prompts/answer.md").read_text(encoding="utf-8") + "\n", encoding="utf-8")
    both = variants(quoting, "prompt", ["", str(other)])
    with pytest.raises(UsageError, match="would answer alike: no model writes here"):
        run_trial(read_questions(questions), both, tmp_path / "trials.sqlite")
    assert not (tmp_path / "trials.sqlite").exists()


def test_a_variant_that_cannot_be_opened_is_told_before_any_is_asked(
    questions: Path, samples_index: Path, tmp_path: Path
) -> None:
    with ScriptedServer() as server:
        options = ("--index", str(samples_index), "--ollama-url", server.url)
        models = ("--generator", "ollama", "--model", MODEL, "--model", "unheard-of")
        done = rag_here("eval", "compare", str(questions), *options, *models, cwd=tmp_path)
        assert server.chats() == []
    assert done.code == 14
    assert "unheard-of" in one_error_line(done.err)


def test_a_trial_that_comes_down_to_quotes_says_so_once(
    questions: Path, samples_index: Path, tmp_path: Path
) -> None:
    done = rag_here(
        "eval", "compare", str(questions), "-k", "1", "-k", "3",
        "--index", str(samples_index), "--ollama-url", NOBODY, cwd=tmp_path,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert done.err.count("so the sources are quoted; for a written answer: ") == 1


@pytest.mark.parametrize("named", [True, False])
def test_quotes_stand_in_for_no_variant_where_a_model_writes_for_another(
    questions: Path, samples_index: Path, tmp_path: Path, named: bool
) -> None:
    """Also where both are models by their names, and only one is there; nobody is asked."""
    with ScriptedServer(models=("other",)) as server:
        settings = Settings(index=str(samples_index), ollama_url=server.url, verifier="rules")
        both = variants(settings, "model", [MODEL, "other"])
        with pytest.raises(ModelUnavailable, match="--generator extractive"):
            run_trial(
                read_questions(questions)[:1], both, tmp_path / "trials.sqlite", model_named=named
            )
        assert server.chats() == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "nothing to be varied"),
        (["-k", "3"], "nothing to be varied"),
        (["-k", "3", "-k", "5", "--model", "x", "--model", "y"], "2 to be varied, and one thing"),
        (["-k", "3", "-k", "3"], "k is to be varied over 3, 3; give two or more that differ"),
        (["--prompt", "a.md", "--prompt", "b.md"], "a.md"),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_exit_2(
    questions: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    done = rag_here("eval", "compare", str(questions), *options, cwd=tmp_path)
    assert done.code == 2
    assert said in one_error_line(done.err)
