"""Whatever is typed wrong: one line that names it, the right exit code, and nothing changed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import NOBODY, SAMPLES, Outcome, Outside, one_error_line, rag_here

from ingest import ingest_folder
from rag import Pipeline
from rag.errors import UsageError
from rag.store.folders import copy_sparse
from rag.testing import ScriptedServer

ESCAPE = "\x1b]8;;http://evil.example\x07\x1b[31mred\u202e"


@dataclass(frozen=True)
class Case:
    """``line`` must stand in the error; {…} are filled in from the places of the fixture."""

    id: str
    arguments: tuple[str, ...]
    code: int
    line: str
    env: Mapping[str, str] = field(default_factory=dict)
    toml: bytes = b""


def case(name: str, command: str, code: int, line: str, **more: str | bytes) -> Case:
    """A case whose arguments are the words of ``command``; other keywords are its environment."""
    toml = more.pop("toml", b"")
    assert isinstance(toml, bytes)
    return Case(
        name, tuple(command.split()), code, line, {k: str(v) for k, v in more.items()}, toml
    )


def ask(name: str, options: str, code: int, line: str, **more: str | bytes) -> Case:
    return case(name, f"ask fence? --index {{index}} {options}", code, line, **more)


def exact(name: str, code: int, line: str, *arguments: str) -> Case:
    return Case(name, arguments, code, line)


FOLDERS = [
    case("missing folder", "ingest {tmp}/nowhere --index {new}", 2, "does not exist"),
    case("file for a folder", "ingest {file} --index {new}", 2, "is not a folder"),
    case("empty folder", "ingest {empty} --index {new}", 2, "holds no files"),
    case("no folder yet", "ingest --index {new}", 10, "no folder given"),
    case("another folder", "ingest {docs} --index {index}", 2, "not to {docs}"),
    case("negative workers", "ingest {docs} --index {new} --workers -1", 2, "--workers"),
    case("workers in words", "ingest {docs} --index {new} --workers all", 2, "'all'"),
    case("tiny chunks", "ingest {docs} --index {new}", 2, "16 or more", RAG_CHUNK_TOKENS="3"),
    case("other chunks", "ingest {samples} --index {index}", 12, "chunker", RAG_CHUNK_TOKENS="99"),
    case("index is a file", "ingest {docs} --index {file}", 2, "{file}"),
    case("index below a file", "ingest {docs} --index {file}/index", 2, "{file}/index"),
]
QUESTIONS = [
    case("no index", "ask fence? --index {new}", 10, "rag ingest --index {new} FOLDER"),
    case("no index to search", "search fence? --index {new}", 10, "rag ingest --index"),
    case("no index to show", "--index {new} status", 10, "rag ingest --index {new} FOLDER"),
    case("a folder, but no index", "ask fence? --index {docs}", 10, "no index at {docs}"),
    exact("empty question", 2, "question is empty", "ask", "", "--index", "{index}"),
    exact("white question", 2, "question is empty", "search", " \t\n", "--index", "{index}"),
    exact("endless question", 2, "100,000", "ask", "why " * 25_000, "--index", "{index}"),
    exact("bytes for a question", 2, "no text", "ask", "caf\udce9?", "--index", "{index}"),
    exact("bytes to search", 2, "no text", "search", "caf\udce9?", "--index", "{index}"),
    case("no question", "ask --index {index}", 2, "QUESTION"),
    case("two questions", "ask one two --index {index}", 2, "two"),
    case("no command", "--index {index}", 2, "Missing command"),
    case("unknown command", "query fence?", 2, "'query'"),
    ask("unknown flag", "--verbose", 2, "--verbose"),
    ask("flag without its value", "--save", 2, "--save"),
    ask("empty index", "--index=", 2, "index = «»"),
    ask("k of none", "-k 0", 2, "-k"),
    ask("k in words", "-k many", 2, "'many'"),
    ask("k of thousands", "-k 5000", 2, "-k"),
    ask("filter without file", "--filter *.pdf", 2, "file=GLOB"),
    ask("filter of another kind", "--filter page=3", 2, "file=GLOB"),
    ask("filter of nothing", "--filter file=", 2, "file=GLOB"),
    ask("two filters", "--filter file=a --filter file=b", 2, "twice"),
    ask("filter that matches nothing", "--filter file=*.xls", 2, "none of 11 indexed files"),
    ask("strict about nothing", "--strict --no-verify", 2, "leave out --no-verify"),
    ask("gate above one", "--gate 2", 2, "--gate"),
    ask("gate that is no number", "--gate nan", 2, "gate"),
    ask("context too small to be one", "--context 9", 2, "--context"),
    ask("no room for an answer", "--answer-tokens 1", 2, "--answer-tokens"),
    ask("context too small", "--ollama-url {ollama} --context 600", 2, "raise --context"),
    ask("save into nowhere", "--save {tmp}/nowhere/a.json", 2, "nowhere/a.json"),
    ask("save onto a folder", "--save {docs}", 2, "it is a folder"),
]
MODELS = [
    ask("unknown generator", "--generator gpt", 2, "one of auto, ollama, openai, extractive"),
    ask("unknown generator set", "", 2, "RAG_GENERATOR", RAG_GENERATOR="gpt"),
    ask("unknown Ollama model", "--generator ollama --ollama-url {ollama} --model m", 14,
        "ollama pull m"),
    ask("unknown OpenAI model", "--openai-url {ollama} --model m", 14, "--model: qwen3"),
    ask("OpenAI server unnamed", "--generator openai", 2, "--openai-url"),
    case("OpenAI server unnamed, nothing to write", "ask zebra? --index {index} --generator openai",
         2, "--openai-url"),
    ask("NLI model unnamed", "--verifier nli", 2, "--verifier-model"),
    case("NLI model unnamed, nothing to check", "ask zebra? --index {index} --verifier nli", 2,
         "--verifier-model"),
    ask("no Ollama", "--generator ollama --ollama-url {nobody}", 14, "ollama serve"),
    ask("no OpenAI server", "--openai-url {nobody}", 14, "--openai-url"),
    ask("embedder folder missing", "--embedder {tmp}/nowhere", 14, "{tmp}/nowhere"),
    ask("reranker folder missing", "--reranker {tmp}/nowhere", 14, "{tmp}/nowhere"),
    ask("index of another model", "", 12, "query_prefix", RAG_QUERY_PREFIX="query: "),
    ask("cache is a file", "", 14, "RAG_CACHE_DIR", RAG_CACHE_DIR="{file}"),
    case("no Ollama to list", "models --ollama-url {nobody}", 14, "ollama serve"),
    case("no Ollama to pull", "pull m --ollama-url {nobody}", 14, "ollama serve"),
    case("doctor of what", "doctor --generator gpt --index {new}", 2, "one of auto"),
]  # fmt: skip
PROMPTS = [
    ask("no such template", "--prompt {tmp}/nowhere.md", 2, "nowhere.md"),
    ask("template without fields", "--prompt {no_fields}", 2, "lacks {{passages}}"),
    ask("template without parts", "--prompt {file}.md", 2, "{file}.md"),
    ask("no template of that name", "--prompt nowhere", 2, "«nowhere» is no file"),
    ask("template of bytes", "--prompt {bytes_md}", 2, "cannot be read"),
    ask("template is a folder", "--prompt {docs}/", 2, "cannot be read"),
]
SETTINGS = [
    ask("no such settings file", "--config {tmp}/nowhere.toml", 2, "nowhere.toml"),
    ask("settings file unset", "", 2, "nowhere.toml", RAG_CONFIG="nowhere.toml"),
    ask("settings file is a folder", "--config {docs}", 2, "{docs}"),
    ask("no TOML", "", 2, "rag.toml", toml=b"k = = 3"),
    ask("TOML of bytes", "", 2, "rag.toml", toml=b"k = \xff"),
    ask("unknown setting", "", 2, "did you mean «model»", toml=b"modle = 'x'"),
    ask("setting like no other", "", 2, "docs/settings.md", toml=b"zzz = 1"),
    ask("setting of another type", "", 2, "k = «three»", toml=b"k = 'three'"),
    ask("a number in quotes", "", 2, "k = «3» cannot be used", toml=b"k = '3'"),
    ask("a switch in quotes", "", 2, "verify = «yes» cannot", toml=b"verify = 'yes'"),
    ask("true for a number", "", 2, "k = «True»", toml=b"k = true"),
    ask("a fraction of a passage", "", 2, "k = «2.5»", toml=b"k = 2.5"),
    ask("a list for a text", "", 2, "model", toml=b"model = ['a', 'b']"),
    ask("a table for a text", "", 2, "model", toml=b"[model]\nname = 'a'"),
    ask("a zero byte", "", 2, "model", toml=b'model = "a\\u0000b"'),
    ask("k set to none", "", 2, "RAG_K", RAG_K="0"),
    ask("k set to words", "", 2, "RAG_K", RAG_K="a few"),
    ask("k set to nothing", "", 2, "RAG_K", RAG_K=""),
    ask("gate set to no number", "", 2, "RAG_GATE", RAG_GATE="nan"),
    ask("context below zero", "", 2, "RAG_CONTEXT", RAG_CONTEXT="-5"),
    ask("a timeout without end", "", 2, "RAG_REPLY_TIMEOUT", RAG_REPLY_TIMEOUT="inf"),
]
BAD_URLS = ("ftp://host", "http://", "http://[::", "http://host:99999", "http://a b", "x://y?z")
URLS = [
    Case(
        f"{option} {url}",
        ("ask", "fence?", "--index", "{index}", option, url),
        2,
        "like http://127.0.0.1",
    )
    for option in ("--ollama-url", "--openai-url", "--qdrant-url")
    for url in BAD_URLS
]
COLLECTION = [
    case("Qdrant nobody runs", "status --qdrant-url {nobody}", 13, "docker compose up"),
    case("collection with a slash", "status --qdrant-url {nobody} --collection a/b", 2, "a/b"),
    case("empty collection", "status --qdrant-url {nobody} --collection=", 2, "collection = «»"),
]
ACTIVE = [
    Case(
        f"{name} {ascii(text)[1:9]}",
        ("ask", "fence?", "--index", "{index}", name, text), code,
        "http://" if name == "--qdrant-url" else "red",  # of an address only what names the host
    )
    for name, text, code in [
        ("--generator", ESCAPE, 2), ("--filter", ESCAPE, 2), ("--filter", f"file={ESCAPE}", 2),
        ("--prompt", f"{ESCAPE}.md", 2), ("--index", ESCAPE, 10), ("--config", ESCAPE, 2),
        ("--embedder", f"./{ESCAPE}", 14), ("--qdrant-url", f"http://{ESCAPE}", 2),
        ("--save", f"{ESCAPE}/a.json", 2), ("--index", "two\nlines red", 10),
        ("--index", "caf\udce9 red", 10), ("--prompt", "caf\udce9 red.md", 2),
        ("--filter", "file=caf\udce9 red", 2),
    ]
]  # fmt: skip
CASES = [
    *FOLDERS, *QUESTIONS, *MODELS, *PROMPTS, *SETTINGS, *URLS, *COLLECTION, *ACTIVE,
]  # fmt: skip


@pytest.fixture(scope="module")
def places(
    samples_index: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    tmp = tmp_path_factory.mktemp("bad")
    docs = tmp / "docs"
    docs.mkdir()
    (tmp / "empty").mkdir()
    (docs / "leave.txt").write_text("Leave is 21 days a year.")
    (tmp / "file").write_text("a file")
    (tmp / "file.md").write_text("a file")
    (tmp / "no_fields.md").write_text("# rules\nSay «not supported in source».\n# material\nnone\n")
    (tmp / "bytes.md").write_bytes(b"# rules\n\xff\n# material\n{passages} {question}\n")
    with ScriptedServer() as server:
        yield {
            "tmp": str(tmp), "docs": str(docs), "file": str(tmp / "file"), "new": str(tmp / "new"),
            "empty": str(tmp / "empty"),
            "no_fields": str(tmp / "no_fields.md"), "bytes_md": str(tmp / "bytes.md"),
            "index": str(samples_index), "samples": str(SAMPLES),
            "nobody": NOBODY, "ollama": server.url, "digest": digest(samples_index),
        }  # fmt: skip


def digest(folder: Path) -> str:
    """Of every file below the folder: name and content; the engine reorders the keys of JSON."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found.update(str(path.relative_to(folder)).encode())
        if path.suffix == ".json":
            found.update(json.dumps(json.loads(path.read_bytes()), sort_keys=True).encode())
        elif path.is_file():
            found.update(written(path))
    return found.hexdigest()


