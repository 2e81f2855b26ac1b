"""The documentation says what the program does: commands, options, settings, exit codes, links."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from conftest import NOBODY, rag_here

from rag import errors
from rag.cli import cli
from rag.settings import Settings
from rag.testing import ScriptedServer

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FOLDERS = ("", "docs", "docs/decisions", "bench", "data/samples")
PAGES = sorted(page for folder in FOLDERS for page in (ROOT / folder).glob("*.md"))
COMMANDS = cli.list_commands(click.Context(cli))

#: Settings that are found in `rag.settings` as «unset» have no value to show.
UNSET = "unset"


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def command(called: str) -> click.Command:
    found = cli.get_command(click.Context(cli), called)
    assert found is not None
    return found


def parameters(called: str) -> Iterator[click.Parameter]:
    """Those of a command; of a group those of its commands, each of which has a chapter."""
    found = command(called)
    yield from found.params
    if isinstance(found, click.Group):
        page, context = text(DOCS / "commands.md"), click.Context(found)
        for name in found.list_commands(context):
            assert f"\n### rag {called} {name}\n" in page, f"rag {called} {name}"
            inner = found.get_command(context, name)
            assert inner is not None
            yield from inner.params


def fences(page: Path) -> Iterator[tuple[str, str]]:
    """(what stands after the opening marks, content) of each fenced block."""
    yield from re.findall(r"^```([^\n`]*)\n(.*?)^```", text(page), re.MULTILINE | re.DOTALL)


def without_fences(page: Path) -> str:
    return re.sub(r"^```.*?^```", "", text(page), flags=re.MULTILINE | re.DOTALL)


# ------------------------------------------------------------------ commands


@pytest.mark.parametrize("called", COMMANDS)
def test_every_command_and_each_of_its_options_is_documented(called: str) -> None:
    page = text(DOCS / "commands.md")
    common, _, rest = page.partition("## rag ")
    chapters = re.split(r"^## ", f"## rag {rest}", flags=re.MULTILINE)
    chapter = next((c for c in chapters if c.startswith(f"rag {called}\n")), "")
    assert chapter, f"docs/commands.md has no chapter «rag {called}»"
    for parameter in parameters(called):
        if isinstance(parameter, click.Option):
            option = max(parameter.opts, key=len)
            written = rf"`{option}[` ]"
            assert re.search(written, chapter) or re.search(written, common), f"{called} {option}"


def test_options_of_the_command_itself_are_documented() -> None:
    page = text(DOCS / "commands.md")
    for parameter in cli.params:
        assert f"`{max(parameter.opts, key=len)}" in page, parameter.opts


def test_no_option_is_documented_that_no_command_has() -> None:
    known = {"--version", "--help"}
    for called in COMMANDS:
        known.update(o for p in parameters(called) for o in p.opts)
    rows = re.findall(r"^\| `(-[^`\s]+)", text(DOCS / "commands.md"), re.MULTILINE)
    assert rows
    assert set(rows) - known - {"-h"} == set()


def call_lines(page: Path) -> Iterator[str]:
    """Every `rag …` command line of a page: in shell blocks, after «$ », and between backticks."""
    for kind, content in fences(page):
        lines = content.replace("\\\n", " ").splitlines()
        if kind == "console":
            yield from (line[2:] for line in lines if line.startswith("$ "))
        elif kind in ("", "sh"):
            yield from lines
    yield from re.findall(r"`(rag [^`]+)`", " ".join(without_fences(page).split()))


def rag_arguments(line: str) -> list[str] | None:
    """What follows the word «rag» in a shell line up to its next operator; None without one."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        assert " rag " not in f" {line}", line
        return None
    at = next((i for i, w in enumerate(words) if w == "rag" or w.endswith("/rag")), None)
    if at is None:
        return None
    rest = words[at + 1 :]
    end = next((i for i, w in enumerate(rest) if w in ("|", "||", "&&", ">", ";")), len(rest))
    return rest[:end]


