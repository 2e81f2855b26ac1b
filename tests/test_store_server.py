"""The store on a Qdrant server: faults, crashes, leases and neighbours.

There is no Qdrant server here. `Front` puts qdrant-client's own in-memory engine behind real
sockets and Qdrant's REST paths, so that requests and faults travel as they do in earnest.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
import test_store_contract as contract
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python
from qdrant_client import QdrantClient, models
from test_store_contract import FINGERPRINT, META, fill, vector, write

from rag._scripted_http import FaultKind, FaultyHandler, LoopbackServer, Request, Script
from rag.errors import (
    DiskFull,
    IndexDamaged,
    IndexLocked,
    IndexMismatch,
    IndexMissing,
    StoreUnavailable,
    UsageError,
)
from rag.settings import Settings
from rag.store import open_reader, open_writer
from rag.store import server as server_module
from rag.store import server_lease as lease_module
from rag.store import server_state as state_module
from rag.store.base import FileWrite, IndexMeta, Writer, chunk_id
from rag.store.owner import is_dead, this_process
from rag.store.server import drop_collection
from rag.store.server_connection import Connection
from rag.store.server_points import Collection, Filter, Point, any_of, is_point
from rag.store.server_state import unsettled
from rag.words import query_words

KEY = "key-that-nobody-may-read"
FAULTS: tuple[FaultKind, ...] = (
    "refused", "timeout", "401", "500", "503", "garbage", "not_json", "reset",
)  # fmt: skip


# ---------------------------------------------------------------------- Qdrant's REST, in part


class FrontHandler(FaultyHandler):
    """Answers Qdrant's REST paths from an in-memory client."""

    def answer(self, request: Request) -> None:
        _, _, name, *rest = unquote(urlsplit(request.path).path).split("/")
        client: QdrantClient = self.server.client  # type: ignore[attr-defined]
        body = json.loads(request.raw or b"{}")
        with self.server.lock:  # type: ignore[attr-defined]
            if request.method == "PUT" and not rest:
                if client.collection_exists(name):
                    self._error(409, f"Wrong input: Collection `{name}` already exists!")
                    return
            elif not client.collection_exists(name):
                self._error(404, f"Not found: Collection `{name}` doesn't exist!")
                return
            kind = rest[:1] if rest[:1] == ["vectors"] else rest
            result = ANSWERS[(request.method, *kind)](client, name, body, rest)
        self.send_json({"result": to_jsonable_python(result), "status": "ok", "time": 0.0})

    def _error(self, status: int, message: str) -> None:
        self.send_json({"status": {"error": message}, "time": 0.0}, status)

    def _fail(self, kind: FaultKind) -> None:
        if kind.isdigit():  # a server may repeat what it was sent
            self._error(int(kind), f"no, {self.headers.get('api-key', '')}\nis\x1b[31m refused")
        else:
            super()._fail(kind)


def parsed(model: Any, body: Any) -> Any:
    return TypeAdapter(model).validate_python(body)


def selector(body: dict[str, Any]) -> models.Filter:
    return parsed(models.Filter, body["filter"])


def created(client: QdrantClient, name: str, body: dict[str, Any], _: list[str]) -> bool:
    made = parsed(models.CreateCollection, body)
    return client.create_collection(
        name, vectors_config=made.vectors, sparse_vectors_config=made.sparse_vectors
    )


def indexed(client: QdrantClient, name: str, body: dict[str, Any], _: list[str]) -> Any:
    return models.UpdateResult(operation_id=1, status=models.UpdateStatus.COMPLETED)


def widened(client: QdrantClient, name: str, body: dict[str, Any], rest: list[str]) -> Any:
    return client.create_vector_name(name, rest[1], parsed(models.DenseVectorNameConfig, body))


def upserted(client: QdrantClient, name: str, body: dict[str, Any], _: list[str]) -> Any:
    request = parsed(models.PointsList, body)
    return client.upsert(name, request.points, update_mode=request.update_mode)


def retrieved(client: QdrantClient, name: str, body: dict[str, Any], _: list[str]) -> Any:
    return client.retrieve(name, body["ids"], with_payload=body["with_payload"])


def scrolled(client: QdrantClient, name: str, body: dict[str, Any], _: list[str]) -> Any:
    asked = parsed(models.ScrollRequest, body)
    points, offset = client.scroll(
        name, asked.filter, limit=asked.limit, offset=asked.offset,
        with_payload=asked.with_payload, with_vectors=asked.with_vector or False,
    )  # fmt: skip
    return {"points": points, "next_page_offset": offset}


def queried(client: QdrantClient, name: str, body: dict[str, Any], _: list[str]) -> Any:
    asked = parsed(models.QueryRequest, body)
    return client.query_points(
        name, asked.query, using=asked.using, query_filter=asked.filter, limit=asked.limit,
        with_payload=asked.with_payload,
    )  # fmt: skip


