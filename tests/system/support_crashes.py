"""A small history of files in the tree, and what may be left of it when hosts die.

Each step says what the files below a directory are when it is done. A step that has been answered
is done; the one that has not, by the time of a crash, is done or is not: there is no third. A new
file has a name before it has content, as on any disk.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

from oneos.errors import OneOSError
from tests.system.support import HOME, Host
from tests.system.support_drivers import Driver, Op

Files = dict[str, bytes | None]
"""Names below the directory, each with its content; None: a directory."""


@dataclass
class History:
    """What was done below a directory of the tree, and may be there now.

    Attributes:
        here: what must be there, as far as was answered.
        maybe: what else may be there, as something was begun and not answered.
    """

    top: str
    here: Files = field(default_factory=dict)
    maybe: list[Files] = field(default_factory=list)

    def do(self, driver: Driver, op: Op, then: Files, *between: Files) -> bool:
        """Have a driver do something; whether it was answered with success.

        Args:
            then: what is changed by it; an empty name in front of what goes.
            between: what may show while it is being done.
        """
        states = [self._with(change) for change in (*between, then)]
        assert not self.maybe, "what is there is not known any more"
        words = [f"{self.top}/{x}".encode() if type(x) is str else x for x in op[1:]]
        came = driver(op[0], *words)
        if came[0] == "ok":
            self.here = states[-1]
            return True
        # An error after a crash says that it is not known, and nothing else.
        self.maybe = states
        return False

    def _with(self, change: Files) -> Files:
        changed = dict(self.here)
        for name, content in change.items():
            if name.startswith("-"):
                changed.pop(name[1:], None)
            else:
                changed[name] = content
        return changed

    def check(self, host: Host) -> Files:
        """What a host finds there; it must be one of what may be."""
        found = files_below(host, f"{HOME}/{self.top}")
        allowed = [self.here, *self.maybe]
        assert found in allowed, f"{host.name} finds {found}, and not one of {allowed}"
        return found


def files_below(host: Host, path: str) -> Files:
    """Everything below a directory, as a host's Runtime answers; nothing where it is not there."""
    found: Files = {}
    for name in sorted(host.names(path)):
        mode: int = host.ask("stat", f"{path}/{name}".encode(), False)[0]
        if stat.S_ISDIR(mode):
            found[name] = None
            found.update({f"{name}/{k}": v for k, v in files_below(host, f"{path}/{name}").items()})
        else:
            found[name] = host.get(f"{path}/{name}")
    return found


def tried(host: Host, history: History) -> Files | None:
    """What a host finds, or nothing while it cannot be asked: hosts that died are yet to be given
    up."""
    try:
        return history.check(host)
    except OneOSError:
        return None


BIG = b"0123456789abcdef" * 65536
"""One MiB: more than one chunk, so that a commit takes a while."""


def steps(history: History, one: Driver, other: Driver) -> Iterator[bool]:
    """A round of everything that changes files, by two drivers; each step as it is done.

    All that has a step in `oneos.failpoints`, but for collections and snapshots, comes by.
    """
    do = history.do
    yield do(one, ("mkdir", "d", 0o755), {"d": None})
    yield do(one, ("put", "d/a", b"first"), {"d/a": b"first"}, {"d/a": b""})
    yield do(other, ("put", "d/b", b"other"), {"d/b": b"other"}, {"d/b": b""})
    # Written anew, by who has it at home and by who has not.
    yield do(one, ("put", "d/a", b"second" * 1000), {"d/a": b"second" * 1000})
    yield do(other, ("put", "d/a", BIG), {"d/a": BIG})
    yield do(one, ("add", "d/b", b" and one"), {"d/b": b"other and one"})
    # Through the home, while it is open there.
    yield do(one, ("open", 0, "d/b", 2, 0), {})
    yield do(other, ("patch", "d/b", b"OTHER", 0), {"d/b": b"OTHER and one"})
    yield do(other, ("add", "d/b", b"!"), {"d/b": b"OTHER and one!"})
    yield do(one, ("close", 0), {})
    # Names, which the other has looked at, so that it is called back.
    yield do(other, ("scandir", "d"), {})
    yield do(one, ("put", "d/c", b"third"), {"d/c": b"third"}, {"d/c": b""})
    yield do(other, ("stat", "d/c"), {})
    yield do(one, ("rename", "d/c", "d/a"), {"-d/c": None, "d/a": b"third"})
    yield do(other, ("link", "d/a", "d/l", False), {"d/l": b"third"})
    yield do(one, ("unlink", "d/a"), {"-d/a": None})
    yield do(other, ("rename", "d/b", "d/l"), {"-d/b": None, "d/l": b"OTHER and one!"})
    yield do(one, ("mkdir", "e", 0o755), {"e": None})
    yield do(other, ("rename", "d", "e/d"), _moved(history.here, "d", "e/d"))
    yield do(one, ("unlink", "e/d/l"), {"-e/d/l": None})
    yield do(other, ("rmdir", "e/d"), {"-e/d": None})
    yield do(one, ("put", "e/last", b"last"), {"e/last": b"last"}, {"e/last": b""})


def _moved(files: Files, old: str, new: str) -> Files:
    change: Files = {}
    for name, content in files.items():
        if name == old or name.startswith(f"{old}/"):
            change[f"-{name}"] = None
            change[new + name[len(old) :]] = content
    return change
