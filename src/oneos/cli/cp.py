"""`oneos cp`: files between this host and the tree, in either direction.

Decides what goes where, shows how far it is and what failed; `local.transfer` copies each file.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import click

from oneos.cli.options import json_option, login_name, socket_option
from oneos.errors import FileError, NetworkError, OneOSError, UserError
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


@click.command("cp")
@click.option("-r", "-R", "--recursive", is_flag=True, help="Directories with all in them.")
@click.option("-p", "--preserve", is_flag=True, help="Keep modes and times.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar.")
@click.option("--anew", is_flag=True, help="Copy all, also what is there already.")
@json_option
@socket_option
@click.argument("paths", nargs=-1, required=True, metavar="SOURCE... DEST", type=click.Path())
def command(
    recursive: bool,
    preserve: bool,
    quiet: bool,
    anew: bool,
    as_json: bool,
    socket_path: str,
    paths: tuple[str, ...],
) -> int:
    """Copy files between this host and the tree.

    A path that begins with a colon is the tree's: `:/srv/data`, or from your home there `:data`;
    the others are this host's (`./:x` for a name that begins with one). Given again after it was
    interrupted, the command goes on where it stopped: it compares what is there. Symbolic links are
    copied as links with -r.

    \b
    Examples:
      oneos cp report.csv :/home/alice/
      oneos cp -rp photos music :/srv/media
      oneos cp -r :/srv/media/photos .
    """
    if len(paths) < 2:
        raise UserError("cp: there is no DEST", hint="oneos cp SOURCE... DEST; :PATH is the tree's")
    *sources, dest = paths
    inward = _direction(sources, dest)
    with Client(socket_path) as client:
        home = _home(client) if any(p[0] == ":" and p[1:2] != "/" for p in paths if p) else b"/"
        tree = TreeSide(client)
        main = Sides(HostSide(), tree) if inward else Sides(tree, HostSide())
        copying = Copying(socket_path, main, inward, keep=preserve, anew=anew)
        raw = [_path(path, home) for path in paths]
        items = list(_planned(main, raw[:-1], raw[-1], recursive, copying))
        with _shown(copying, items, quiet or as_json):
            status = copying.run(items)
    if as_json:
        click.echo(json.dumps(copying.report()))
    return status


def _direction(sources: Sequence[str], dest: str) -> bool:
    """True: into the tree. Raises UserError where both sides are one."""
    inward = dest.startswith(":")
    for path in sources:
        if path.startswith(":") != inward:
            continue
        if inward:
            hint = "within the tree: oneos run cp ..."
            raise UserError(f"cp: {path} and {dest} are both in the tree", hint=hint)
        hint = "a path of the tree begins with a colon: oneos cp x :/home/alice/"
        raise UserError(f"cp: {path} and {dest} are both on this host", hint=hint)
    return inward


def _home(client: Client) -> bytes:
    home: bytes = client.call("session", {"user": login_name()})["home"]
    return home


def _path(path: str, home: bytes) -> bytes:
    if path.startswith(":"):
        return os.path.join(home, os.fsencode(path[1:]))
    return os.fsencode(path)


class Sides(NamedTuple):
    """Where it comes from, and where it goes."""

    source: HostSide
    dest: HostSide

    def name(self, path: bytes) -> str:
        """A source's path, as it is written on the command line."""
        return os.fsdecode(self.source.label + path)


def _planned(
    sides: Sides, sources: Sequence[bytes], dest: bytes, recursive: bool, copying: Copying
) -> Iterator[Item]:
    """All there is to copy, a directory before what is in it."""
    shown = os.fsdecode(sides.dest.label + dest)
    into = sides.dest.look(dest, follow=True)
    is_directory = into is not None and into.is_directory
    if not is_directory and (len(sources) > 1 or (dest.endswith(b"/") and not recursive)):
        raise UserError(f"cp: {shown} is no directory", hint="make it first, or name a file")
    for old in sources:
        try:
            found = sides.source.look(old, follow=not recursive)
        except (OSError, OneOSError) as error:
            copying.failed(old, error)
            continue
        if found is None:
            copying.failed(old, UserError("No such file or directory"))
            continue
        if found.is_directory and not recursive:
            copying.failed(old, UserError("is a directory: copy it with -r"))
            continue
        if not recursive:
            old = sides.source.resolve(old)
        name = os.path.basename(old.rstrip(b"/"))
        inside = is_directory and name not in (b"", b".", b"..")
        new = os.path.join(dest, name) if inside else dest.rstrip(b"/") or b"/"
        yield from _below(sides, Item(old, new, found), copying)


def _below(sides: Sides, item: Item, copying: Copying) -> Iterator[Item]:
    kind = stat.S_IFMT(item.found.mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        copying.failed(item.old, UserError("is neither file, directory nor link: not copied"))
        return
    yield item
    if kind != stat.S_IFDIR:
        return
    try:
        names = list(sides.source.list(item.old))
    except (OSError, OneOSError) as error:
        copying.failed(item.old, error)
        return
    for name, found in names:
        yield from _below(
            sides, Item(os.path.join(item.old, name), os.path.join(item.new, name), found), copying
        )


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


class _shown:
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
