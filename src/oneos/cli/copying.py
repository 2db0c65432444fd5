"""What `oneos cp` does once it knows what goes where: workers, a progress bar, and what failed."""

from __future__ import annotations

import os
import stat
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import click

from oneos.errors import FileError, NetworkError, OneOSError
from oneos.limits import COPY_WORKERS
from oneos.local.client import Client
from oneos.local.sides import Found, HostSide, TreeSide
from oneos.local.transfer import Changed, Transfer

_WAITING_MAX = COPY_WORKERS * 8
"""Files that wait for a worker: enough that none is idle."""


class Item(NamedTuple):
    """Something to copy, and where to."""

    old: bytes
    new: bytes
    found: Found


class Stopped(Exception):
    """Ctrl-C: what is half copied is left for the next time."""


class Sides(NamedTuple):
    """Where it comes from, and where it goes."""

    source: HostSide
    dest: HostSide

    def name(self, path: bytes) -> str:
        """A source's path, as it is written on the command line."""
        return os.fsdecode(self.source.label + path)


@dataclass
class Copying:
    """One run of the command: workers, and what came of it.

    Args:
        socket_path: where each worker has a connection of its own.
        sides: the main thread's.
        inward: into the tree.
        keep, anew: as for Transfer.
    """

    socket_path: str
    sides: Sides
    inward: bool
    keep: bool
    anew: bool
    bar: Any = None
    files: int = 0
    size: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    stopped: bool = False
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _local: threading.local = field(default_factory=threading.local)
    _clients: list[Client] = field(default_factory=list)

    def run(self, items: Sequence[Item]) -> int:
        """Copy it all; returns the exit status."""
        mine = Transfer(*self.sides, keep=self.keep, anew=self.anew)
        directories: list[Item] = []
        missing: list[bytes] = []
        room = threading.Semaphore(_WAITING_MAX)
        pool = ThreadPoolExecutor(COPY_WORKERS, thread_name_prefix="cp")
        try:
            for item in items:
                if self.stopped:
                    break
                if any(item.new.startswith(above) for above in missing):
                    continue
                kind = stat.S_IFMT(item.found.mode)
                if kind == stat.S_IFREG:
                    room.acquire()
                    pool.submit(self._file, item).add_done_callback(lambda _: room.release())
                elif kind == stat.S_IFLNK:
                    self._try(item, lambda item=item: mine.link(item.old, item.new, item.found))
                elif self._try(item, lambda item=item: mine.directory(item.new, item.found)):
                    directories.append(item)
                else:
                    missing.append(item.new + b"/")
            pool.shutdown()
            for item in reversed(directories):
                # The deepest first: whatever goes into one changes its time.
                self._try(item, lambda item=item: mine.settle(item.new, item.found))
        except KeyboardInterrupt:
            self.stopped = True
            self._say("interrupted: what is copied stays; the same command goes on from there")
            pool.shutdown(cancel_futures=True)
            return 130
        finally:
            for client in self._clients:
                client.drop()
        if self.failures:
            self._say(f"cp: {len(self.failures)} could not be copied, {self.files} are")
        return 1 if self.failures else 0

    def _file(self, item: Item) -> None:
        transfer: Transfer | None = getattr(self._local, "transfer", None)

        def copy() -> None:
            nonlocal transfer
            if transfer is None:
                transfer = self._local.transfer = self._another()
            transfer.file(item.old, item.found, item.new, lambda count: self._progress(item, count))

        try:
            if not self.stopped and self._try(item, copy):
                with self._lock:
                    self.files += 1
        except Stopped:
            pass

    def _another(self) -> Transfer:
        client = Client(self.socket_path)
        with self._lock:
            self._clients.append(client)
        tree = TreeSide(client)
        sides = (HostSide(), tree) if self.inward else (tree, HostSide())
        return Transfer(*sides, keep=self.keep, anew=self.anew)

    def _try(self, item: Item, act: Any) -> bool:
        try:
            act()
        except Stopped:
            raise
        except Exception as error:
            if isinstance(error, Changed):
                with self._lock:
                    self.files += 1
            if isinstance(error, NetworkError):
                # The Runtime has ended: so would all that follows.
                self.stopped = True
            self.failed(item.old, error, item.new)
            return False
        return True

    def _progress(self, item: Item, count: int) -> None:
        if self.stopped:
            raise Stopped
        with self._lock:
            self.size += count
            if self.bar is not None:
                self.bar.update(count, item)

    def failed(self, path: bytes, error: Exception, to: bytes | None = None) -> None:
        """Note and say what keeps something from being copied."""
        name = self.sides.name(path)
        if isinstance(error, FileError | OSError):
            # Not its own words: they name what is half copied.
            why = os.strerror(error.errno or 0)
        elif isinstance(error, OneOSError):
            why = error.message
        else:
            why = f"{type(error).__name__}: {error}"
        with self._lock:
            self.failures.append((name, why))
        arrow = "" if to is None else f" -> {os.fsdecode(self.sides.dest.label + to)}"
        self._say(f"cp: {name}{arrow}: {why}")

    def _say(self, text: str) -> None:
        with self._lock:
            # Over the bar, which is drawn anew below.
            begin = "\r\033[K" if self.bar is not None else ""
            print(f"{begin}oneos: {text}", file=sys.stderr, flush=True)

    def report(self) -> dict[str, Any]:
        """As --json prints it."""
        return {
            "files": self.files,
            "bytes": self.size,
            "failed": [{"path": path, "error": why} for path, why in self.failures],
            "interrupted": self.stopped,
        }


class Shown:
    """The progress bar meanwhile, at a terminal."""

    def __init__(self, copying: Copying, items: Sequence[Item], hidden: bool) -> None:
        self._copying = copying
        self._bar: Any = None
        if not hidden and sys.stderr.isatty():
            total = sum(i.found.size for i in items if stat.S_ISREG(i.found.mode))
            self._bar = click.progressbar(
                length=max(total, 1),
                file=sys.stderr,
                update_min_steps=max(1, total // 500),
                item_show_func=lambda item: os.fsdecode(os.path.basename(item.old)) if item else "",
            )

    def __enter__(self) -> None:
        if self._bar is not None:
            self._copying.bar = self._bar.__enter__()

    def __exit__(self, *exc: Any) -> None:
        if self._bar is not None:
            self._bar.__exit__(*exc)
            self._copying.bar = None
