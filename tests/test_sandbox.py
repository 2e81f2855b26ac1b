"""Reading in child processes: limits, crashes, order, and what a child may not do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from ingest.pool import Pool
from ingest.readers import Options, Page, Unreadable, read
from ingest.sandbox import Child, Limits, Request
from ingest.sandbox import read as read_with
from rag.records import Ending, Opening, Section

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
GENEROUS = Limits(silence=60, memory=1 << 30)


@pytest.fixture
def readers() -> Callable[[], list[psutil.Process]]:
    """The processes that the test started: an earlier one may have left Python's own helper of
    `multiprocessing`, which lives as long as the tests do."""
    before = psutil.Process().children(recursive=True)
    return lambda: [p for p in psutil.Process().children(recursive=True) if p not in before]


#: Speaks the worker's protocol and does what the title says: faults that no file gives on demand.
SCRIPTED = textwrap.dedent(
    """
    import json, os, signal, sys, time
    def say(kind, **value):
        sys.stdout.write(json.dumps([kind, value]) + "\\n"); sys.stdout.flush()
    for line in sys.stdin:
        asked = json.loads(line)
        what, _, number = asked["title"].partition(" ")
        pages = 5
        say("opening", title=what, reader="scripted", pages=None if what == "flat" else pages)
        if what in ("flat", "nonsense", "endless"):
            if what == "nonsense": print("{[", flush=True)
            while what == "endless": sys.stdout.write("x" * 65536)
            time.sleep(60)
        for page in range(1, pages + 1):
            if page in asked["skip"]: continue
            say("page", number=page)
            if page == int(number or 0) or (what == "mortal" and page > 2):
                if what == "sleeper": time.sleep(60)
                if what == "dripper": time.sleep(0.7)
                if what in ("crasher", "mortal"): os.kill(os.getpid(), signal.SIGSEGV)
                if what == "glutton": sys.exit(86)
            elif what == "dripper": time.sleep(0.7)
            if page > asked["after"]:
                say("section", text=f"page {page}\\n", page=page, heading="")
        say("ending", lost_pages=sorted(asked["skip"]), detail="", hidden=0, seconds=0)
    """
)


def read_scripted(*titles: str, silence: float = 2.0, workers: int = 1) -> dict[str, list | str]:
    """Title → the parts without signs of life, or «status: detail»."""
    pool = Pool(Limits(silence, 1 << 30), workers, command=(sys.executable, "-c", SCRIPTED))
    found: dict[str, list | str] = {}
    with closing(pool):
        requests = [Request(Path("x"), title) for title in titles]
        for title, parts in zip(titles, pool.read_all(requests), strict=True):
            try:
                found[title] = [part for part in parts if not isinstance(part, Page)]
            except Unreadable as failure:
                found[title] = f"{failure} {list(failure.pages)}"
    return found


def pages_of(parts: list) -> list[int]:
    return [part.page for part in parts if isinstance(part, Section)]


@pytest.mark.parametrize("workers", [1, 3])
def test_children_give_what_the_readers_give_in_the_order_asked_for(workers: int) -> None:
    files = sorted(f for f in SAMPLES.iterdir() if f.suffix in (".pdf", ".md", ".html", ".txt"))
    assert len(files) > 5
    with closing(Pool(GENEROUS, workers)) as pool:
        asked = [Request(f, f.stem) for f in files]
        for file, parts in zip(files, pool.read_all(asked), strict=True):
            opening, *middle, ending = (p for p in parts if not isinstance(p, Page))
            whole = read(file, title=file.stem)
            assert isinstance(opening, Opening)
            assert isinstance(ending, Ending)
            assert (opening.title, opening.reader, opening.pages) == (
                whole.title, whole.reader, whole.pages,
            )  # fmt: skip
            assert tuple(middle) == whole.sections
            assert ending.seconds > 0


def test_unreadable_crosses_the_pipe_whole(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"no pdf")
    (tmp_path / "b.txt").write_bytes(b"")
    with closing(Pool(GENEROUS, 1)) as pool:
        asked = [Request(tmp_path / name, name) for name in ("a.pdf", "b.txt", "c.txt")]
        told = []
        for parts in pool.read_all(asked):
            with pytest.raises(Unreadable) as failure:
                list(parts)
            told.append((failure.value.status, failure.value.detail))
    assert told == [
        ("unreadable", "not a PDF: the mark %PDF- is missing"),
        ("empty", "the file has no bytes"),
        ("vanished", "gone before it was read"),
    ]


@pytest.mark.parametrize("name", ["sp ace.txt", "new\nline.txt", "b\udcfftes.txt", "é.txt"])
def test_any_name_reaches_the_child(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("The fee is 12 euros.")
    with closing(Pool(GENEROUS, 1)) as pool:
        for parts in pool.read_all([Request(tmp_path / name, "t")]):
            assert "12 euros" in "".join(p.text for p in parts if isinstance(p, Section))


def test_a_file_that_became_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    """Between the listing and the reading somebody may put a link in its place."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "secret.txt").write_text("The code is 4711.")
    (tmp_path / "docs" / "inner.txt").write_text("The fee is 12 euros.")
    (tmp_path / "docs" / "out.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "docs" / "in.txt").symlink_to(tmp_path / "docs" / "inner.txt")
    found = {}
    with closing(Pool(GENEROUS, 1)) as pool:
        asked = [
            Request(tmp_path / "docs" / n, n, tmp_path / "docs") for n in ("out.txt", "in.txt")
        ]
        for request, parts in zip(asked, pool.read_all(asked), strict=True):
            try:
                found[request.title] = "".join(p.text for p in parts if isinstance(p, Section))
            except Unreadable as failure:
                found[request.title] = failure.status
    assert found == {"out.txt": "outside_folder", "in.txt": "The fee is 12 euros."}


def test_a_sleeping_page_is_lost_and_the_rest_is_read() -> None:
    found = read_scripted("sleeper 3", "fine")
    assert pages_of(found["sleeper 3"]) == [1, 2, 4, 5]
    assert found["sleeper 3"][-1].lost_pages == (3,)
    assert pages_of(found["fine"]) == [1, 2, 3, 4, 5]


def test_a_crash_costs_its_page_and_no_other_file() -> None:
    found = read_scripted("fine 0", "crasher 1", "crasher 5", "fine", workers=2)
    assert pages_of(found["crasher 1"]) == [2, 3, 4, 5]
    assert found["crasher 1"][-1].lost_pages == (1,)
    assert pages_of(found["crasher 5"]) == [1, 2, 3, 4]
    assert found["crasher 5"][-1].lost_pages == (5,)
    assert "SIGSEGV" in found["crasher 5"][-1].detail
    assert pages_of(found["fine"]) == pages_of(found["fine 0"]) == [1, 2, 3, 4, 5]


def test_a_file_that_kills_every_reader_is_given_up_with_what_was_read() -> None:
    parts = read_scripted("mortal")["mortal"]
    assert pages_of(parts) == [1, 2]
    assert parts[-1].lost_pages == (3, 4, 5)


def test_pages_that_come_slowly_are_no_silence_but_a_whole_file_has_an_end() -> None:
    found = read_scripted("dripper", silence=1.2)
    assert pages_of(found["dripper"]) == [1, 2, 3, 4, 5]
    found = read_scripted("dripper", silence=0.3)
    assert found["dripper"].startswith("timeout: ")


def test_a_file_without_pages_is_named_for_what_happened() -> None:
    found = read_scripted("flat", "nonsense", "glutton 1", "endless", "fine", silence=2)
    assert found["flat"] == "timeout: nothing came out of it in 2 s []"
    assert found["nonsense"] == "unreadable: its reader answered nonsense []"
    assert found["endless"] == "too_large: one part of it is larger than any page []"
    assert pages_of(found["glutton 1"]) == [2, 3, 4, 5]
    assert pages_of(found["fine"]) == [1, 2, 3, 4, 5]


def test_no_time_runs_while_nobody_takes_the_parts() -> None:
    pool = Pool(Limits(0.5, 1 << 30), 1, command=(sys.executable, "-c", SCRIPTED))
    with closing(pool):
        for parts in pool.read_all([Request(Path("x"), "fine")]):
            taken = []
            for part in parts:
                taken.append(part)
                time.sleep(0.3)
    assert pages_of(taken) == [1, 2, 3, 4, 5]


def test_closing_early_ends_children_whatever_they_do(
    readers: Callable[[], list[psutil.Process]],
) -> None:
    pool = Pool(Limits(60, 1 << 30), 2, command=(sys.executable, "-c", SCRIPTED))
    for parts in pool.read_all([Request(Path("x"), t) for t in ("sleeper 2", "flat", "fine")]):
        assert isinstance(next(parts), Opening)
        break
    children = readers()
    assert children
    pool.close()
    psutil.wait_procs(children, timeout=10)
    assert not [c for c in children if c.is_running() and c.status() != psutil.STATUS_ZOMBIE]


def test_a_file_that_needs_more_memory_than_allowed_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<table>" + "<tr><td>x</td></tr>" * 1_000_000)
    (tmp_path / "b.txt").write_text("The fee is 12 euros.")
    with closing(Pool(Limits(60, 256 << 20), 1)) as pool:
        found = []
        for parts in pool.read_all([Request(tmp_path / n, n) for n in ("a.html", "b.txt")]):
            try:
                found.append([type(part).__name__ for part in parts])
            except Unreadable as failure:
                found.append(str(failure))
    assert found[0] == "too_large: needs more than 256 MiB to read"
    assert found[1] == ["Opening", "Section", "Ending"]


def test_children_die_with_a_killed_parent(tmp_path: Path) -> None:
    """Also one that is busy and would not look at its pipes for an hour."""
    asleep = (
        "import time, ingest.worker as worker\n"
        "def stream(path, **how):\n"
        "    yield worker.Opening('t', 'r')\n"
        "    time.sleep(3600)\n"
        "worker.stream = stream\n"
        "worker.main(1 << 30)\n"
    )
    program = (
        "import pathlib, sys, time\n"
        "from ingest.pool import Pool\n"
        "from ingest.sandbox import Limits, Request\n"
        f"pool = Pool(Limits(3600, 1 << 30), 1, command=(sys.executable, '-c', {asleep!r}))\n"
        "for parts in pool.read_all([Request(pathlib.Path('x'), 'x')]):\n"
        "    next(parts); print('begun', flush=True); time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert parent.stdout
    assert parent.stdout.readline() == b"begun\n"
    (child,) = psutil.Process(parent.pid).children()
    parent.kill()
    parent.communicate()
    _, alive = psutil.wait_procs([child], timeout=10)
    assert not alive or alive[0].status() == psutil.STATUS_ZOMBIE


def test_a_pool_works_from_a_script_without_a_main_guard(tmp_path: Path) -> None:
    """Starting processes the usual way would run such a script again in each of them."""
    script = tmp_path / "script.py"
    script.write_text(
        "import pathlib, sys\n"
        "from ingest.pool import Pool\n"
        "from ingest.sandbox import Limits, Request\n"
        "print('once')\n"
        "pool = Pool(Limits(60, 1 << 30), 2)\n"
        f"file = pathlib.Path({str(SAMPLES)!r}) / 'README.md'\n"
        "for parts in pool.read_all([Request(file, 'r')]):\n"
        "    print(len(list(parts)) > 2)\n"
        "pool.close()\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("once\nTrue\n", "")


# ------------------------------------------------------------------ what a child may not do

ATTEMPTS = {
    "connects": "import socket; socket.create_connection(('127.0.0.1', PORT), 2)",
    "opens a socket": "import socket; socket.socket()",
    "starts a program": "import subprocess; subprocess.run(['true'])",
    "runs a shell": "import os; os.system('true')",
    "forks": "import os; os.fork()",
    "writes a file": "open(FILE, 'w')",
    "appends to a file": "open(FILE, 'ab')",
    "opens for writing below Python": "import os; os.open(FILE, os.O_RDWR)",
    "removes a file": "import os; os.remove(FILE)",
    "renames a file": "import os; os.rename(FILE, FILE + 'x')",
    "kills": "import os, signal; os.kill(os.getppid(), signal.SIGTERM)",
    "lifts its limit": "import resource; resource.setrlimit(resource.RLIMIT_AS, (-1, -1))",
    "takes memory": "b'x' * (900 << 20)",
}


def locked_in(code: str, tmp_path: Path, roots: tuple[str, ...] = (), **names: object) -> str:
    """What became of ``code`` in a process that was locked in as the readers are."""
    given = "; ".join(f"{name} = {value!r}" for name, value in names.items())
    program = (
        "import os, sys\n"
        "from ingest.worker import lock_in\n"
        "told = os.fdopen(os.dup(1), 'w')\n"
        f"lock_in(512 << 20, {roots!r})\n"
        f"{given}\n"
        "try:\n"
        f"    exec({code!r})\n"
        "    told.write('done')\n"
        "except BaseException as error:\n"
        "    told.write(type(error).__name__)\n"
        "told.flush(); os._exit(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    return done.stdout or f"died: {done.returncode}"


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_reader_may_only_read(attempt: str, tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("untouched")
    with socket.create_server(("127.0.0.1", 0)) as server:
        names = {"FILE": str(kept), "PORT": server.getsockname()[1]}
        result = locked_in(ATTEMPTS[attempt], tmp_path, **names)
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()
    allowed = ("PermissionError", "MemoryError") if attempt == "takes memory" else (
        "PermissionError", "ValueError", "OSError",
    )  # fmt: skip
    if os.getuid() == 0 and attempt == "lifts its limit":
        allowed += ("done",)  # the system lets root do it
    assert result in allowed
    assert kept.read_text() == "untouched"
    assert locked_in("open(FILE).read()", tmp_path, FILE=str(kept)) == "done"


@pytest.mark.skipif(sys.platform != "linux", reason="networks of one's own are Linux's")
def test_native_code_finds_no_network_either(tmp_path: Path) -> None:
    """A library does not ask Python before it connects."""
    code = (
        "import ctypes, struct\n"
        "libc = ctypes.CDLL(None)\n"
        "fd = libc.socket(2, 1, 0)\n"
        "to = struct.pack('<H', 2) + struct.pack('>H', PORT) + bytes([127, 0, 0, 1]) + bytes(8)\n"
        "if libc.connect(fd, to, 16): raise ConnectionError"
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        if subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode:
            pytest.skip("this system gives nobody a network of their own")
        port = server.getsockname()[1]
        assert locked_in(code, tmp_path, PORT=port) == "ConnectionError"


def landlock() -> bool:
    if sys.platform != "linux":
        return False
    code = "import sys; from ingest.landlock import restrict; sys.exit(not restrict(None))"
    return subprocess.run([sys.executable, "-c", code]).returncode == 0


NATIVE = {
    "removes a file": "libc.unlink(FILE)",
    "renames a file": "libc.rename(FILE, FILE + b'x')",
    "cuts a file short": "libc.truncate(FILE, 0)",
    "makes a file": "libc.creat(FILE + b'2', 0o644) + 1 and 0 or 1",
    "makes a pipe": "libc.mkfifo(FILE + b'3', 0o644)",
    "makes a folder": "libc.mkdir(FILE + b'4', 0o755)",
    "runs a program": "libc.system(b'touch ' + FILE + b'5')",
}


@pytest.mark.skipif(not landlock(), reason="this system has no Landlock")
@pytest.mark.parametrize("attempt", NATIVE)
def test_native_code_may_only_read_too(attempt: str, tmp_path: Path) -> None:
    """A library that is taken over does not ask Python."""
    kept = tmp_path / "kept.txt"
    kept.write_text("untouched")
    code = f"import ctypes\nlibc = ctypes.CDLL(None)\nif {NATIVE[attempt]}: raise PermissionError"
    assert locked_in(code, tmp_path, FILE=os.fsencode(kept)) == "PermissionError"
    assert [p.name for p in tmp_path.iterdir()] == ["kept.txt"]
    assert kept.read_text() == "untouched"


@pytest.mark.skipif(not landlock(), reason="this system has no Landlock")
def test_only_the_ingested_folders_can_be_read_whatever_a_name_leads_to(tmp_path: Path) -> None:
    """Between looking at a name and opening it somebody may turn it into a link."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "in.txt").write_text("inside")
    (tmp_path / "secret.txt").write_text("outside")
    (tmp_path / "docs" / "link.txt").symlink_to(tmp_path / "secret.txt")
    docs = str(tmp_path / "docs")
    for name, expected in (("in.txt", "done"), ("link.txt", "PermissionError")):
        code = f"open({docs!r} + '/{name}').read()"
        assert locked_in(code, tmp_path, roots=(docs,)) == expected
    assert locked_in("open('/etc/passwd').read()", tmp_path, roots=(docs,)) == "PermissionError"
    parents = f"open('/proc/{os.getpid()}/environ').read()"
    assert locked_in(parents, tmp_path, roots=(docs,)) == "PermissionError"


@pytest.mark.parametrize("name", ["json.py", "pypdf.py", "rag.py", "sitecustomize.py"])
def test_no_file_of_the_folder_we_stand_in_runs(name: str, tmp_path: Path) -> None:
    """`cd reports && rag ingest .` on a folder that holds a file named like a module."""
    (tmp_path / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (tmp_path / "a.html").write_text("<p>The fee is 12 euros.")
    script = Path(sys.executable).with_name("rag")
    done = subprocess.run(
        [script, "ingest", ".", "--index", tmp_path / ".rag", "--json"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["files"]["new"] == 1, done.stderr
    assert not (tmp_path / "ran").exists()


def test_a_child_is_not_given_our_keys(
    monkeypatch: pytest.MonkeyPatch, readers: Callable[[], list[psutil.Process]]
) -> None:
    monkeypatch.setenv("RAG_QDRANT_API_KEY", "s3cret")
    child = Child(GENEROUS)
    child.begin_file()
    try:
        reply = child.ask(Request(SAMPLES / "README.md", "r").line())
        next(reply)
        (process,) = readers()
        assert "s3cret" not in json.dumps(process.environ())
        list(reply)
    finally:
        child.close()


def test_whoever_waits_for_a_slow_file_is_called_meanwhile() -> None:
    """So that what is there already is kept, and not only when the next page comes."""
    pool = Pool(Limits(60, 1 << 30), 1, command=(sys.executable, "-c", SCRIPTED))
    calls: list[int] = []

    class Enough(Exception):
        pass

    def idle() -> None:
        calls.append(1)
        if len(calls) == 2:
            raise Enough

    with closing(pool):
        for parts in pool.read_all([Request(Path("x"), "sleeper 3")], idle):
            with pytest.raises(Enough):
                list(parts)
            break


def test_whatever_a_library_prints_stays_in_the_child(tmp_path: Path) -> None:
    """Words on standard output would be taken for parts of a document."""
    code = "import os\nos.write(1, b'loud'); os.write(2, b'loud')\nprint('loud', flush=True)"
    assert locked_in(code, tmp_path) == "done"


def test_passwords_go_through_the_pipe_and_not_the_command_line(
    readers: Callable[[], list[psutil.Process]],
) -> None:
    child = Child(GENEROUS)
    request = Request(SAMPLES / "README.md", "r", options=Options(passwords=("s3cret",)))
    child.begin_file()
    try:
        reply = child.ask(request.line())
        next(reply)
        (process,) = readers()
        assert "s3cret" not in " ".join(process.cmdline()) + json.dumps(process.environ())
        assert "s3cret" not in repr(request)
        list(reply)
    finally:
        child.close()


@pytest.mark.parametrize(("held", "processes"), [(0, 1), (160, 2)])
def test_a_child_that_has_grown_is_replaced_between_files(
    held: int, processes: int, readers: Callable[[], list[psutil.Process]]
) -> None:
    """Else the next file would meet the limit for what the one before has left behind."""
    program = f"kept = b'x' * ({held} << 20); import ingest.worker as w; w.main(200 << 20)"
    child = Child(Limits(60, 200 << 20), (sys.executable, "-c", program))
    pids = set()
    try:
        for _ in range(2):
            child.begin_file()
            reply = child.ask(Request(SAMPLES / "README.md", "r").line())
            next(reply)
            pids |= {process.pid for process in readers()}
            assert [kind for kind, _ in reply][-1] == "ending"
    finally:
        child.close()
    assert len(pids) == processes


def test_a_child_that_was_killed_between_two_files_is_replaced(
    readers: Callable[[], list[psutil.Process]],
) -> None:
    """The system may end it when memory is short; the next file has done nothing wrong."""
    child = Child(GENEROUS)
    try:
        for _ in range(2):
            child.begin_file()
            reply = child.ask(Request(SAMPLES / "README.md", "r").line())
            assert [kind for kind, _ in reply][-1] == "ending"
            for process in readers():
                process.kill()
                process.wait()
    finally:
        child.close()


def test_a_large_parent_makes_no_file_too_large(tmp_path: Path) -> None:
    """Linux counts the memory of the process it was started from as a child's own."""
    (tmp_path / "a.pdf").write_bytes(b"no pdf")
    held = bytearray(300 << 20)
    assert held
    child = Child(Limits(60, 256 << 20))
    try:
        with pytest.raises(Unreadable, match="unreadable: not a PDF"):
            list(read_with(child, Request(tmp_path / "a.pdf", "a")))
    finally:
        child.close()
    crash = (sys.executable, "-c", "import os; input(); os.abort()")
    child = Child(Limits(60, 256 << 20), crash)
    try:
        with pytest.raises(Unreadable, match=r"crashed \(SIGABRT\)"):
            list(read_with(child, Request(tmp_path / "a.pdf", "a")))
    finally:
        child.close()
