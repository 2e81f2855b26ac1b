"""Published generations on disk: who reads which, who may write, what may be thrown away.

    index/
      CURRENT            the number of the newest published generation
      writer.lock        held by the one ingest that runs; names its owner
      generations/
        7/               immutable: ledger.db, shard/, lease
        work/            the private copy an ingest is preparing

A reader holds a shared lock on its generation's ``lease``; a generation goes when it is no longer
current and nobody holds it. Locks are the kernel's, so a dead owner never blocks.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from pathlib import Path
from typing import IO

import portalocker

from rag.errors import IndexDamaged, IndexLocked, IndexMissing, UsageError
from rag.store.ledger import REBUILD


class Generations:
    def __init__(self, root: Path) -> None:
        self.root = root
        self._generations = root / "generations"
        self._current = root / "CURRENT"

    @property
    def work(self) -> Path:
        return self._generations / "work"

    def current(self) -> int | None:
        """The newest published generation, None for an index that does not exist."""
        try:
            text = self._current.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            if self.root.exists() and any(self._generations.glob("[0-9]*")):
                raise IndexDamaged(
                    f"index {self.root} has lost its CURRENT file", REBUILD
                ) from None
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise IndexDamaged(f"index {self.root}: CURRENT cannot be read", REBUILD) from error
        if not text.isdigit():
            raise IndexDamaged(f"index {self.root}: CURRENT holds no number", REBUILD)
        return int(text)

    def folder(self, number: int) -> Path:
        return self._generations / str(number)

    def lease(self) -> tuple[Path, IO[bytes]]:
        """The current generation's folder, held for reading until the lease is closed.

        Raises IndexMissing, or IndexDamaged when the generation that CURRENT names is gone.
        """
        while True:
            number = self.current()
            if number is None:
                raise IndexMissing(f"no index at {self.root}", "make one: rag ingest FOLDER")
            held = _lock(self.folder(number) / "lease", portalocker.LockFlags.SHARED)
            if held and (self.folder(number) / "ledger.db").exists():
                return self.folder(number), held
            if held:
                held.close()
            if self.current() == number:
                raise IndexDamaged(f"index {self.root}: generation {number} is gone", REBUILD)

    def lock_for_writing(self) -> IO[bytes]:
        """Become the writer. Raises IndexLocked at once, naming the owner."""
        try:
            self._generations.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(
                f"index folder {self.root} cannot be made: {error.strerror}",
                "give another with --index DIR",
            ) from error
        path = self.root / "writer.lock"
        path.touch(exist_ok=True)
        held = _lock(path, portalocker.LockFlags.EXCLUSIVE)
        if held is None:
            owner = path.read_text(encoding="utf-8", errors="replace").strip() or "another run"
            raise IndexLocked(
                f"index {self.root} is being written by {owner}", "wait for it to end"
            )
        held.truncate(0)
        held.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
        held.flush()
        return held

    def begin(self, *, afresh: bool = False) -> Path:
        """A private copy of the newest generation; an empty folder for the first or ``afresh``."""
        shutil.rmtree(self.work, ignore_errors=True)  # what a killed run left
        number = None if afresh else self.current()
        if number is None:
            self.work.mkdir(parents=True)
        else:
            shutil.copytree(self.folder(number), self.work)
        return self.work

    def publish(self) -> None:
        """Make the closed private copy the current generation, then drop what nobody reads."""
        number = (self.current() or 0) + 1
        while self.folder(number).exists():  # renamed into place by a run killed before the switch
            number += 1
        (self.work / "lease").touch()
        os.rename(self.work, self.folder(number))
        temporary = self._current.with_suffix(".new")
        with temporary.open("w", encoding="ascii") as stream:
            stream.write(f"{number}\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, self._current)
        self.sweep()

    def sweep(self) -> None:
        """Remove generations that are not current and that no reader holds."""
        current = self.current()
        for folder in self._generations.iterdir():
            if not folder.name.isdigit() or int(folder.name) == current:
                continue
            held = _lock(folder / "lease", portalocker.LockFlags.EXCLUSIVE)
            if held:
                shutil.rmtree(folder, ignore_errors=True)
                held.close()

    def forget_work(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)


def _lock(path: Path, kind: portalocker.LockFlags) -> IO[bytes] | None:
    """An open file that holds the lock, or None when another holds it or the file is gone."""
    with contextlib.ExitStack() as stack:
        try:
            stream = stack.enter_context(path.open("r+b"))
            portalocker.lock(stream, kind | portalocker.LockFlags.NON_BLOCKING)
        except (FileNotFoundError, NotADirectoryError, portalocker.LockException):
            return None
        stack.pop_all()
        return stream
