"""The file process: serves one name space of one Runtime, and ends with either of them.

Started by the Runtime with a unix socket as its standard input. It has the name space built,
answers the kernel from then on, and sends the Runtime the descriptors that keep the name space; or
one line of text that says what failed. The socket's end is the order to end.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import secrets
import signal
import socket
import sys
import threading

import msgspec

from oneos.fuse import kernel
from oneos.fuse.namespace import KINDS, Start, build, limit_of_files
from oneos.fuse.server import FuseServer
from oneos.fuse.view import View, view_of
from oneos.local.client import Client
from oneos.local.file_process import ORDER_BYTES_MAX, decode

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
    shared = secrets.token_hex(16)
    with Client(given.socket) as client:
        tree = [os.fsdecode(name) for name, *_ in client.call("list", b"/")]
    view = view_of(given.interpreter, tree, given.packages)
    ours, theirs = socket.socketpair()
    # Its child starts the programs, and shall be found below the Runtime, as they.
    kernel.adopt_orphans()
    child = os.fork()
    if child == 0:
        _build_in_child(view, given.mountpoint, given.hostname, start, theirs)
    theirs.close()
    server, failure = None, "the kernel refuses a name space"
    while True:
        data, fds, _, _ = socket.recv_fds(ours, MESSAGE_BYTES_MAX, len(KINDS))
        if data == b"f":
            server = FuseServer(
                fds[0],
                lambda: Client(given.socket, shared=shared),
                view,
                os.path.dirname(given.socket),
            )
            server.start()
        elif data.startswith(b"n "):
            break
        else:
            failure = data.decode("utf-8", "replace") or failure
            break
    os.waitpid(child, 0)
    if server is None or not data.startswith(b"n "):
        runtime.sendall(f"!{failure}".encode())
        return 1
    kept = dict(zip(data.decode().partition("\n")[0].split()[1:], fds, strict=True))
    view.have_proc(kept.get("proc", -1))
    socket.send_fds(runtime, [data], fds)
    for kind, fd in kept.items():
        if kind != "proc":
            os.close(fd)
    # Whichever ends first: the Runtime, or the mount with the last program in it.
    threading.Thread(target=_watch, args=(runtime, server), daemon=True).start()
    server.over.wait()
    return 0


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