ANSWERS: dict[tuple[str, ...], Callable[..., Any]] = {
    ("GET",): lambda c, n, *_: c.get_collection(n),
    ("PUT",): created,
    ("DELETE",): lambda c, n, *_: c.delete_collection(n),
    ("PUT", "index"): indexed,
    ("PUT", "vectors"): widened,
    ("DELETE", "vectors"): lambda c, n, _, r: c.delete_vector_name(n, r[1]),
    ("PUT", "points"): upserted,
    ("POST", "points"): retrieved,
    ("POST", "points", "scroll"): scrolled,
    ("POST", "points", "query"): queried,
    ("POST", "points", "count"): lambda c, n, b, _: c.count(n, selector(b)),
    ("POST", "points", "delete"): lambda c, n, b, _: c.delete(n, selector(b)),
    ("POST", "points", "payload"): lambda c, n, b, _: c.set_payload(n, b["payload"], selector(b)),
    ("POST", "points", "payload", "delete"): lambda c, n, b, _: c.delete_payload(
        n, b["keys"], selector(b)
    ),
}


class Front(Script):
    """A Qdrant server on a loopback port, which can be told to fail."""

    def __init__(self) -> None:
        super().__init__(models=[])
        self.http = LoopbackServer(self, FrontHandler)
        self.http.client = QdrantClient(":memory:")
        self.http.lock = threading.Lock()
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def settings(self, **changes: Any) -> Settings:
        chosen = Settings(qdrant_url=self.url, collection="docs", qdrant_api_key=KEY)
        return replace(chosen, **{"qdrant_timeout": 5.0, **changes})

    def fail(self, kind: FaultKind) -> None:
        if kind == "refused":
            self.close()
        else:
            self.faults["/"] = kind

    def close(self) -> None:
        self.closing.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def front() -> Iterator[Front]:
    served = Front()
    yield served
    served.close()


@pytest.fixture
def settings() -> Settings:
    """An index that does not exist yet, in a store of its own in this process."""
    return Settings(qdrant_url=f"memory://{uuid.uuid4()}", collection="docs")


CONTRACT = [
    test
    for name, test in vars(contract).items()
    if name.startswith("test_") and list(inspect.signature(test).parameters) == ["settings"]
]


@pytest.mark.parametrize("promise", CONTRACT, ids=lambda test: test.__name__)
def test_the_contract_holds_over_http(front: Front, promise: Callable[[Settings], None]) -> None:
    assert len(CONTRACT) >= 14
    promise(front.settings(qdrant_timeout=30.0))
    assert all(r.headers["api-key"] == KEY for r in front.requests)


# ---------------------------------------------------------------------- faults


def opened_reader(at: Front, chosen: Settings) -> Callable[[], object]:
    return lambda: open_reader(chosen).close()


def search(at: Front, chosen: Settings) -> Callable[[], object]:
    reader = open_reader(chosen)
    return lambda: reader.by_words(query_words("apples"), limit=3, files=None)


def opened_writer(at: Front, chosen: Settings) -> Callable[[], object]:
    return lambda: open_writer(chosen).close()


def put(at: Front, chosen: Settings) -> Callable[[], object]:
    writer = open_writer(chosen)

    def step() -> None:
        with closing(writer):
            writer.put([write("b.txt", ["pears"])])

    return step


@pytest.mark.parametrize("operation", [opened_reader, search, opened_writer, put])
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_one_clear_line_in_time(
    front: Front, fault: FaultKind, operation: Callable[..., Callable[[], object]]
) -> None:
    """Whatever fails, it is exit 13 within the timeout + 5 s, and the key stays secret."""
    chosen = front.settings(qdrant_timeout=1.0)
    fill(chosen, write("a.txt", ["apples"]))
    step = operation(front, chosen)
    front.fail(fault)
    started = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        step()
    assert time.monotonic() - started < 6
    line = str(caught.value)
    assert caught.value.exit_code == 13
    assert line.isprintable()
    assert front.url in line
    assert caught.value.remedy
    assert len(line) < 400
    assert KEY not in line + "".join(traceback.format_exception(caught.value))
    assert ("key refused" in line) == (fault == "401")
    assert ("within 1 s" in line) == (fault == "timeout")


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{}", b'{"result": null}', b'{"result": []}', b'{"result": {}}',
     b'{"result": {"points": [{"id": 1}]}}', b"\xff\xfe", b"[" * 100_000],
)  # fmt: skip
def test_json_that_is_not_qdrants_is_no_answer(front: Front, body: bytes, monkeypatch) -> None:
    monkeypatch.setattr(FrontHandler, "answer", lambda self, _: self.send_body(body, 200))
    with pytest.raises(StoreUnavailable, match="not Qdrant's"):
        open_reader(front.settings())


