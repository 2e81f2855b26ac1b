"""Published generations on disk: who reads which, who may write, what may be thrown away.

    index/
      CURRENT            the number of the newest published generation; 0 before the first
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
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import portalocker

from rag.errors import DiskFull, IndexDamaged, IndexLocked, IndexMissing, UsageError
from rag.store.ledger import REBUILD

#: Free space an ingest wants beside its private copy: an engine that meets a full disk in one of
#: its memory-mapped files dies of SIGBUS. A new shard allocates 156 MB and uses 1 [measured].
_SPARE_BYTES = 256 * 2**20

#: Folders in which the engine writes a file before it renames it into place, also when it reads.
_PASSING = ".atomicwrite"


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
            held = self._lock_file(path)
        except OSError as error:
            raise UsageError(
                f"index folder {self.root} cannot be written: {error.strerror}",
                "check its permissions, or give another with --index DIR",
            ) from error
        held.truncate(0)
        held.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
        held.flush()
        return held

    def _lock_file(self, path: Path) -> IO[bytes]:
        while True:
            self._generations.mkdir(parents=True, exist_ok=True)
            path.touch()
            with contextlib.suppress(FileNotFoundError):
                held = _lock(path, portalocker.LockFlags.EXCLUSIVE)
                if held is None:
                    owner = path.read_text(encoding="utf-8", errors="replace").strip()
                    raise IndexLocked(
                        f"index {self.root} is being written by {owner or 'another run'}",
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

    def begin(self, *, afresh: bool = False) -> Path:
        """A private copy of the newest generation; an empty folder for the first or ``afresh``.

        Raises DiskFull when there is no room for it.
        """
        self.forget_work()  # what a killed run left
        number = None if afresh else self.current()
        copied = sum(sizes(self.folder(number)).values()) if number else 0
        needed, free = copied + _SPARE_BYTES, shutil.disk_usage(self.root).free
        if free < needed:
            raise DiskFull(
                f"the disk of index {self.root} has {free / 1e6:,.0f} MB free of the "
                f"{needed / 1e6:,.0f} MB an ingest needs",
                "free some, or give another with --index DIR",
            )
        if number:
            copy_sparse(self.folder(number), self.work)
        else:
            self.work.mkdir(parents=True)
        return self.work

    def publish(self) -> None:
        """Make the closed private copy the current generation, then drop what nobody reads."""
        number = 1 + max(self._numbered(), default=0)
        if number == 1:
            self._point_to(0)  # a kill before the next switch leaves no index, not a damaged one
        (self.work / "lease").touch()
        os.rename(self.work, self.folder(number))
        self._point_to(number)
        self.sweep()

    def _point_to(self, number: int) -> None:
        temporary = self._current.with_suffix(".new")
        with temporary.open("w", encoding="ascii") as stream:
            stream.write(f"{number}\n")
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, self._current)

    def sweep(self) -> None:
        """Remove generations that are not current and that no reader holds."""
        current = self.current()
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


# ------------------------------------------------------------------ files of a generation


def sizes(folder: Path) -> dict[str, int]:
    """File → size, for every file the engine keeps in ``folder``.

    Of the engine's own configuration, which each opening reads and writes anew, only that it is
    there counts: its size is given as 1, empty as 0.
    """
    found = {}
    for path, files in _walk(folder):
        for name in files:
            file = path / name
            size = file.stat().st_size
            short = min(size, 1) if file.suffix == ".json" else size
            found[file.relative_to(folder).as_posix()] = short
    return found


def copy_sparse(source: Path, target: Path) -> None:
    """Copy a folder, leaving out what its files leave out: a small shard of 156 MB is 0.4 MB of
    data, and an ordinary copy writes every zero [measured]."""
    for folder, files in _walk(source):
        into = target / folder.relative_to(source)
        into.mkdir(parents=True)
        for name in files:
            _copy_file(folder / name, into / name)


def _copy_file(source: Path, target: Path) -> None:
    with source.open("rb") as old, target.open("wb") as new:
        size = os.fstat(old.fileno()).st_size
        new.truncate(size)
        for start, end in _stretches(old.fileno(), size):
            old.seek(start)
            new.seek(start)
            while (left := end - old.tell()) > 0 and (block := old.read(min(left, 1 << 20))):
                new.write(block)


def _stretches(file: int, size: int) -> Iterator[tuple[int, int]]:
    """(start, end) of what is really stored of an open file; all of it where nobody can tell."""
    if not hasattr(os, "SEEK_DATA"):
        yield 0, size
        return
    end = 0
    while end < size:
        try:
            start = os.lseek(file, end, os.SEEK_DATA)
        except OSError:  # ENXIO: only a hole is left
            return
        end = os.lseek(file, start, os.SEEK_HOLE)
        yield start, end


def _walk(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    for path, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(_PASSING)]
        yield Path(path), files
