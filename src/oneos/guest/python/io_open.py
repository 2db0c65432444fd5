"""The built-in `open`, for paths of the tree.

The real one makes its `FileIO` inside C, where nothing can be told of its closing; so the three
layers (raw, buffered, text) are put together here as C does it, from the replaced `FileIO` and the
real buffered and text classes. Wrong arguments go to the real `open`, which refuses them in its own
words before it opens anything; so do the host's files.
"""

import _io
import sys

from .failure import seamless
from .paths import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .descriptors import Descriptors

real_open = _io.open
REMOTE_BUFFER_BYTES = 256 * 1024
"""For a file at another host: each buffer is one request across the network."""


def _modes() -> dict[str, tuple[str, str, bool]]:
    """Every valid mode, and what it means: the raw mode, the kind of buffer, whether text."""
    import itertools

    valid = {}
    for action in "rwax":
        for extra in ("", "t", "b", "+", "t+", "b+"):
            raw = action + ("+" if "+" in extra else "")
            kind = "random" if "+" in extra else "reader" if action == "r" else "writer"
            for letters in itertools.permutations(action + extra):
                valid["".join(letters)] = (raw, kind, "b" not in extra)
    return valid


class Opener:
    """`open` and `open_code`.

    Args:
        descriptors: knows which descriptors are the tree's.
        file_io: the replaced `FileIO`.
    """

    def __init__(self, descriptors: "Descriptors", file_io: "type[Any]") -> None:
        self.descriptors = descriptors
        self.paths = descriptors.paths
        self.file_io = file_io
        self.modes = _modes()
        for function in (Opener.open, Opener.open_code):
            function.__module__ = real_open.__module__  # `io` or `_io`, by the version.

    @seamless
    def open(
        self,
        file: "Any",
        mode: str = "r",
        buffering: int = -1,
        encoding: "str | None" = None,
        errors: "str | None" = None,
        newline: "str | None" = None,
        closefd: bool = True,
        opener: "Any" = None,
    ) -> "Any":
        meaning = self.modes.get(mode) if isinstance(mode, str) else None
        named = not isinstance(file, int)
        wrong = (
            meaning is None
            or not isinstance(buffering, int)
            or (not meaning[2] and (encoding or errors or newline) is not None)
            or (named and not closefd)
        )
        if wrong:
            # `/` cannot be opened for writing, should these arguments be right after all.
            return real_open("/", mode, buffering, encoding, errors, newline, closefd, opener)
        if named and opener is None:
            where = self.paths.locate(file)
            if where == b"":
                return real_open(file, mode, buffering, encoding, errors, newline, closefd)
        assert meaning is not None
        return self._layers(
            file, mode, meaning, buffering, encoding, errors, newline, closefd, opener
        )

    def _layers(
        self,
        file: "Any",
        mode: str,
        meaning: tuple[str, str, bool],
        buffering: int,
        encoding: "str | None",
        errors: "str | None",
        newline: "str | None",
        closefd: bool,
        opener: "Any",
    ) -> "Any":
        raw_mode, kind, text = meaning
        if buffering == 1 and not text:
            import warnings

            text_of = "line buffering (buffering=1) isn't supported in binary mode, the default "
            warnings.warn(text_of + "buffer size will be used", RuntimeWarning, 4)
        if text and encoding is None and sys.flags.warn_default_encoding:
            import warnings

            warnings.warn("'encoding' argument not specified", EncodingWarning, 4)
            encoding = "locale"
        if not isinstance(file, int):
            file = shown(file)
        result = raw = self.file_io(file, raw_mode, closefd, opener)
        try:
            line_buffering = buffering == 1 and text
            if buffering < 0:
                line_buffering = raw.isatty()
            if buffering == 0:
                if not text:
                    return raw
                raise ValueError("can't have unbuffered text I/O")
            if buffering == 1 or buffering < 0:
                far = self.descriptors.far(raw.fileno()) is not None
                buffering = REMOTE_BUFFER_BYTES if far else raw._blksize
            make: Any = {
                "random": _io.BufferedRandom,
                "reader": _io.BufferedReader,
                "writer": _io.BufferedWriter,
            }[kind]
            result = buffered = make(raw, buffering)
            if not text:
                return buffered
            result = wrapper = _io.TextIOWrapper(
                buffered, encoding, errors, newline, line_buffering
            )
            wrapper.mode = mode  # type: ignore[misc]
            return wrapper
        except BaseException:
            result.close()
            raise

    @seamless
    def open_code(self, path: str) -> "Any":
        if not isinstance(path, str):
            raise TypeError(f"open_code() argument 'path' must be str, not {type(path).__name__}")
        return self.open(path, "rb")