def test_a_stranger_s_404_is_not_taken_for_a_missing_index(front: Front) -> None:
    with pytest.raises(IndexMissing):
        open_reader(front.settings())
    front.http.RequestHandlerClass = type(
        "Stranger", (FrontHandler,), {"answer": lambda self, _: self.send_body(b"?", 404)}
    )
    with pytest.raises(StoreUnavailable, match="HTTP 404"):
        open_reader(front.settings())


def test_a_full_disk_on_the_server_is_exit_16(front: Front, monkeypatch) -> None:
    fill(front.settings(), write("a.txt", ["apples"]))
    with closing(open_writer(front.settings())) as writer:
        with monkeypatch.context() as patch:
            said = "Service internal error: No space left on device: WAL buffer size exceeds"
            patch.setattr(FrontHandler, "answer", lambda self, _: self._error(500, said))
            with pytest.raises(DiskFull):
                writer.put([write("b.txt", ["pears"])])
        writer.put([write("b.txt", ["pears"])])
    with closing(open_reader(front.settings())) as reader:
        assert [r.file for r in reader.files()] == ["a.txt", "b.txt"]


def test_a_transient_fault_leaves_no_lock_behind(front: Front) -> None:
    fill(front.settings(), write("a.txt", ["apples"]))
    writer = open_writer(front.settings())
    front.fail("503")
    with pytest.raises(StoreUnavailable):
        writer.put([write("b.txt", ["pears"])])
    front.faults.clear()
    writer.close()
    open_writer(front.settings()).close()


def test_no_proxy_of_the_environment_sees_loopback_traffic(front: Front, monkeypatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    fill(front.settings(), write("a.txt", ["apples"]))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"qdrant_url": "http://me:hush-hush@host:6333"}, id="password in the address"),
        pytest.param({"qdrant_url": "ftp://host"}, id="scheme"),
        pytest.param({"qdrant_url": "http://"}, id="no host"),
        pytest.param({"qdrant_url": "http://host:port"}, id="port"),
        pytest.param({"qdrant_url": "http://host/?a=b"}, id="query"),
        pytest.param({"qdrant_api_key": "hush-hush\n"}, id="line break in the key"),
        pytest.param({"qdrant_api_key": "hush-hush\u20ac"}, id="key beyond ASCII"),
        pytest.param({"collection": "a/b"}, id="slash in the name"),
        pytest.param({"collection": ".."}, id="dots"),
        pytest.param({"collection": ""}, id="no name"),
    ],
)
def test_what_cannot_be_an_address_key_or_name_is_a_usage_error(changes: dict[str, str]) -> None:
    chosen = replace(Settings(qdrant_url="http://127.0.0.1:1"), **changes)
    with pytest.raises(UsageError) as caught:
        open_reader(chosen)
    shown = "".join(traceback.format_exception(caught.value))
    assert "hush-hush" not in shown


# ---------------------------------------------------------------------- kills


class Killed(BaseException):
    """The process ends here."""


STATE = Filter(must=[is_point(state_module.STATE_ID)])
WRITES = ("upsert", "insert", "set_payload", "unset_payload", "delete", "add_width", "drop_width")


@contextmanager
def killed_at(step: int, *, done: bool) -> Iterator[list[int]]:
    """Die at the ``step``-th writing request, before the server has it or (``done``) after."""
    made = [0]
    saved = {name: getattr(Collection, name) for name in WRITES}

    def guarded(name: str) -> Callable[..., None]:
        def call(self: Collection, *args: Any, **options: Any) -> None:
            made[0] += 1
            if made[0] > step:
                raise Killed  # the dead send nothing more
            if made[0] == step and not done:
                raise Killed
            saved[name](self, *args, **options)
            if made[0] == step:
                raise Killed

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in WRITES:
            patch.setattr(Collection, name, guarded(name))
        yield made


def die(writer: Writer) -> None:
    """What the end of the process does to a writer: nothing is said to the server."""
    lease = writer._lease  # type: ignore[attr-defined]
    if lease:
        lease._released.set()


def expire(chosen: Settings) -> None:
    """Let a minute pass for the lease of a writer that died elsewhere."""
    if Collection(chosen).widths() is not None:
        Collection(chosen).set_payload({"expires": 1.0}, STATE)


