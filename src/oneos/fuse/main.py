"""The file process: serves one name space of one Runtime, and ends with either of them.

Started by the Runtime with a unix socket as its standard input, over which first comes what it
begins with. It has the name space built, answers the kernel from then on, and sends the Runtime the
descriptors that keep the name space; or it takes over from one that has died, and sends `+`. In
place of either goes one line of text, behind `!`, that says what failed. The socket's end is the
order to end.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import signal
import socket
import sys
import threading
from typing import Any

import msgspec

from oneos.errors import OneOSError
from oneos.fuse import kernel, succession
from oneos.fuse.journal import Journal
from oneos.fuse.namespace import KINDS, Start, build, limit_of_files
from oneos.fuse.server import FuseServer
from oneos.fuse.view import View, view_of
from oneos.local.client import Client
from oneos.local.file_process import BEGIN_FDS_MAX, ORDER_BYTES_MAX, Begin, decode

MESSAGE_BYTES_MAX = 1024


def main() -> int:
    """See the module."""
    options = argparse.ArgumentParser()
    options.add_argument("--socket", required=True)
    options.add_argument("--mountpoint", required=True)
    options.add_argument("--hostname", required=True)
    options.add_argument("--interpreter", action="append", default=[])
    options.add_argument("--packages", required=True)
    options.add_argument("--numbers", type=int, nargs=2, default=(0, 0), metavar=("FIRST", "COUNT"))
    given = options.parse_args()
    logging.basicConfig(format="file process: %(levelname)s %(message)s", level=logging.INFO)
    # A Ctrl-C at the Runtime's terminal is the Runtime's business.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    start = Start(given.numbers[0], given.numbers[1], limit_of_files())
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    runtime = socket.socket(fileno=os.dup(0))
    data, fds, _, _ = socket.recv_fds(runtime, MESSAGE_BYTES_MAX, BEGIN_FDS_MAX)
    for fd in fds:
        # `recv_fds` forgets to say so.
        os.set_inheritable(fd, False)
    begin = msgspec.msgpack.decode(data, type=Begin)
    ours = dict(zip(begin.kinds, fds, strict=True))
    journal = Journal(ours["memory"])
    try:
        if "fuse" in ours:
            server = take_over(given, begin.secret, journal, ours)
            runtime.sendall(b"+")
        else:
            server = begin_anew(given, begin.secret, journal, start, runtime)
    except (OneOSError, OSError, ValueError) as error:
        runtime.sendall(f"!{error}".encode()[:MESSAGE_BYTES_MAX])
        return 1
    # A thread that fails leaves requests of the kernel behind: to the next process.
    threading.excepthook = _die
    # Whichever ends first: the Runtime, or the mount with the last program in it.
    threading.Thread(target=_watch, args=(runtime, server), daemon=True).start()
    server.over.wait()
    return 0


def _server(given: Any, secret: str, journal: Journal, fuse: int, view: View) -> FuseServer:
    store = os.path.dirname(given.socket)
    return FuseServer(fuse, lambda: Client(given.socket, shared=secret), view, store, journal)


def begin_anew(
    given: Any, secret: str, journal: Journal, start: Start, runtime: socket.socket
) -> FuseServer:
    """Have the name space built, serve it, and send the Runtime what keeps it.

    Raises:
        OneOSError, OSError: what failed.
    """
    with Client(given.socket) as client:
        tree = [os.fsdecode(name) for name, *_ in client.call("list", b"/")]
    journal.begin()
    journal.note(succession.FACTS, {"tree": tree})
    journal.commit()
    view = view_of(given.interpreter, tree, given.packages)
    ours, theirs = socket.socketpair()
    # Its child starts the programs, and shall be found below the Runtime, as they.
    kernel.adopt_orphans()
    child = os.fork()
    if child == 0:
        _build_in_child(view, given.mountpoint, given.hostname, start, theirs)
    theirs.close()
    server, fuse, failure = None, -1, "the kernel refuses a name space"
    while True:
        data, fds, _, _ = socket.recv_fds(ours, MESSAGE_BYTES_MAX, len(KINDS))
        if data == b"f":
            fuse = fds[0]
            server = _server(given, secret, journal, fuse, view)
            server.start()
        elif data.startswith(b"n "):
            break
        else:
            failure = data.decode("utf-8", "replace") or failure
            break
    os.waitpid(child, 0)
    if server is None or not data.startswith(b"n "):
        raise OSError(failure)
    kinds, _, why = data.decode().partition("\n")
    kept = dict(zip(kinds.split()[1:], fds, strict=True))
    view.have_proc(kept.get("proc", -1))
    if server.resends:
        kept["fuse"] = fuse
    said = " ".join(["n", *kept]) + "\n" + why
    socket.send_fds(runtime, [said.encode()], list(kept.values()))
    for kind, fd in kept.items():
        if kind not in ("proc", "fuse"):
            os.close(fd)
    return server


def take_over(given: Any, secret: str, journal: Journal, ours: dict[str, int]) -> FuseServer:
    """Serve what another file process has served until it died.

    Raises:
        OneOSError, OSError, ValueError: what keeps it from that.
    """
    state = journal.inherit()
    view = view_of(given.interpreter, state.facts["tree"], given.packages)
    view.have_proc(ours.get("proc", -1))
    server = _server(given, secret, journal, ours["fuse"], view)
    server.inherit(state)
    server.resume(state)
    return server


def _build_in_child(
    view: View, mountpoint: str, hostname: str, start: Start, to: socket.socket
) -> None:
    status = 1
    try:
        build(view, mountpoint, hostname, start, to)
        status = 0
    except OSError as error:
        where = f" at {error.filename}" if error.filename else ""
        to.sendall(f"{error.strerror or error}{where}".encode()[:MESSAGE_BYTES_MAX])
    finally:
        # Without the parent's clean-up: its threads and connections are not ours.
        os._exit(status)


def _die(failure: threading.ExceptHookArgs) -> None:
    logging.critical("a thread failed", exc_info=failure.exc_value)
    os._exit(1)


def _watch(runtime: socket.socket, server: FuseServer) -> None:
    """Do what the Runtime orders, until it ends."""
    while True:
        try:
            data = runtime.recv(ORDER_BYTES_MAX)
            if not data:
                break
            number, order = decode(data)
            if order.idle:
                server.files.drop_idle(order.inos)
            else:
                server.cache.recall(order.inos, order.everything)
            runtime.sendall(msgspec.msgpack.encode(number))
        except OSError:
            break
    server.over.set()


if __name__ == "__main__":
    sys.exit(main())
