"""Many files read at once, handed over in order.

One thread drives one child (`ingest.sandbox`). What a child has read waits in a short queue: a
few files ahead and a few pages of each, so memory follows neither the document nor the folder.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ingest.ocr import Ocr
from ingest.readers import Part, Unreadable
from ingest.sandbox import Child, Limits, Request, read, render
from rag.records import Ending, Section

#: Characters of one file that wait to be taken; a page has about 3,000.
_WAITING = 2**18
#: Seconds without a part after which whoever waits may do something else.
_IDLE = 1.0
#: Files that are read ahead of the one being taken, for each child.
_AHEAD = 8


def worker_count(wanted: int) -> int:
    """How many processes read: as many as asked for, else half of the cores, at most four; the
    embedder needs the others (bench/throughput.md)."""
    return wanted or min(4, max(1, (os.cpu_count() or 1) // 2))


class Pool:
    """Child processes that read files.

    ``read_all`` gives the parts of each request, in the order of the requests. To be closed; a
    pool that is closed early ends its children whatever they do.
    """

    def __init__(
        self,
        limits: Limits,
        workers: int,
        *,
        ocr: Ocr | None = None,
        command: Sequence[str] = (),
    ) -> None:
        self._children = [Child(limits, command) for _ in range(workers)]
        self._ocr = ocr
        self._turn = threading.Condition()
        self._jobs: Iterator[tuple[int, tuple[Request, _Queue]]] = iter(())
        self._taken = 0  # files handed over so far, the one being taken included
        self._closed = False
        self._threads: list[threading.Thread] = []
        self._queues: list[_Queue] = []

    def read_all(
        self, requests: Sequence[Request], idle: Callable[[], None] | None = None
    ) -> Iterator[Iterator[Part]]:
        """For each request its parts. They raise Unreadable where the file gives out; take all
        of them before the next. ``idle`` is called each second that nothing comes."""
        self._queues = queues = [_Queue() for _ in requests]
        self._jobs = iter(enumerate(zip(requests, queues, strict=True)))
        for child in self._children[: len(requests)]:
            thread = threading.Thread(target=self._drive, args=[child], daemon=True)
            self._threads.append(thread)
            thread.start()
        for number, queue in enumerate(queues, 1):
            with self._turn:
                self._taken = number
                self._turn.notify_all()
            yield queue.parts(idle)
            queue.drop()
            queues[number - 1] = _DONE

    def close(self) -> None:
        with self._turn:
            self._closed = True
            self._turn.notify_all()
        if self._ocr:
            self._ocr.stop()
        for child in self._children:
            child.stop()
        for queue in self._queues:
            queue.drop()
        for thread in self._threads:
            thread.join()

    def _drive(self, child: Child) -> None:
        try:
            while job := self._next():
                request, queue = job
                try:
                    for part in self._parts(child, request):
                        queue.put(part)
                except BaseException as failure:  # noqa: BLE001 - raised again by who takes it
                    queue.end(failure)
                else:
                    queue.end(None)
        finally:
            child.close()

    def _next(self) -> tuple[Request, _Queue] | None:
        with self._turn:
            number, job = next(self._jobs, (0, None))
            ahead = len(self._children) * _AHEAD
            self._turn.wait_for(lambda: self._closed or number < self._taken + ahead)
            return None if self._closed else job

    def _parts(self, child: Child, request: Request) -> Iterator[Part]:
        """The file's parts; with OCR a file with lost pages is read again, from a new Opening."""
        if not self._ocr or request.path.suffix.lower() != ".pdf":
            yield from read(child, request)
            return
        last: Ending | Unreadable
        try:
            for part in read(child, request):
                if isinstance(part, Ending) and part.lost_pages:
                    last = part
                    break
                yield part
            else:
                return
        except Unreadable as failure:
            if failure.status != "no_text":
                raise
            last = failure
        yield from self._by_ocr(child, request, last)

    def _by_ocr(self, child: Child, request: Request, last: Ending | Unreadable) -> Iterator[Part]:
        """The file with the text that OCR finds on its lost pages, else its former end."""
        assert self._ocr  # noqa: S101 - asked for
        lost = last.lost_pages if isinstance(last, Ending) else last.pages
        found = self._ocr.pages(lost, lambda page: render(child, request, page))
        if found.texts:
            again = replace(request.options, texts=tuple(sorted(found.texts.items())))
            yield from read(child, replace(request, options=again))
            return
        detail = f"{last.detail}; {found.problem or 'OCR found none'}"
        if isinstance(last, Ending):
            yield replace(last, detail=detail)
        else:
            raise Unreadable(last.status, detail, last.pages, last.seconds)


class _Queue:
    """The parts of one file between the thread that reads them and whoever takes them."""

    def __init__(self) -> None:
        self._parts: deque[Part] = deque()
        self._waiting = 0
        self._ended = self._dropped = False
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    def put(self, part: Part) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting < _WAITING or self._dropped)
            self._parts.append(part)
            self._waiting += _size(part)
            self._changed.notify_all()

    def end(self, failure: BaseException | None) -> None:
        with self._changed:
            self._ended, self._failure = True, failure
            self._changed.notify_all()

    def drop(self) -> None:
        """Nobody takes the rest."""
        with self._changed:
            self._dropped = True
            self._parts.clear()
            self._changed.notify_all()

    def parts(self, idle: Callable[[], None] | None) -> Iterator[Part]:
        while True:
            with self._changed:
                there = self._changed.wait_for(lambda: self._parts or self._ended, _IDLE)
                part = self._parts.popleft() if self._parts else None
                if part:
                    self._waiting -= _size(part)
                    self._changed.notify_all()
                elif there and self._failure:
                    raise self._failure
                elif there:
                    return
            if part:
                yield part
            elif idle:
                idle()


_DONE = _Queue()


def _size(part: Part) -> int:
    return len(part.text) if isinstance(part, Section) else 1