def written(path: Path) -> bytes:
    """What stands in a file and where, without its holes: most of an index is unwritten pages."""
    data = b""
    with path.open("rb") as stream:
        end = 0
        with suppress(OSError):  # there is no more data
            while True:
                start = os.lseek(stream.fileno(), end, os.SEEK_DATA)
                end = os.lseek(stream.fileno(), start, os.SEEK_HOLE)
                data += b"%d:" % start + os.pread(stream.fileno(), end - start, start)
    return data


@pytest.mark.parametrize("wrong", CASES, ids=lambda c: c.id)
def test_a_mistake_is_one_line_and_changes_nothing(
    wrong: Case, places: dict[str, str], tmp_path: Path, outside: Outside
) -> None:
    if wrong.toml:
        (tmp_path / "rag.toml").write_bytes(wrong.toml)
    env = {name: value.format(**places) for name, value in wrong.env.items()}
    arguments = [a.format(**places) for a in wrong.arguments]
    done = rag_here(*arguments, env={"RAG_OLLAMA_URL": NOBODY, **env}, cwd=tmp_path)
    line = one_error_line(done.err)
    assert (done.code, line) == (wrong.code, line)
    assert wrong.line.format(**places) in line
    assert len(line) < 700
    assert "internal error" not in line
    assert digest(Path(places["index"])) == places["digest"]
    assert not Path(places["new"]).joinpath("CURRENT").exists()
    assert outside.attempts == []


