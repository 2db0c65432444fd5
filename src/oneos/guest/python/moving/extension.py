"""Loading the extension, which the Runtime has built for this interpreter."""

import importlib.util
import sys

NAME = "oneos_moving"


class Unusable(Exception):
    """This interpreter's programs cannot move; the text says why."""


def load(path: str) -> None:
    """Load the extension from a file, so that the rest of this package can be imported.

    Raises:
        Unusable: it was not built for this interpreter, or the interpreter is of another kind.
    """
    if NAME in sys.modules:
        return
    if sys.implementation.name != "cpython" or not (3, 11) <= sys.version_info[:2] <= (3, 14):
        raise Unusable("programs of CPython 3.11 to 3.14 can move, and this is another interpreter")
    spec = importlib.util.spec_from_file_location(NAME, path)
    if spec is None or spec.loader is None:
        raise Unusable(f"there is no extension in {path}")
    try:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError as error:
        raise Unusable(f"the extension cannot be loaded: {error}") from None
    sys.modules[NAME] = module