def shown(chosen: Settings) -> dict[str, tuple[str, ...]]:
    """File → its texts as found by search, checked against ledger, chunk ids and cards."""
    with closing(open_reader(chosen)) as reader:
        records = {r.file: r for r in reader.files()}
        assert len(records) == len(reader.files())
        hits = reader.by_vector(vector(1), limit=500, files=None)
        assert len({h.id for h in hits}) == len(hits) == reader.counts().chunks
        chunks = reader.chunks([h.id for h in hits])
        assert len(chunks) == len(hits)
        assert set(reader.vectors([h.id for h in hits])) == {h.id for h in hits}
        fingerprint = reader.meta().fingerprint
        found: dict[str, list[Any]] = {name: [] for name in records}
        for chunk in sorted(chunks, key=lambda c: c.ordinal):
            record = records[chunk.file]
            own = chunk_id(chunk.file, record.content, chunk.ordinal, fingerprint)
            assert (chunk.chunk_id, chunk.content) == (own, record.content)
            found[chunk.file].append(chunk.text)
        words = query_words("common")
        assert {h.id for h in reader.by_words(words, limit=500, files=None)} == {h.id for h in hits}
        cards = [c.file for c in reader.by_card(words, limit=500, files=None)]
        assert sorted(cards) == sorted(name for name, texts in found.items() if texts)
        return {name: tuple(texts) for name, texts in found.items()}


def left_over(chosen: Settings) -> int:
    """Points that no reader will ever be shown."""
    collection = Collection(chosen)
    return collection.count(unsettled(state_module.read_state(collection)))


def raw(chosen: Settings) -> list[str]:
    """Everything on the server but the numbers of epochs and the state of the lease."""
    rows = Collection(chosen).scroll(Filter(must=[]))
    passing = {"born", "epoch", "floor", "token", "expires", "owner", "process"}
    kept = [{k: v for k, v in payload.items() if k not in passing} for payload, _ in rows]
    return sorted(json.dumps(payload, sort_keys=True) for payload in kept)


def texts(name: str, version: str, count: int) -> FileWrite:
    return write(name, [f"common {name} {version} {n}" for n in range(count)], content=version)


OLD = [texts("a.txt", "one", 3), texts("b.txt", "one", 2), texts("keep.txt", "one", 1)]
RESET = IndexMeta(replace(FINGERPRINT, chunker="other"), ("/docs",))
CHANGES: dict[str, Callable[[Writer], None]] = {
    "replace": lambda w: w.put([texts("a.txt", "two", 1), texts("b.txt", "two", 4)]),
    "same content again": lambda w: w.put([texts("a.txt", "one", 3)]),
    "same content, fewer chunks": lambda w: w.put([texts("a.txt", "one", 2)]),
    "add": lambda w: w.put([texts("new.txt", "one", 2)]),
    "fail": lambda w: w.put([write("a.txt", [], content="two", status="password")]),
    "remove": lambda w: w.remove(["a.txt", "keep.txt"]),
    "note": lambda w: w.note([replace(OLD[0].record, detail="touched", mtime_ns=5)]),
}


def rebuilt(writer: Writer) -> None:
    writer.reset(RESET)
    writer.put([texts("a.txt", "one", 1)])
    writer.put([texts("c.txt", "one", 2), texts("a.txt", "two", 2)])
    writer.publish()


CHANGES["rebuild"] = rebuilt


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_writer_killed_at_any_request_leaves_the_old_or_the_new_state(
    change: str, done: bool
) -> None:
    """Readers see one whole state, the next writer heals, and running again ends the same."""
    undisturbed = Settings(qdrant_url=f"memory://{uuid.uuid4()}")
    fill(undisturbed, *OLD)
    old = shown(undisturbed)
    with closing(open_writer(undisturbed)) as writer:
        CHANGES[change](writer)
    new, wanted = shown(undisturbed), raw(undisturbed)
    step, seen = 0, set()
    while True:
        step += 1
        chosen = Settings(qdrant_url=f"memory://{uuid.uuid4()}")
        fill(chosen, *OLD)
        writer = open_writer(chosen)
        with killed_at(step, done=done) as made, suppress(Killed):
            CHANGES[change](writer)
        die(writer)
        left = shown(chosen)
        assert left in (old, new), step
        seen.add(str(left))
        expire(chosen)
        with closing(open_writer(chosen)) as writer:
            assert shown(chosen) == left
            assert left_over(chosen) == 0
            writer.publish()
            CHANGES[change](writer)
        assert shown(chosen) == new
        assert raw(chosen) == wanted
        if made[0] < step:
            break
    assert step > 3
    assert seen == {str(old), str(new)}


@pytest.mark.parametrize("step", range(1, 4))
def test_a_first_run_killed_while_it_makes_the_index_can_be_repeated(
    settings: Settings, step: int
) -> None:
    with killed_at(step, done=True), suppress(Killed):
        fill(settings, *OLD)
    expire(settings)
    other = IndexMeta(replace(FINGERPRINT, model="other"), ("/docs",))
    with closing(open_writer(settings)) as writer:
        writer.set_meta(other)
        writer.put(OLD)
        writer.publish()
    assert len(shown(settings)) == 3


