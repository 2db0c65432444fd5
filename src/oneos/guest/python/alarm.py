"""The alarm: tells which calls of C code name the host's files where the tree's were meant.

An audit hook (PEP 578) sees what the interpreter's own C code and well-behaved extensions open. Its
caller is the innermost Python frame: where that is this package, the call is the context's own. It
is a help for finding leaks and no guarantee: there is no event for `stat`, nor for what a library
does behind the interpreter's back. It costs each event a call, so it is on only for programs that
have `ONEOS_ALARM` in their environment.
"""

import sys

from .failure import HERE
from .paths import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .paths import Paths

PATHS_OF = {
    "open": (0,),
    "ctypes.dlopen": (0,),
    "sqlite3.connect": (0,),
    "socket.bind": (1,),
    "socket.connect": (1,),
    "os.chdir": (0,),
    "os.chmod": (0,),
    "os.chown": (0,),
    "os.exec": (0,),
    "os.getxattr": (0,),
    "os.link": (0, 1),
    "os.listdir": (0,),
    "os.listxattr": (0,),
    "os.mkdir": (0,),
    "os.posix_spawn": (0,),
    "os.remove": (0,),
    "os.removexattr": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.scandir": (0,),
    "os.setxattr": (0,),
    "os.symlink": (1,),
    "os.truncate": (0,),
    "os.utime": (0,),
}
"""Which arguments of an event are paths; from the standard library's table of audit events."""


def install(paths: "Paths", tell: "Callable[[str], object]") -> None:
    """Watch this process from now on; a hook cannot be taken away.

    Args:
        paths: tells the tree's paths from the host's.
        tell: gets a line for each call that went past the context.
    """

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event not in PATHS_OF:
            return
        caller = sys._getframe(1)
        if caller.f_code.co_filename.startswith(HERE):
            return
        for at in PATHS_OF[event]:
            path = arguments[at] if at < len(arguments) else None
            if isinstance(path, (str, bytes)) and path and paths.locate(path):
                where = f"{caller.f_code.co_filename}:{caller.f_lineno}"
                tell(f"oneos: alarm: {event} of {shown(path)!r} went to the host, from {where}\n")

    sys.addaudithook(watch)
