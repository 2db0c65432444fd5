"""The frames just outside of a program: where a capture stops walking, and a restore begins."""

import oneos_moving as native

from .after import after
from .frames import roots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

    from .frames import Record


def run(code: "CodeType", space: "dict[str, Any]") -> None:
    """Run a program's code, as `exec` does; what runs inside can be captured."""
    exec(code, space)


def resume(records: "list[Record]", ready: "Callable[[], None]") -> "Any":
    """Run a saved stack to its end.

    Args:
        ready: called when the frames are there, before the innermost goes on.
    """
    return native.resume(records, after, ready)


roots.update((run.__code__, resume.__code__))
