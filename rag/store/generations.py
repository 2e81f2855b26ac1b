"""Published generations on disk: who reads which, who may write, what may be thrown away.

    index/
      CURRENT            the number of the newest published generation; 0 before the first
      writer.lock        held by the one ingest that runs; names its owner
      generations/
        7/               immutable: ledger.db, shard/, lease
        work/            the private copy an ingest is preparing
        parked-7-2/      the second checkpoint of a rebuild that is to replace generation 7

A reader holds a shared lock on its generation's ``lease``; a generation goes when it is no longer
current and nobody holds it. Locks are the kernel's, so a dead owner never blocks. A folder is put
in place by renaming it, so a kill never leaves half of one.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import time
from pathlib import Path
from typing import IO

import portalocker

from rag.errors import IndexDamaged, IndexLocked, IndexMissing, UsageError
from rag.failpoints import failpoint
from rag.store.folders import apparent, copy_sparse
from rag.store.ledger import REBUILD
from rag.store.room import MARGIN, NEW_SHARD, disk_full_told, must_have_room

_PARKED = "parked-"


class Generations:
    def __init__(self, root: Path) -> None:
        self.root = root
        self._generations = root / "generations"
        self._current = root / "CURRENT"
        self._made = False  # whether the folder was made by this writer

    @property
    def work(self) -> Path:
        return self._generations / "work"

    def current(self) -> int | None:
        """The newest published generation, None for an index that does not exist."""
        try:
            text = self._current.read_text(encoding="ascii").strip()
        except (FileNotFoundError, NotADirectoryError):
            if self._numbered():
                raise IndexDamaged(
                    f"index {self.root} has lost its CURRENT file", REBUILD
                ) from None
            return None
        except PermissionError as error:
            raise UsageError(
                f"index {self.root} cannot be read: {error.strerror}", "check its permissions"
            ) from error
        except (OSError, UnicodeDecodeError) as error:
            raise IndexDamaged(f"index {self.root}: CURRENT cannot be read", REBUILD) from error
        if not text.isdigit():
            raise IndexDamaged(f"index {self.root}: CURRENT holds no number", REBUILD)
        return int(text) or None

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
            folder = self.folder(number)
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                held = _lock(folder / "lease", portalocker.LockFlags.SHARED)
                if held and (folder / "ledger.db").exists():
                    return folder, held
                if held:
                    held.close()
            if self.current() == number:
                raise IndexDamaged(f"index {self.root}: generation {number} is gone", REBUILD)

    def lock_for_writing(self) -> IO[bytes]:
        """Become the writer. Raises IndexLocked at once, naming the owner."""
        self._made = not self.root.exists()
        path = self.root / "writer.lock"
        try:
            with disk_full_told(self.root), contextlib.ExitStack() as stack:
                held = stack.enter_context(self._lock_file(path))
                held.truncate(0)
                held.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
                held.flush()
                stack.pop_all()
        except OSError as error:
            raise UsageError(
                f"index folder {self.root} cannot be written: {error.strerror}",
                "check its permissions, or give another with --index DIR",
            ) from error
        return held

    def _lock_file(self, path: Path) -> IO[bytes]:
        while True:
            self._generations.mkdir(parents=True, exist_ok=True)
            path.touch()
            with contextlib.suppress(FileNotFoundError):
                held = _lock(path, portalocker.LockFlags.EXCLUSIVE)
                if held is None:
                    raise IndexLocked(
                        f"index {self.root} is being written by {_owner(path)}",
                        "wait for it to end",
                    )
                if os.path.samestat(os.fstat(held.fileno()), path.stat()):
                    return held
                held.close()  # a lock on a file that `unlock` has removed holds nobody off

    def unlock(self, held: IO[bytes]) -> None:
        """Let the next writer in. A folder that never became an index goes."""
        self.forget_work()
        if self._made and not self._current.exists():
            with contextlib.suppress(OSError):
                self._generations.rmdir()
                (self.root / "writer.lock").unlink()
                self.root.rmdir()
        held.close()

    def begin(self, source: Path | None) -> Path:
        """A private copy of a generation or of a parked rebuild; without one an empty folder.

        Raises DiskFull when there is no room for it.
        """
        self.forget_work()  # what a killed run left
        with disk_full_told(self.root):
            must_have_room(self.root, MARGIN + (apparent(source) if source else NEW_SHARD))
            if source:
                copy_sparse(source, self.work)
            else:
                self.work.mkdir(parents=True)
        failpoint("embedded.copied")
        return self.work

    def publish(self) -> None:
        """Make the closed private copy the current generation, then drop what nobody reads."""
        number = 1 + max(self._numbered(), default=0)
        with disk_full_told(self.root):
            if number == 1:
                self._point_to(0)  # a kill before the next switch leaves no index, no damaged one
            (self.work / "lease").touch()
            os.rename(self.work, self.folder(number))
            failpoint("embedded.renamed")
            self._point_to(number)
        failpoint("embedded.switched")
        self.sweep()

    # ------------------------------------------------------------------ an unfinished rebuild

    def park(self) -> None:
        """Put the closed private copy aside, in the place of what was parked before."""
        base = self._to_replace()
        older = self._parkings()
        count = 1 + max((n for b, n in older if b == base), default=0)
        with disk_full_told(self.root):
            os.rename(self.work, self._generations / f"{_PARKED}{base}-{count}")
        failpoint("embedded.parked")
        for known in older:
            self._drop_parking(*known)

    def parked(self) -> Path | None:
        """The unfinished rebuild of the current generation, if there is one."""
        base = self._to_replace()
        count = max((n for b, n in self._parkings() if b == base), default=0)
        return self._generations / f"{_PARKED}{base}-{count}" if count else None

    def drop_parked(self) -> None:
        for known in sorted(self._parkings()):
            self._drop_parking(*known)

    def _drop_parking(self, base: int, count: int) -> None:
        shutil.rmtree(self._generations / f"{_PARKED}{base}-{count}", ignore_errors=True)

    def _parkings(self) -> list[tuple[int, int]]:
        """(generation to be replaced, checkpoint) of each parked folder."""
        found = []
        for folder in self._generations.glob(f"{_PARKED}*-*"):
            base, _, count = folder.name.removeprefix(_PARKED).partition("-")
            found += [(int(base), int(count))] if base.isdigit() and count.isdigit() else []
        return found

    def _to_replace(self) -> int:
        try:
            return self.current() or 0
        except IndexDamaged:
            return 0

    # ------------------------------------------------------------------ steps

    def _point_to(self, number: int) -> None:
        temporary = self._current.with_suffix(".new")
        with temporary.open("w", encoding="ascii") as stream:
            stream.write(f"{number}\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, self._current)

    def sweep(self) -> None:
        """Remove generations that are not current and that no reader holds, and their rebuilds."""
        current = self.current()
        for known in self._parkings():
            if known[0] != (current or 0):
                self._drop_parking(*known)
        for number in self._numbered():
            if number == current:
                continue
            folder = self.folder(number)
            try:
                held = _lock(folder / "lease", portalocker.LockFlags.EXCLUSIVE)
            except FileNotFoundError:  # a sweep was killed here
                shutil.rmtree(folder, ignore_errors=True)
                continue
            if held:
                shutil.rmtree(folder, ignore_errors=True)
                held.close()

    def _numbered(self) -> list[int]:
        return [int(f.name) for f in self._generations.glob("[0-9]*") if f.name.isdigit()]

    def forget_work(self) -> None:
        shutil.rmtree(self.work, ignore_errors=True)


def _owner(path: Path) -> str:
    """Who holds the lock. Its name follows the lock by an instant, so an empty file is read again
    for up to half a second [of 100 races one met it]."""
    for _ in range(25):
        if owner := path.read_text(encoding="utf-8", errors="replace").strip():
            return owner
        time.sleep(0.02)
    return "another run"


def _lock(path: Path, kind: portalocker.LockFlags) -> IO[bytes] | None:
    """An open file that holds the lock, or None when another holds it. A shared lock needs no
    right to write. Raises OSError when the file cannot be opened."""
    mode = "rb" if kind == portalocker.LockFlags.SHARED else "r+b"
    with contextlib.ExitStack() as stack:
        stream: IO[bytes] = stack.enter_context(path.open(mode))
        try:
            portalocker.lock(stream, kind | portalocker.LockFlags.NON_BLOCKING)
        except portalocker.LockException:
            return None
        stack.pop_all()
        return stream
