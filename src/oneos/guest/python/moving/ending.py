"""The end of a program that is run by us: its exception is shown as the interpreter would."""

import sys

from .frames import OWN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def run_to_end(run: "Callable[[], Any]", outside: "tuple[str, ...]" = ()) -> int:
    """Run a program, and say how it ended.

    Args:
        outside: files whose frames are not the program's either.

    Returns:
        Its exit status. Functions registered with `atexit` have not run yet.
    """
    try:
        run()
    except SystemExit as error:
        code = error.code
        if code is None or isinstance(code, int):
            return int(code or 0)
        print(code, file=sys.stderr)
        return 1
    except BaseException as error:
        traceback = error.__traceback__
        while traceback is not None and is_outside(traceback, outside):
            traceback = traceback.tb_next
        sys.excepthook(type(error), error.with_traceback(traceback), traceback)
        return 1
    return 0


def is_outside(traceback: "Any", outside: "tuple[str, ...]") -> bool:
    name = traceback.tb_frame.f_code.co_filename
    return name.startswith(OWN) or name in outside