def test_a_writer_clears_away_its_own_failed_change_before_the_next(
    settings: Settings, monkeypatch
) -> None:
    fill(settings, *OLD)
    old = shown(settings)
    plain = Collection.upsert

    def upsert(self: Collection, points: Any) -> None:
        plain(self, points)
        raise StoreUnavailable("the answer was lost")

    with closing(open_writer(settings)) as writer:
        with monkeypatch.context() as patch:
            patch.setattr(Collection, "upsert", upsert)
            with pytest.raises(StoreUnavailable):
                writer.put([texts("a.txt", "two", 1)])
        writer.put([texts("new.txt", "one", 1)])
        writer.publish()
    assert shown(settings) == {**old, "new.txt": ("common new.txt one 0",)}
    assert left_over(settings) == 0


@hypothesis_settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["put", "remove", "note"]),
            st.sampled_from(["a", "b", "c"]),
            st.integers(0, 2),  # version
            st.integers(0, 3),  # chunks
            st.one_of(st.none(), st.integers(1, 9)),  # killed at this request
        ),
        max_size=8,
    )
)
def test_any_row_of_changes_and_kills_leaves_what_was_last_whole(steps: list[Any]) -> None:
    """Each change happens or does not, whatever was killed before it."""
    chosen = Settings(qdrant_url=f"memory://{uuid.uuid4()}")
    fill(chosen)
    expected: dict[str, tuple[str, ...]] = {}
    for kind, name, version, count, killed in steps:
        after = dict(expected)
        item = texts(name, str(version), count)
        writer = open_writer(chosen)
        known = [r for r in writer.files() if r.file == name]
        if kind == "put":
            after[name] = tuple(c.text for c in item.chunks)
        elif kind == "remove":
            after.pop(name, None)
        try:
            with killed_at(killed or 99, done=bool(version)):
                if kind == "put":
                    writer.put([item])
                elif kind == "remove":
                    writer.remove([name])
                else:
                    writer.note(known)
            writer.close()
        except Killed:
            die(writer)
            expire(chosen)
            expected = expected if shown(chosen) == expected else after
        else:
            expected = after
        assert shown(chosen) == expected


# ---------------------------------------------------------------------- readers beside a writer


def test_a_reader_open_during_updates_never_mixes_or_misses_a_version(settings: Settings) -> None:
    fill(settings, *[texts(name, "v0", 3) for name in "abc"])
    stop = threading.Event()

    def update() -> None:
        with closing(open_writer(settings)) as writer:
            for n in range(1, 40):
                writer.put([texts(name, f"v{n}", 2 + n % 3) for name in "abc"])
        stop.set()

    thread = threading.Thread(target=update)
    with closing(open_reader(settings)) as reader:
        thread.start()
        versions = set()
        while not stop.is_set():
            hits = reader.by_vector(vector(1), limit=50, files=None)
            versions.add(whole_version([h.id for h in hits]))
            assert sum(r.chunks for r in reader.files()) in (6, 9, 12)
        thread.join()
        assert len(versions) > 3


ALL_IDS = {
    tuple(
        sorted(
            chunk_id(name, f"v{n}", i, FINGERPRINT) for name in "abc" for i in range(2 + n % 3)
        )
    ): n
    for n in range(1, 40)
} | {
    tuple(sorted(chunk_id(name, "v0", i, FINGERPRINT) for name in "abc" for i in range(3))): 0
}  # fmt: skip


def whole_version(ids: list[str]) -> int:
    return ALL_IDS[tuple(sorted(ids))]


@pytest.mark.parametrize("writes", [1, 2, 3, 4, 5, 6, 7])
def test_a_change_that_comes_between_query_and_answer_is_read_again(
    settings: Settings, writes: int, monkeypatch
) -> None:
    """Wherever the writer is while the query runs, one whole version is found."""
    fill(settings, *[texts(name, "v0", 3) for name in "abc"])
    writer = open_writer(settings)
    reader = open_reader(settings)
    plain = Collection.query
    pending = [lambda: writer.put([texts(name, "v1", 3) for name in "abc"])]

    def query(self: Collection, *args: Any) -> Any:
        if pending:
            with killed_at(writes, done=True), suppress(Killed):
                pending.pop()()
        return plain(self, *args)

    monkeypatch.setattr(Collection, "query", query)
    hits = reader.by_vector(vector(1), limit=50, files=None)
    assert whole_version([h.id for h in hits]) in (0, 1)
    die(writer)
    reader.close()