def parse(arguments: list[str]) -> None:
    """Let click read a command line without running it; raises click.UsageError."""
    try:
        with cli.make_context("rag", list(arguments)) as context:
            # click 9 keeps all words in `args`
            words = [*getattr(context, "_protected_args", ()), *context.args]
            called, found, rest = cli.resolve_command(context, words)
            assert found is not None
            found.make_context(called, rest, parent=context).close()
    except click.exceptions.Exit:
        return  # --help and --version print and leave


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_line_that_is_shown_can_be_typed(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in call_lines(page):
        arguments = rag_arguments(line)
        if arguments in [[called] for called in COMMANDS]:
            continue  # a command named in a sentence
        if arguments:
            try:
                parse(arguments)
            except click.UsageError as error:
                pytest.fail(f"{name(page)}: {line.strip()}: {error.format_message()}")


def test_a_command_line_that_cannot_be_typed_is_noticed() -> None:
    assert rag_arguments("cd x && /opt/bin/rag ask 'Why?' -k 3 || echo no") == [
        "ask", "Why?", "-k", "3",
    ]  # fmt: skip
    with pytest.raises(click.UsageError):
        parse(["ask", "Why?", "--no-such-option"])


# ------------------------------------------------------------------ JSON examples

#: Objects whose keys are data.
_OPEN = ("versions", "by_status")


def differences(shown: Any, real: Any, where: str) -> Iterator[str]:
    """Where the keys of a shown document are not those of a real one."""
    if isinstance(shown, dict) and isinstance(real, dict):
        if where.rpartition(".")[2] not in _OPEN:
            if set(shown) != set(real):
                yield f"{where}: {sorted(set(shown) ^ set(real))}"
            for key in set(shown) & set(real):
                yield from differences(shown[key], real[key], f"{where}.{key}")
    elif isinstance(shown, list) and isinstance(real, list):
        if shown and real:
            yield from differences(shown[0], real[0], f"{where}[]")
    elif isinstance(shown, dict | list) and real is not None:
        yield f"{where}: shown as {type(shown).__name__}, is {type(real).__name__}"


@pytest.fixture(scope="module")
def shown() -> dict[str, Any]:
    """The JSON examples of docs/commands.md by the command that prints them."""
    blocks = [(kind.split(), body) for kind, body in fences(DOCS / "commands.md")]
    return {kind[1]: json.loads(body) for kind, body in blocks if kind[:1] == ["json"]}


def test_json_examples_have_the_fields_that_the_commands_print(
    shown: dict[str, Any], samples_index: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "notes.txt").write_text("The gate opens at nine.", encoding="utf-8")
    (folder / "broken.pdf").write_text("no PDF", encoding="utf-8")
    index = ("--index", str(tmp_path / "index"), "--json")
    question = "How far short of the runway was the Global 5000 when it struck the fence?"
    asked = (question, "--index", str(samples_index), "--json")
    with ScriptedServer() as server:
        outcomes = {
            "ingest": rag_here("ingest", str(folder), *index),
            "status": rag_here("status", "--failed", *index),
            "search": rag_here("search", *asked),
            "ask": rag_here("ask", *asked, "--generator", "extractive"),
            "verify": rag_here(
                "verify",
                "--claim",
                "It opens at ten.",
                "--evidence",
                str(folder / "notes.txt"),
                "--json",
                "--verifier",
                "rules",
            ),
            "doctor": rag_here("doctor", *index, "--ollama-url", NOBODY),
            "models": rag_here("models", "--json", "--ollama-url", server.url),
        }
    assert set(shown) == set(outcomes)
    found = [d for c, o in outcomes.items() for d in differences(shown[c], o.json, c)]
    assert found == []


# ------------------------------------------------------------------ settings and exit codes

_SETTING = re.compile(
    r"^- \*\*`(\w+)`\*\* = `?([^`\n]+?)`? · `(RAG_\w+)`(?: · (.*))?$", re.MULTILINE
)


def documented_settings() -> dict[str, tuple[str, str]]:
    found = _SETTING.findall(text(DOCS / "settings.md"))
    return {setting: (default, variable) for setting, default, variable, _ in found}


@pytest.mark.parametrize("field", dataclasses.fields(Settings), ids=lambda f: f.name)
def test_every_setting_is_documented_with_its_default(field: dataclasses.Field[Any]) -> None:
    default = UNSET if field.default is None else json.dumps(field.default)
    expected = (default, f"RAG_{field.name.upper()}")
    assert documented_settings().get(field.name) == expected


def test_no_setting_is_documented_that_does_not_exist() -> None:
    assert set(documented_settings()) == {f.name for f in dataclasses.fields(Settings)}


def test_the_flag_named_beside_a_setting_exists() -> None:
    known = {o for c in COMMANDS for p in command(c).params for o in p.opts}
    for setting, _, _, flag in _SETTING.findall(text(DOCS / "settings.md")):
        named = re.findall(r"`(-[^`]+)`", flag)
        assert set(named) <= known, setting


def exit_codes() -> set[int]:
    found = {v for k, v in vars(errors).items() if k.startswith("EXIT_")}
    waiting = [errors.RagError]
    while waiting:
        kind = waiting.pop()
        found.add(kind.exit_code)
        waiting += kind.__subclasses__()
    return found


def test_every_exit_code_is_in_the_readme_and_has_a_chapter_on_what_to_do() -> None:
    table = {int(n) for n in re.findall(r"^\| (\d+) \|", text(ROOT / "README.md"), re.MULTILINE)}
    chapters = {
        int(n) for n in re.findall(r"^## (\d+) — ", text(DOCS / "troubleshooting.md"), re.MULTILINE)
    }
    listed = " ".join(text(DOCS / "commands.md").partition("## Exit codes")[2].split())
    assert table == exit_codes()
    assert chapters == exit_codes()
    assert all(re.search(rf"(?:^|· ){code} ", listed) for code in exit_codes())


# ------------------------------------------------------------------ pages


def test_the_two_commands_of_the_readme_are_in_the_makefile() -> None:
    made = set(re.findall(r"^(\w+):", text(ROOT / "Makefile"), re.MULTILINE))
    first = next(body for kind, body in fences(ROOT / "README.md") if kind == "sh")
    assert re.findall(r"^make (\w+)", first, re.MULTILINE) == ["demo", "test"]
    assert {"demo", "test"} <= made


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_inside_the_project_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_fences(page)):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        goal = (page.parent / file).resolve() if file else page
        assert goal.exists(), f"{name(page)} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", text(goal), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in slugs, f"{name(page)} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_of_the_project_that_is_named_exists(page: Path) -> None:
    named = r"`((?:rag|ingest|prompts|bench|tests|docs|notebooks)/[\w./-]+\.\w+)`"
    for path in re.findall(named, without_fences(page)):
        assert (ROOT / path).exists(), f"{name(page)} names {path}"


@pytest.mark.parametrize("page", [p for p in PAGES if p.parent.name != "samples"], ids=name)
def test_lines_are_at_most_100_characters_wide_tables_and_output_apart(page: Path) -> None:
    if page.parent.name == "bench":
        pytest.skip("printed by the benchmarks")
    wide = [li for li in without_fences(page).splitlines() if len(li) > 100 and li[0] != "|"]
    assert wide == []


def test_every_decision_has_a_number_of_its_own_and_says_what_and_why() -> None:
    decisions = sorted((DOCS / "decisions").glob("*.md"))
    numbers = [page.name[:4] for page in decisions]
    assert numbers == [f"{n:04}" for n in range(1, len(numbers) + 1)]
    for page in decisions:
        assert text(page).startswith(f"# {page.name[:4]} ")
        assert "**Decided.**" in text(page), page.name
        assert "**Why" in text(page), page.name


def test_the_version_of_the_package_is_in_the_changelog() -> None:
    version = re.search(r'^version = "([^"]+)"', text(ROOT / "pyproject.toml"), re.MULTILINE)
    assert version
    assert re.search(rf"^## {re.escape(version[1])}\b", text(ROOT / "CHANGELOG.md"), re.MULTILINE)
