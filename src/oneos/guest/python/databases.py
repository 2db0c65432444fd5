"""`_sqlite3` for a program: databases in memory only.

SQLite opens its files in C, and beside each a journal by a name of its own, which has to be found
by whoever opens the database after a crash, on whatever host: so a database of the tree is refused,
with the error that SQLite has for a file it cannot open. A statement can name files too (ATTACH,
VACUUM INTO); SQLite asks an authorizer about these.
"""

from .failure import LATER, seamless
from .paths import shown, to_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .paths import Paths

CANTOPEN, ATTACH, OK, DENY = 14, 24, 0, 1
"""Numbers of SQLite's C interface: a result, an action to be authorized, and two answers."""


def change(module: "Any", paths: "Paths") -> None:
    """Put the replacements into `_sqlite3`.

    Args:
        paths: tells the tree's paths from the host's.
    """

    def in_tree(database: "Any") -> bool:
        raw = to_bytes(database)
        if raw.startswith(b"file:"):
            raw, _, query = raw[5:].partition(b"?")
            if b"mode=memory" in query:
                return False
        return bool(raw and not raw.startswith(b":memory:") and paths.locate(raw))

    def refusal(database: "Any") -> Exception:
        text = f"unable to open database file: a SQLite database in the tree {LATER}"
        error: Any = module.OperationalError(f"{text}: {shown(database)!r}")
        error.sqlite_errorcode, error.sqlite_errorname = CANTOPEN, "SQLITE_CANTOPEN"
        return error  # type: ignore[no-any-return]

    def guarded(function: "Any", own: list[bool]) -> "Any":
        """An authorizer that asks `function` about all but files of the tree.

        Args:
            own: whether SQLite attaches something by itself just now, which is in memory.
        """

        def authorizer(action: int, first: "Any", *rest: "Any") -> "Any":
            # A name that is computed is not told: it may be any.
            if action == ATTACH and not own[0] and (first is None or in_tree(first)):
                return DENY
            return OK if function is None else function(action, first, *rest)

        authorizer.__name__ = getattr(function, "__name__", "authorizer")
        return authorizer

    class Connection(module.Connection):  # type: ignore[misc]
        __module__ = "sqlite3"

        @seamless
        def __init__(self, database: "Any", *args: "Any", **kwargs: "Any") -> None:
            if in_tree(database):
                try:
                    # A directory: it fails, and what this was connected to before is closed.
                    super().__init__("/", *args, **kwargs)
                except module.Error:
                    pass
                raise refusal(database)
            super().__init__(database, *args, **kwargs)
            self._oneos_own = [False]
            super().set_authorizer(guarded(None, self._oneos_own))

        @seamless
        def set_authorizer(self, authorizer_callback: "Any") -> None:
            super().set_authorizer(guarded(authorizer_callback, self._oneos_own))

        @seamless
        def deserialize(self, data: "Any", /, *, name: str = "main") -> None:
            self._oneos_own[0] = True
            try:
                super().deserialize(data, name=name)
            finally:
                self._oneos_own[0] = False

    real_connect = module.connect

    @seamless
    def connect(database: "Any", *args: "Any", **kwargs: "Any") -> "Any":
        if in_tree(database):
            raise refusal(database)
        if len(args) < 5:
            kwargs.setdefault("factory", Connection)
        return real_connect(database, *args, **kwargs)

    module.Connection, module.connect = Connection, connect