def test_an_index_that_never_stands_still_is_given_up_in_time(
    settings: Settings, monkeypatch
) -> None:
    fill(settings, *OLD)
    writer = open_writer(settings)
    plain = Collection.query

    def query(self: Collection, *args: Any) -> Any:
        writer.note([OLD[0].record])
        return plain(self, *args)

    with closing(open_reader(replace(settings, qdrant_timeout=1.0))) as reader:
        monkeypatch.setattr(Collection, "query", query)
        with pytest.raises(StoreUnavailable, match="faster than it can be read"):
            reader.by_vector(vector(1), limit=5, files=None)
    writer.close()


def test_a_rebuild_for_another_model_stands_beside_the_old_index_until_published(
    settings: Settings,
) -> None:
    fill(settings, *OLD)
    old = shown(settings)
    wide = IndexMeta(replace(FINGERPRINT, model="wide", dimension=12), ("/docs",))
    item = replace(write("a.txt", ["common"]), vectors=np.ones((1, 12), dtype=np.float32))
    reader = open_reader(settings)
    with closing(open_writer(settings)) as writer:
        writer.reset(wide)
        assert (writer.meta(), writer.files()) == (wide, [])
        writer.put([item])
        assert writer.lend("a.txt", "one", [0]) == {}
        assert writer.lend("a.txt", item.record.content, [0])[0][0] == "common"
        assert shown(settings) == old
        writer.publish()
        assert writer.meta() == wide
    with closing(open_reader(settings)) as fresh:
        assert fresh.meta() == wide
        assert [c.file for c in fresh.by_vector(np.ones(12), limit=9, files=None)] == ["a.txt"]
    assert Collection(settings).widths() == {12}
    with pytest.raises(IndexMismatch, match="rebuilt"):
        reader.files()


def test_a_rebuild_that_was_not_published_goes_with_the_first_change(settings: Settings) -> None:
    """Its points and its vectors wait for the next rebuild, and not for anybody else."""
    fill(settings, *OLD)
    wide = IndexMeta(replace(FINGERPRINT, dimension=12), ("/docs",))
    item = replace(write("a.txt", ["common"]), vectors=np.ones((1, 12), dtype=np.float32))
    before = raw(settings)
    with closing(open_writer(settings)) as writer:
        writer.reset(wide)
        writer.put([item])
        writer.checkpoint()
    assert len(shown(settings)) == 3
    open_writer(settings).close()
    assert Collection(settings).widths() == {8, 12}
    with closing(open_writer(settings)) as writer:
        writer.note([OLD[0].record])
    assert raw(settings) == before
    assert Collection(settings).widths() == {8}


# ---------------------------------------------------------------------- the lease


def test_a_second_writer_is_told_who_the_first_one_is(settings: Settings) -> None:
    fill(settings, *OLD)
    with closing(open_writer(settings)):
        started = time.monotonic()
        with pytest.raises(IndexLocked, match=f"process {os.getpid()} on") as caught:
            open_writer(settings)
        assert caught.value.exit_code == 11
        assert time.monotonic() - started < 2
        with pytest.raises(IndexLocked):
            drop_collection(settings)
    open_writer(settings).close()


#: Takes the lease of the collection at the address and waits for its end.
HOLDING = """
import sys, time
from rag.settings import Settings
from rag.store import open_writer
url, key = sys.argv[1:]
writer = open_writer(Settings(qdrant_url=url, collection="docs", qdrant_api_key=key))
print("held", flush=True)
time.sleep(600)
"""


def test_a_writer_killed_on_this_machine_blocks_nobody(front: Front) -> None:
    """While it lives it is named; once it is dead, its lease of a minute is not waited for."""
    fill(front.settings(), *OLD)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, front.url, KEY], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(IndexLocked, match=f"process {holder.pid} on"):
            open_writer(front.settings())
        holder.kill()
    with closing(open_writer(front.settings())) as writer:
        writer.put([texts("a.txt", "two", 1)])
    assert shown(front.settings())["a.txt"] == ("common a.txt two 0",)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"host": "elsewhere"}, id="another machine"),
        pytest.param({"boot": "before"}, id="before a restart"),
        pytest.param({"space": "pid:[1]"}, id="in another container"),
        pytest.param({"pid": "none"}, id="no number"),
        pytest.param({"pid": "1", "started": ""}, id="whoever has the number now"),
        pytest.param({}, id="this one"),
    ],
)
def test_only_a_process_of_this_machine_can_be_seen_to_be_dead(changes: dict[str, str]) -> None:
    named = {**this_process(), **changes}
    assert is_dead(named) is ("started" in changes)
    assert not is_dead({})


