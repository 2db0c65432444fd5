"""Has the kernel tell watchers (inotify) of what other hosts change.

Linux tells a watcher what is done through its own mount, and tells a file system of no watch. So
/proc is looked through for programs that have one, at most once a second and only while or shortly
after programs ask for something; and what they watch is looked at again and again. What is found
changed there, and was not changed from here, the Runtime touches through the mount: a change of
permissions to what they are, which is answered without doing anything (`changes.setattr`), and of
which the kernel tells all who watch: IN_ATTRIB, with its name to those of the directory. Where
nobody watches nothing is asked.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from oneos.errors import OneOSError
from oneos.fuse import wire
from oneos.fuse.cache import Cache
from oneos.fuse.nodes import Node, Nodes
from oneos.fuse.openings import Openings
from oneos.fuse.view import View
from oneos.limits import LOOKS_MAX, WATCHED_MAX, WATCHED_POLL_S, WATCHES_SCAN_S, WATCHES_SCANS
from oneos.local.client import Client

log = logging.getLogger(__name__)

Sign = tuple[int, int, int, int]
"""Inode, mode, size and time of the last change of content, as far as they are known."""

_INOTIFY = "anon_inode:inotify"


@dataclass(slots=True)
class _Watched:
    """What was seen last of something that is watched: itself, and what is in it."""

    sign: Sign
    inside: dict[bytes, Sign] = field(default_factory=dict)
    changes: dict[int, int] = field(default_factory=dict)
    """By inode: how many changes by programs here there had been."""


class Watches:
    """See the module.

    Args:
        connect: makes a connection to the Runtime.
        view, nodes, cache, openings: as for Files.
    """

    def __init__(
        self,
        connect: Callable[[], Client],
        view: View,
        nodes: Nodes,
        cache: Cache,
        openings: Openings,
    ) -> None:
        self._connect = connect
        self._view = view
        self._nodes = nodes
        self._cache = cache
        self._openings = openings
        self._watched: dict[int, _Watched] = {}
        self.asked = threading.Event()
        """Set when a program asks for something."""

    def start(self) -> None:
        """Begin, in a thread of its own."""
        threading.Thread(target=self._run, name="watches", daemon=True).start()

    def _run(self) -> None:
        client: Client | None = None
        while True:
            self.asked.wait()
            quiet = 0
            while quiet < WATCHES_SCANS or self._watched:
                quiet = 0 if self.asked.is_set() else quiet + 1
                self.asked.clear()
                time.sleep(WATCHES_SCAN_S)
                try:
                    inos = set(watched(self._view.proc)) if self._view.proc else set()
                    if inos:
                        client = client or self._connect()
                        self._follow(client, inos, time.monotonic() + WATCHES_SCAN_S)
                    else:
                        self._watched.clear()
                except Exception as error:
                    # No request of the kernel waits for this thread, so it need not end the rest.
                    log.warning("what is watched was not looked at: %r", error)
                    client = None

    def _follow(self, client: Client, inos: set[int], until_s: float) -> None:
        """Look at what is watched, until it is time to see what is."""
        for gone in self._watched.keys() - inos:
            del self._watched[gone]
        while True:
            for ino in sorted(inos)[:WATCHED_MAX]:
                self._look(client, ino)
            if time.monotonic() > until_s:
                return
            time.sleep(WATCHED_POLL_S)

    def _look(self, client: Client, ino: int) -> None:
        node = next((n for n in self._nodes.of_inode(ino) if not n.detached), None)
        if node is None or ino >= wire.FACTS_SINCE:
            return
        try:
            path = self._nodes.path(node)
            now = self._seen(client, path, ino)
            if now is None:
                self._watched.pop(ino, None)
                return
            before, self._watched[ino] = self._watched.get(ino), now
            for name, mode in self._changed(node, before, now) if before is not None else ():
                client.call("notice", path.rstrip(b"/") + b"/" + name if name else path, mode)
        except OneOSError:
            # Removed or renamed meanwhile; the next look tells.
            self._watched.pop(ino, None)

    def _seen(self, client: Client, path: bytes, ino: int) -> _Watched | None:
        """How it stands with something; None: it is gone."""
        changes = {ino: self._cache.changes_of(ino)}
        found = client.call("look", path)[0]
        if found is None or found[1] != ino:
            return None
        seen = _Watched(_sign(found), changes=changes)
        if not stat.S_ISDIR(found[0]):
            return seen
        rows = client.call("list", path)
        for name, mode, child in rows:
            seen.inside[name] = child, mode, 0, 0
            changes[child] = self._cache.changes_of(child)
        if 0 < len(rows) <= LOOKS_MAX:
            names = [row[0] for row in rows]
            looks = client.call("looks", path, names)
            for name, look in zip(names, looks, strict=False):
                if look[0] is not None and look[0][1] == seen.inside[name][0]:
                    seen.inside[name] = _sign(look[0])
        return seen

    def _changed(self, node: Node, before: _Watched, now: _Watched) -> Iterator[tuple[bytes, int]]:
        """Names in it, or b"" for itself, that others have changed, with their permissions."""
        here = before.changes[node.ino] != now.changes[node.ino]
        gone = before.inside.keys() - now.inside.keys()
        if not stat.S_ISDIR(now.sign[1]):
            if now.sign != before.sign and not here and not self._is_written(node.ino):
                yield b"", stat.S_IMODE(now.sign[1])
        elif (gone and not here) or now.sign[1] != before.sign[1]:
            yield b"", stat.S_IMODE(now.sign[1])
        for name, sign in now.inside.items():
            was = before.inside.get(name)
            if was == sign or not (stat.S_ISREG(sign[1]) or stat.S_ISDIR(sign[1])):
                continue
            if was is None or was[0] != sign[0]:
                ours = here and any(n.name == name for n in self._nodes.of_inode(sign[0]))
            else:
                ours = before.changes.get(sign[0]) != now.changes.get(sign[0])
            if not ours and not self._is_written(sign[0]):
                yield name, stat.S_IMODE(sign[1])

    def _is_written(self, ino: int) -> bool:
        """Whether a program here has it open for writing: the kernel tells of what that does."""
        return any(
            file.writing for node in self._nodes.of_inode(ino) for file in self._openings.of(node)
        )


def watched(proc: str) -> Iterator[int]:
    """The inodes that programs watch.

    Args:
        proc: the /proc of these programs.
    """
    for pid in os.listdir(proc):
        if not pid.isdigit():
            continue
        try:
            numbers = os.listdir(f"{proc}/{pid}/fd")
        except OSError:
            continue
        for number in numbers:
            try:
                if os.readlink(f"{proc}/{pid}/fd/{number}") == _INOTIFY:
                    with open(f"{proc}/{pid}/fdinfo/{number}", encoding="ascii") as file:
                        yield from _inodes(file.read())
            except (OSError, ValueError):
                continue


def _inodes(text: str) -> Iterator[int]:
    """The inodes in what proc(5) says of an inotify descriptor."""
    for line in text.splitlines():
        if line.startswith("inotify "):
            words = dict(word.partition(":")[::2] for word in line.split()[1:])
            yield int(words["ino"], 16)


def _sign(found: wire.Attributes) -> Sign:
    return found[1], found[0], 0 if stat.S_ISDIR(found[0]) else found[6], found[8]
