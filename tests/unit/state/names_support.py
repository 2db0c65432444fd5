"""A client of the index for tests: numbers its requests and counts its own clock."""

from typing import Any

from oneos.ids import HostName, Incarnation, Ino
from oneos.state import names_commands as c
from oneos.state.names import Names
from oneos.state.names_store import DictStore
from oneos.state.names_types import Opened, Result

A, B = HostName("a"), HostName("b")


class Client:
    """Asks an index as one host does."""

    def __init__(self, name: str = "client", names: Names | None = None) -> None:
        self.store = DictStore()
        self.names = names or Names(self.store)
        self.name = name
        self.number = 0

    def command(self, kind: type[c.Command], *args: Any, **options: Any) -> Any:
        """A new request, with the next number and the next tick of the clock."""
        self.number += 1
        return kind((self.name, self.number), self.number * 1000, *args, **options)

    def do(self, kind: type[c.Command], *args: Any, **options: Any) -> Result:
        """Its result."""
        return self.names.apply(self.command(kind, *args, **options))

    def must(self, kind: type[c.Command], *args: Any, **options: Any) -> Any:
        """Its value; fails when it is refused."""
        result = self.do(kind, *args, **options)
        assert result.errno == 0, result
        return result.value

    def refused(self, kind: type[c.Command], *args: Any, **options: Any) -> int:
        """Its errno; fails when it is done."""
        result = self.do(kind, *args, **options)
        assert result.errno != 0, result
        return result.errno

    def create(self, path: bytes, home: HostName = A, incarnation: int = 1) -> Opened:
        """A file opened for writing at a home."""
        value = self.must(c.Create, path, 0o644, 0, 0, False, home, Incarnation(incarnation))
        assert isinstance(value, Opened)
        return value

    def commit(self, file: Opened, size: int, final: bool = True) -> Result:
        """Its home commits a content of one chunk, or of none."""
        chunks = (bytes([size % 256]) * 32,) if size else ()
        copies = (file.home,)
        args = (file.attr.ino, file.home, file.home_epoch, size, 7, chunks, copies, final)
        return self.do(c.Commit, *args)

    def at_rest(self, path: bytes, size: int = 0) -> Ino:
        """A committed file that no host has in use."""
        file = self.create(path)
        assert self.commit(file, size).errno == 0
        self.must(c.Release, file.attr.ino, file.home, file.home_epoch)
        return file.attr.ino