@pytest.mark.parametrize("change", ["replace", "remove", "note"])
def test_a_writer_that_was_taken_over_changes_nothing_more(settings: Settings, change: str) -> None:
    fill(settings, *OLD)
    slow = open_writer(settings)
    expire(settings)
    with closing(open_writer(settings)) as quick:
        quick.put([texts("a.txt", "two", 1)])
        state = shown(settings)
        with pytest.raises(IndexLocked):
            CHANGES[change](slow)
        slow.close()
        assert shown(settings) == state
        quick.put([texts("new.txt", "two", 1)])
        quick.publish()
    assert shown(settings) == {**state, "new.txt": ("common new.txt two 0",)}


def test_of_two_writers_that_saw_the_same_free_lease_one_wins(settings: Settings) -> None:
    fill(settings, *OLD)
    collection = Collection(settings)
    seen = state_module.read_state(collection)
    winner = lease_module.Lease.acquire(collection, seen)
    with pytest.raises(IndexLocked):
        lease_module.Lease.acquire(collection, seen)
    winner.write()
    winner.release()


def test_of_two_writers_that_found_an_empty_collection_one_wins(settings: Settings) -> None:
    collection = Collection(settings)
    collection.create(8)
    winner = lease_module.Lease.begin(collection, META)
    with pytest.raises(IndexLocked):
        lease_module.Lease.begin(collection, META)
    winner.write()
    winner.release()


def test_of_two_writers_that_begin_one_index_one_wins(front: Front) -> None:
    with (
        closing(open_writer(front.settings())) as one,
        closing(open_writer(front.settings())) as two,
    ):
        one.set_meta(META)
        with pytest.raises(IndexLocked):
            two.set_meta(META)
        one.put([write("a.txt", ["apples"])])


def test_a_lease_is_renewed_while_the_writer_is_busy_elsewhere(
    settings: Settings, monkeypatch
) -> None:
    monkeypatch.setattr(lease_module, "_RENEW_SECONDS", 0.01)
    fill(settings, *OLD)
    with closing(open_writer(settings)):
        expire(settings)
        collection = Collection(settings)
        for _ in range(500):
            if state_module.read_state(collection).held:
                break
            time.sleep(0.01)
        with pytest.raises(IndexLocked):
            open_writer(settings)


# ---------------------------------------------------------------------- neighbours and damage


def test_two_collections_on_one_server_do_not_leak_into_each_other(front: Front) -> None:
    one, two = front.settings(collection="one"), front.settings(collection="two")
    fill(one, texts("a.txt", "one", 2))
    fill(two, texts("a.txt", "two", 3))
    with closing(open_writer(one)) as writer:
        writer.remove(["a.txt"])
        with closing(open_writer(two)) as other:
            other.publish()
    assert (shown(one), len(shown(two)["a.txt"])) == ({}, 3)
    drop_collection(one)
    assert len(shown(two)["a.txt"]) == 3
    with pytest.raises(IndexMissing):
        open_reader(one)


def stranger(chosen: Settings, **layout: Any) -> QdrantClient:
    client = Connection(chosen).client
    client.create_collection(chosen.collection, **layout)
    return client


LINE = models.VectorParams(size=8, distance=models.Distance.COSINE)
OURS = dict.fromkeys(("words", "card"), models.SparseVectorParams(modifier=models.Modifier.IDF))


@pytest.mark.parametrize(
    "layout",
    [
        pytest.param({"vectors_config": LINE}, id="one unnamed vector"),
        pytest.param({"vectors_config": {"dense8": LINE}}, id="no words"),
        pytest.param({"vectors_config": {}, "sparse_vectors_config": OURS}, id="words alone"),
        pytest.param(
            {"vectors_config": {"dense8": LINE, "image": LINE}, "sparse_vectors_config": OURS},
            id="one vector more",
        ),
    ],
)
def test_another_program_s_collection_is_refused_and_left_alone(
    settings: Settings, layout: dict[str, Any]
) -> None:
    client = stranger(settings, **layout)
    for attempt in (open_reader, open_writer, drop_collection):
        with pytest.raises(IndexMismatch, match="another program") as caught:
            attempt(settings)
        assert caught.value.exit_code == 12
    assert client.collection_exists("docs")
    assert client.count("docs").count == 0


def test_points_without_an_index_among_them_are_not_ours(settings: Settings) -> None:
    layout = {"vectors_config": {"dense8": LINE}, "sparse_vectors_config": OURS}
    client = stranger(settings, **layout)
    with pytest.raises(IndexMissing):
        open_reader(settings)
    client.upsert("docs", [models.PointStruct(id=7, vector={}, payload={"theirs": True})])
    with closing(open_writer(settings)) as writer:
        assert writer.meta() is None
        with pytest.raises(IndexMissing):
            writer.put([write("a.txt", ["apples"])])
        with pytest.raises(IndexMismatch):
            writer.set_meta(META)
    with pytest.raises(IndexMismatch):
        drop_collection(settings)
    assert client.count("docs").count == 1


