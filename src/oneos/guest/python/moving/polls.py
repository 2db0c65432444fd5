"""What a program waits with, of C: epoll objects, queues, and the pipe that wakes up a loop.

The kernel says what an epoll object looks at. Descriptors are made anew, under the same numbers.
"""

import gc
import os
import sys

from .reasons import cannot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .heap import Description, Heap

PENDING_BYTES = 1 << 18
"""More than a socket keeps."""

MSG_PEEK, MSG_DONTWAIT = 2, 64
ASIDE = 200
"""Where descriptors lie until they get the number that they had."""


# --- while capturing ----------------------------------------------------------------------------
def describe_epoll(heap: "Heap", one: "Any") -> "Description":
    if one.closed:
        return "closed_epoll", (), 0
    number = one.fileno()
    watched = []
    with open(f"/proc/self/fdinfo/{number}", "rb") as file:
        for line in file:
            words = line.split()
            if words[:1] == [b"tfd:"]:
                watched.append((int(words[1]), int(words[3], 16)))
    heap.files.remade.add(number)
    return "epoll", (number,), 0, "fill_epoll", watched


class Pair:
    """Two sockets that are connected with each other, and the bytes on their way to the first."""

    def __init__(self, first: "Any", second: "Any") -> None:
        self.numbers = first.fileno(), second.fileno()
        try:
            self.pending = first.recv(PENDING_BYTES, MSG_PEEK | MSG_DONTWAIT)
        except OSError:
            self.pending = b""


def describe_socket(heap: "Heap", one: "Any") -> "Description":
    if one.fileno() < 0:
        return "closed_socket", (one.family, one.type, one.proto), 0
    for pair, first, second in pairs_of_loops(heap):
        if one is first or one is second:
            heap.files.remade.update(pair.numbers)
            return "pair_end", (pair, int(one is second)), 0
    raise cannot(f"descriptor {one.fileno()} is a socket, which cannot move")


def pairs_of_loops(heap: "Heap") -> "list[tuple[Pair, Any, Any]]":
    """The sockets by which the loops of asyncio wake themselves up."""
    if heap.pairs is None:
        heap.pairs = []
        module: Any = sys.modules.get("asyncio.selector_events")
        for one in gc.get_objects() if module is not None else ():
            if module.BaseSelectorEventLoop not in type(one).__mro__:
                continue
            first, second = one.__dict__.get("_ssock"), one.__dict__.get("_csock")
            if first is not None and second is not None:
                heap.pairs.append((Pair(first, second), first, second))
    return heap.pairs


def describe_pair(heap: "Heap", one: Pair) -> "Description":
    return "socket_pair", (*one.numbers, one.pending), 0


def describe_queue(heap: "Heap", one: "Any") -> "Description":
    """What is in it: up to 3.12 at the end of a list, which it alone has."""
    held = [item for item in gc.get_referents(one) if item is not type(one)]
    count = one.qsize()
    if sys.version_info < (3, 13):
        held = held[0][len(held[0]) - count :] if held else []
    if len(held) != count:
        raise cannot("what is in a queue.SimpleQueue is not known")
    return "simple_queue", (), 0, "fill_queue", held


BY_TYPE: "dict[type, Any]" = {Pair: describe_pair}


def describer(base: type) -> "Any":
    """How objects of a class of C are described that may be loaded or not; of others, None."""
    return BY_NAME.get((base.__module__, base.__name__))


BY_NAME = {
    ("select", "epoll"): describe_epoll,
    ("_socket", "socket"): describe_socket,
    ("_queue", "SimpleQueue"): describe_queue,
}


# --- where the program goes on ------------------------------------------------------------------
def aside(number: int) -> int:
    """A descriptor where it is in nobody's way."""
    import fcntl

    moved: int = fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, ASIDE)
    os.close(number)
    return moved


def under(number: int, wanted: int) -> int:
    """A descriptor that lies aside, under the number that it had."""
    os.dup2(number, wanted, inheritable=False)
    os.close(number)
    return wanted


def epoll(number: int) -> "Any":
    import select

    one = select.epoll()
    moved = aside(os.dup(one.fileno()))
    one.close()
    return select.epoll.fromfd(under(moved, number))


def fill_epoll(one: "Any", watched: "list[tuple[int, int]]") -> None:
    for number, events in watched:
        one.register(number, events)


def closed_epoll() -> "Any":
    import select

    one = select.epoll()
    one.close()
    return one


def socket_pair(first: int, second: int, pending: bytes) -> "Any":
    import socket

    moved = [aside(one.detach()) for one in socket.socketpair()]
    made = [
        socket.socket(fileno=under(one, wanted))
        for one, wanted in zip(moved, (first, second), strict=True)
    ]
    for one in made:
        one.setblocking(False)
    if pending:
        made[1].send(pending)
    return made


def simple_queue() -> "Any":
    import _queue

    return _queue.SimpleQueue()


def fill_queue(one: "Any", items: "list[Any]") -> None:
    for item in items:
        one.put(item)


def pair_end(pair: "Any", which: int) -> "Any":
    return pair[which]


def closed_socket(family: int, kind: int, protocol: int) -> "Any":
    import socket

    one = socket.socket(family, kind, protocol)
    one.close()
    return one


HELPERS: "dict[str, Any]" = {
    one.__name__: one
    for one in (
        *(epoll, fill_epoll, closed_epoll, socket_pair, pair_end, closed_socket),
        *(simple_queue, fill_queue),
    )
}
