"""Text to syntax tree, with dash's own parser in a process of its own.

libdash keeps one global state and may end the process at an error, so it never runs in the
shell's own process: a small nursery is forked when the shell starts, it forks the worker that
parses, and replaces the worker after each error. A request and its reply are one frame each.
What a command means is decided elsewhere; here it is only whether the text is one, and where
it ends (dashtree.py converts the result).
"""

import ctypes
import locale
import os
import pickle
import re
import signal
import socket
import struct
import sys
import tempfile
import threading
from typing import Any, NoReturn

from oneos.errors import InternalError, UserError
from oneos.limits import PARSE_CACHE_TEXTS_MAX, PARSE_CACHED_CHARS_MAX, SCRIPT_BYTES_MAX
from oneos.shell import nodes

_LENGTH = struct.Struct("<I")
_EOF_SEEN = 2  # in struct parsefile.eof: the reader has met the end of its input
_FINISHED, _REPLACE = 0, 3
_RECURSION_MAX = 20_000


class Parser:
    """One shell's parser. Threads share it; each waits its turn.

    Make it before the process has threads: it forks. `close` ends its process.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cache: dict[str, nodes.Script] = {}
        self._socket, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            _nursery(theirs)
        theirs.close()

    def close(self) -> None:
        with self._lock:
            if self._pid:
                self._socket.close()
                os.waitpid(self._pid, 0)
                self._pid = 0

    def parse(self, text: str) -> nodes.Script:
        """The commands of a text, up to the first error, which the result names.

        Raises:
            UserError: the text is too large to be a script.
            InternalError: the parser's process ended.
        """
        with self._lock:
            if (known := self._cache.get(text)) is not None:
                return known
            script = self._ask(text)
            if len(text) <= PARSE_CACHED_CHARS_MAX:
                if len(self._cache) >= PARSE_CACHE_TEXTS_MAX:
                    del self._cache[next(iter(self._cache))]
                self._cache[text] = script
            return script

    def _ask(self, text: str) -> nodes.Script:
        data = text.encode("utf-8", "surrogateescape")
        if b"\0" in data:
            raise UserError("the script has a NUL byte", hint="is it a text file?")
        if len(data) > SCRIPT_BYTES_MAX:
            raise UserError(
                f"a script of {len(data)} bytes is too large",
                hint=f"at most {SCRIPT_BYTES_MAX} bytes",
            )
        try:
            self._socket.sendall(_LENGTH.pack(len(data)) + data)
            reply = _receive(self._socket)
        except OSError as error:
            raise InternalError(f"the shell's parser ended: {error}") from error
        except BaseException:
            # Broken off half-way: the next reply would be this text's. End the nursery.
            self._socket.close()
            raise
        if reply is None:
            raise InternalError("the shell's parser ended")
        script: nodes.Script = pickle.loads(reply)
        return script


def _receive(connection: socket.socket) -> bytes | None:
    """One frame; None at the end of the stream."""
    parts = bytearray()
    size = _LENGTH.size
    while len(parts) < size:
        data = connection.recv(size - len(parts))
        if not data:
            return None
        parts += data
        if size == len(parts) == _LENGTH.size:
            size += _LENGTH.unpack(parts)[0]
    return bytes(parts[_LENGTH.size :])


def _send(connection: socket.socket, script: nodes.Script) -> None:
    # Pickle, not MessagePack: words may hold bytes that are no UTF-8, as surrogates.
    data = pickle.dumps(script, pickle.HIGHEST_PROTOCOL)
    connection.sendall(_LENGTH.pack(len(data)) + data)


def _nursery(connection: socket.socket) -> NoReturn:
    """Keep one worker running until the shell closes its end."""
    try:
        # Ctrl-C on the terminal is for the shell and its programs, not for the parser.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        # Descriptors of the shell held open here would keep its pipes from ending.
        os.closerange(3, connection.fileno())
        os.closerange(connection.fileno() + 1, 4096)
        # Loaded once here, so that a new worker starts in a millisecond.

        import oneos.shell.dashtree  # noqa: F401

        while True:
            pid = os.fork()
            if pid == 0:
                os._exit(_work(connection))
            _, status = os.waitpid(pid, 0)
            code = os.waitstatus_to_exitcode(status)
            if code == _FINISHED:
                os._exit(0)
            if code != _REPLACE:
                # It died without an answer, and the shell waits for one.
                _send(connection, nodes.Script([], "the parser gave up on this text"))
    finally:
        os._exit(1)


def _work(connection: socket.socket) -> int:
    sys.setrecursionlimit(_RECURSION_MAX)
    dash = _Dash()
    while True:
        data = _receive(connection)
        if data is None:
            return _FINISHED
        script = dash.parse(data)
        _send(connection, script)
        if script.error:
            return _REPLACE


class _Dash:
    """libdash, loaded and initialised, in the worker."""

    def __init__(self) -> None:
        from libdash import _dash, parser

        self._dash: Any = _dash
        # In the C locale dash handles bytes and leaves no marks of multibyte characters.
        locale.setlocale(locale.LC_ALL, "C")
        self._lib = ctypes.CDLL(parser.libdash_library_path())
        _dash.initialize(self._lib)
        self._lib.setinputfd.argtypes = [ctypes.c_int, ctypes.c_int]
        self._lib.setinputfd.restype = None
        self._done = ctypes.addressof(ctypes.c_int.in_dll(self._lib, "tokpushback"))
        self._error = ctypes.addressof(ctypes.c_int.in_dll(self._lib, "lasttoken"))
        where = ctypes.addressof(_dash.parsefile.in_dll(self._lib, "parsefile"))
        self._current = ctypes.cast(where, ctypes.POINTER(ctypes.POINTER(_dash.parsefile)))
        self._messages = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (lives as long)
        os.dup2(self._messages.fileno(), 2)

    def parse(self, data: bytes) -> nodes.Script:
        from oneos.shell.dashtree import convert

        with tempfile.TemporaryFile(buffering=0) as source:
            source.write(data)
            source.seek(0)
            self._lib.setinputfd(os.dup(source.fileno()), 1)
        lines_all = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
        mark = self._dash.init_stack(self._lib)
        commands: list[nodes.Parsed] = []
        while True:
            pointer = self._dash.parsecmd_safe(self._lib, False)
            state = self._current.contents.contents
            at_end = bool(state.eof & _EOF_SEEN)
            if pointer == self._done:
                break
            if pointer == self._error:
                return nodes.Script(commands, self._message(), state.linno, at_end)
            if pointer is None:
                continue
            node = ctypes.cast(pointer, ctypes.POINTER(self._dash.union_node))
            try:
                converted = convert(node)
            except NotImplementedError as error:
                return nodes.Script(commands, f"{error} is not in this version", state.linno)
            except RecursionError:
                return nodes.Script(commands, "the script is nested too deeply", state.linno)
            end_line = lines_all if at_end else min(state.linno - 1, lines_all)
            commands.append(nodes.Parsed(converted, end_line, at_end))
            self._dash.pop_stack(self._lib, mark)
        self._lib.popfile()
        return nodes.Script(commands)

    def _message(self) -> str:
        self._messages.seek(0)
        text = self._messages.read().decode("utf-8", "replace").strip()
        last = text.splitlines()[-1] if text else "Syntax error"
        return re.sub(r"^sh: \d+: ", "", last)