def test_the_table_of_mistakes_is_long(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        sys.stdout.write(f"[{len(CASES)} mistakes]")
    assert len(CASES) >= 100
    assert len({(c.arguments, *c.env.items(), c.toml) for c in CASES}) == len(CASES)


# ---------------------------------------------------------------------- not quite mistakes


@pytest.mark.parametrize("call", [Pipeline.open, lambda **k: ingest_folder(SAMPLES, **k)])
def test_a_misspelt_keyword_in_python_is_a_usage_error(call: object) -> None:
    with pytest.raises(UsageError, match="«indx»; did you mean «index»"):
        call(indx=".rag")  # type: ignore[operator]


def test_asking_for_no_passage_in_python_is_a_usage_error(samples_index: Path) -> None:
    with Pipeline.open(samples_index) as rag:
        for k in (0, -1, 2.5, 10**7):
            with pytest.raises(UsageError, match="no number of passages"):
                rag.search("fence?", k=k)
            with pytest.raises(UsageError, match="no number of passages"):
                rag.ask("fence?", k=k)


@pytest.mark.parametrize("question", [None, 3, b"fence?", ["fence?"]])
def test_what_is_no_text_is_no_question(samples_index: Path, question: object) -> None:
    with Pipeline.open(samples_index) as rag:
        for ask in (rag.search, rag.ask):
            with pytest.raises(UsageError, match="the question is a "):
                ask(question)  # type: ignore[arg-type]


def test_a_setting_given_in_python_is_named_as_it_was_given(samples_index: Path) -> None:
    with pytest.raises(UsageError, match=r"^k = «x» cannot be used; give a whole number"):
        Pipeline.open(samples_index, k="x")


def test_a_closed_pipeline_says_so_and_not_that_the_index_is_damaged(samples_index: Path) -> None:
    with Pipeline.open(samples_index) as rag:
        pass
    rag.close()
    for ask in (rag.search, rag.ask):
        with pytest.raises(UsageError, match="this pipeline is closed"):
            ask("Where is the fence?")


# ---------------------------------------------------------------------- damage


def damaged(copy: Path, what: str) -> Outcome:
    """What `rag ask` says of an index with one of its files spoilt."""
    current = copy / "generations" / (copy / "CURRENT").read_text().strip()
    match what:
        case "CURRENT is no number":
            (copy / "CURRENT").write_text("latest")
        case "CURRENT is gone":
            (copy / "CURRENT").unlink()
        case "CURRENT names nothing":
            (copy / "CURRENT").write_text("999")
        case "ledger is empty":
            (current / "ledger.db").write_bytes(b"")
        case "ledger is no database":
            (current / "ledger.db").write_bytes(b"not SQLite" * 1000)
        case "ledger is cut":
            ledger = (current / "ledger.db").read_bytes()
            (current / "ledger.db").write_bytes(ledger[: len(ledger) // 2])
        case "ledger is gone":
            (current / "ledger.db").unlink()
        case "vectors are gone":
            shutil.rmtree(current / "shard")
        case "a segment is gone":
            shutil.rmtree(next((current / "shard" / "segments").iterdir()))
    return rag_here("ask", "fence?", "--index", str(copy), "--generator", "extractive")


DAMAGE = [
    "CURRENT is no number", "CURRENT is gone", "CURRENT names nothing", "ledger is empty",
    "ledger is no database", "ledger is cut", "ledger is gone", "vectors are gone",
    "a segment is gone",
]  # fmt: skip


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_index_is_exit_17_with_the_command_that_rebuilds_it(
    what: str, samples_index: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "index"
    copy_sparse(samples_index, copy)
    done = damaged(copy, what)
    assert (done.code, done.out) == (17, "")
    assert "--reindex" in one_error_line(done.err)


# ---------------------------------------------------------------------- permissions


@contextmanager
def as_somebody_else() -> Iterator[None]:
    """Tests often run as root, whom no permission stops."""
    if os.getuid() == 0:
        os.setresuid(65534, 65534, 0)
        try:
            yield
        finally:
            os.setresuid(0, 0, 0)
    else:
        yield


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="affidavit-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


def test_an_index_one_may_not_read_is_exit_2(open_folder: Path, samples_index: Path) -> None:
    index = open_folder / "index"
    copy_sparse(samples_index, index)
    index.chmod(0o700)
    for path in (index, *index.rglob("*")):
        path.chmod(0)
    with as_somebody_else():
        done = rag_here("status", "--index", str(index))
    index.chmod(0o700)
    for path in index.rglob("*"):
        path.chmod(0o700)
    assert done.code == 2
    assert "ermission" in one_error_line(done.err)


def test_an_index_on_a_read_only_disk_can_be_asked(open_folder: Path, samples_index: Path) -> None:
    """Somebody else's index, or one on a mounted archive: reading needs no right to write."""
    index = open_folder / "index"
    copy_sparse(samples_index, index)
    for path in (index, *index.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    with as_somebody_else():
        done = rag_here("status", "--index", str(index))
    for path in (index, *index.rglob("*")):
        path.chmod(0o700)
    assert (done.code, done.err) == (0, "")


def test_an_index_in_a_folder_one_may_not_write_is_exit_2(open_folder: Path) -> None:
    (open_folder / "docs").mkdir()
    (open_folder / "docs" / "a.txt").write_text("Leave is 21 days.")
    open_folder.chmod(0o555)
    with as_somebody_else():
        done = rag_here("ingest", str(open_folder / "docs"), "--index", str(open_folder / "index"))
    assert done.code == 2
    assert "ermission" in one_error_line(done.err)


def test_a_record_that_cannot_be_saved_is_exit_2_after_the_answer(samples_index: Path) -> None:
    if not Path("/proc/self").exists():
        pytest.skip("no folder here in which nobody can make a file")
    done = rag_here(
        "ask", "What was the propeller of the Fisher Celebrity made of?",
        "--index", str(samples_index), "--generator", "extractive", "--save", "/proc/answer.json",
    )  # fmt: skip
    assert done.code == 2
    assert "Evidence" in done.out
    assert "--save /proc/answer.json" in one_error_line(done.err)


def test_a_password_in_an_address_is_not_repeated() -> None:
    done = rag_here("models", "--ollama-url", "http://me:hush@host:99999")
    assert done.code == 2
    assert "hush" not in one_error_line(done.err)