@pytest.mark.parametrize("kind", ["chunk", "file"])
def test_lost_points_are_damage_and_not_a_smaller_index(settings: Settings, kind: str) -> None:
    fill(settings, texts("a.txt", "one", 3), texts("b.txt", "one", 3))
    client = Connection(settings).client
    (lost, *_), _ = client.scroll("docs", Filter(must=[any_of("kind", [kind])]))
    client.delete("docs", [lost.id])
    with pytest.raises(IndexDamaged, match="in the ledger") as caught:
        open_reader(settings)
    assert caught.value.exit_code == 17
    with closing(open_writer(settings)) as writer, pytest.raises(IndexDamaged):
        writer.publish()


def test_a_ledger_line_of_an_older_version_has_its_defaults(settings: Settings) -> None:
    """What was not stored then is as if it were nothing; what is unknown is refused."""
    fill(settings, texts("a.txt", "one", 2))
    collection, lines = Collection(settings), Filter(must=[any_of("kind", ["file"])])
    ((payload, _),) = collection.scroll(lines)
    older = {k: v for k, v in payload["record"].items() if k not in ("hidden", "lost_pages")}
    collection.delete(lines)
    collection.upsert([Point(str(uuid.uuid4()), payload | {"record": older})])
    with closing(open_reader(settings)) as reader:
        assert [r.hidden for r in reader.files()] == [0]
    collection.delete(lines)
    newer = {**payload["record"], "mood": "fine"}
    collection.upsert([Point(str(uuid.uuid4()), payload | {"record": newer})])
    with pytest.raises(IndexMismatch, match=r"another version .*mood"):
        open_reader(settings)
    with closing(open_writer(settings)) as writer, pytest.raises(IndexMismatch):
        writer.files()


def test_points_of_a_kind_unknown_are_another_version_s(settings: Settings) -> None:
    fill(settings, texts("a.txt", "one", 2))
    epoch = state_module.read_state(Collection(settings)).epoch
    strange = Point(str(uuid.uuid4()), {"kind": "picture", "file": "a.txt", "born": epoch})
    Collection(settings).upsert([strange])
    with pytest.raises(IndexMismatch, match="another version"):
        open_reader(settings)
    with closing(open_writer(settings)) as writer, pytest.raises(IndexMismatch):
        writer.files()


def test_of_a_killed_rebuild_only_whole_files_are_taken_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks whose ledger line never arrived are gone when the rebuild goes on."""
    fill(settings, *OLD)
    writer = open_writer(settings)
    writer.reset(RESET)
    writer.put([texts("a.txt", "new", 2)])
    monkeypatch.setattr(server_module, "_POINTS_A_CALL", 2)
    with killed_at(4, done=True), pytest.raises(Killed):
        writer.put([texts("b.txt", "new", 3)])
    assert Collection(settings).count(Filter(must=[any_of("content", ["new"])])) > 2
    die(writer)
    expire(settings)
    with closing(open_writer(settings)) as writer:
        writer.reset(RESET)
        assert [r.file for r in writer.files()] == ["a.txt"]
        writer.publish()
    assert shown(settings) == {"a.txt": ("common a.txt new 0", "common a.txt new 1")}


def test_an_index_of_another_format_is_refused(settings: Settings) -> None:
    fill(settings, *OLD)
    Collection(settings).set_payload({"meta": {"made": "elsewhere"}}, STATE)
    for attempt in (open_reader, open_writer):
        with pytest.raises(IndexMismatch, match="another version"):
            attempt(settings)


def test_a_ledger_of_many_pages_comes_back_whole(settings: Settings) -> None:
    names = [f"{n:05}.txt" for n in range(2300)]
    fill(settings, *[write(name, [], status="unsupported") for name in names])
    with closing(open_reader(settings)) as reader:
        assert [r.file for r in reader.files()] == names


def test_a_missing_page_number_and_odd_names_survive_the_journey(front: Front) -> None:
    item = texts("Übersicht «3»\u2028.txt", "one", 1)
    chunk = replace(item.chunks[0], page=None)
    kept = replace(item.record, lost_pages=(2, 3))
    fill(front.settings(), replace(item, chunks=(chunk,), record=kept))
    with closing(open_reader(front.settings())) as reader:
        (record,) = reader.files()
        assert record == kept
        own = chunk_id(record.file, record.content, 0, FINGERPRINT)
        assert [c.page for c in reader.chunks([own])] == [None]


def test_dropping_what_is_not_there_is_no_error(settings: Settings) -> None:
    drop_collection(settings)
