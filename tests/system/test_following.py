"""Who follows a file or directory sees what another host does: tail, Node's watchers, polling."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests.support.namespaces import no_name_space
from tests.system.support import HOME, Cluster, read_line
from tests.system.support_context import CARRIERS, cluster_of_both

Do = Callable[[str], None]

LIMIT_S = 60.0
HOSTS = {"instrumented": "host2", "namespace": "host3"}
GNU_TAIL = "/usr/bin/tail"

WATCH_FILE = """
const fs = require('fs');
fs.watchFile(process.argv[2], { interval: 50 }, (now, before) => {
  if (now.size !== before.size) console.log(now.size);
});
fs.stat(process.argv[2], () => console.log('watching'));
"""

WATCH = """
const fs = require('fs');
fs.watch(process.argv[2], (kind, name) => console.log(kind, name));
console.log('watching');
"""

POLL = """
import os, sys, time
seen = set(os.listdir(sys.argv[1]))
print("watching", flush=True)
while True:
    now = set(os.listdir(sys.argv[1]))
    for name in sorted(now ^ seen):
        print("+" if name in now else "-", name, flush=True)
    seen = now
    time.sleep(0.05)
"""

ELSEWHERE = """
import os, sys
for line in sys.stdin:
    exec(line)
    print("done", flush=True)
"""

INOTIFY = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None)
fd = libc.inotify_init()
names = {libc.inotify_add_watch(fd, name.encode(), 0x104): name for name in sys.argv[1:]}
print("watching", os.readlink("/proc/self/ns/pid"), flush=True)
while True:
    data = os.read(fd, 4096)
    while data:
        watch, mask, _, size = struct.unpack_from("iIII", data)
        name = data[16 : 16 + size].split(b"\\0")[0].decode()
        print({0x100: "made", 4: "changed"}[mask & 0x104], names[watch], name, flush=True)
        data = data[16 + size :]
"""


@pytest.fixture(scope="module")
def hosts() -> Iterator[Cluster]:
    cluster = cluster_of_both(3, HOSTS, {})
    for name, text in {
        "watchfile.js": WATCH_FILE,
        "watch.js": WATCH,
        "poll.py": POLL,
        "inotify.py": INOTIFY,
        "elsewhere.py": ELSEWHERE,
    }.items():
        cluster[1].put(f"{HOME}/{name}", text.encode())
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def elsewhere(hosts: Cluster) -> Iterator[Callable[[str], None]]:
    """Has a program on host1 do something."""
    with hosts[1].shell("on host:host1 python3 elsewhere.py") as process:

        def do(line: str) -> None:
            assert process.stdin is not None
            process.stdin.write(line.encode() + b"\n")
            assert read_line(process.stdout, LIMIT_S) == b"done\n"

        yield do


@contextlib.contextmanager
def following(hosts: Cluster, carrier: str, command: str) -> Iterator[Callable[[], str]]:
    """A program on the host of a carrier that follows something; gives its next line."""
    number = int(HOSTS[carrier][-1])
    with hosts[number].shell(f"on host:{HOSTS[carrier]} {command}") as process:
        yield lambda: read_line(process.stdout, LIMIT_S).decode().rstrip("\n")


@pytest.mark.parametrize("carrier", CARRIERS)
def test_tail_follows_what_another_host_appends_and_replaces(
    hosts: Cluster, elsewhere: Do, carrier: str
) -> None:
    name = f"log-{carrier}"
    elsewhere(f"open('{name}', 'w').write('0\\n')")
    tails = ["tail -s 0.05 -f", "tail -s 0.05 -F"]
    if carrier == "namespace" and os.access(GNU_TAIL, os.X_OK):
        tails += [f"{GNU_TAIL} -s 0.05 -f", f"{GNU_TAIL} -s 0.05 -F"]
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(following(hosts, carrier, f"{t} {name}")) for t in tails]
        for number in range(3):
            assert [line() for line in lines] == [str(number)] * len(tails)
            elsewhere(f"open('{name}', 'a').write('{number + 1}\\n')")
        assert {line() for line in lines} == {"3"}
        elsewhere(f"open('{name}.new', 'w').write('4\\n')")
        elsewhere(f"os.rename('{name}.new', '{name}')")
        # By name also what stands there now.
        assert [lines[at]() for at in range(1, len(tails), 2)] == ["4"] * (len(tails) // 2)


@pytest.mark.parametrize("carrier", CARRIERS)
def test_watch_file_and_polling_see_what_another_host_does(
    hosts: Cluster, elsewhere: Do, carrier: str
) -> None:
    name = f"seen-{carrier}"
    elsewhere(f"os.mkdir('{name}')")
    elsewhere(f"open('{name}/file', 'w')")
    with (
        following(hosts, carrier, f"node watchfile.js {name}/file") as size,
        following(hosts, carrier, f"python3 poll.py {name}") as listed,
    ):
        assert size() == listed() == "watching"
        elsewhere(f"open('{name}/file', 'a').write('12345\\n')")
        assert size() == "6"
        elsewhere(f"open('{name}/other', 'w')")
        assert listed() == "+ other"
        elsewhere(f"os.unlink('{name}/other')")
        assert listed() == "- other"


def test_watch_of_instrumented_node_sees_what_another_host_does(
    hosts: Cluster, elsewhere: Do
) -> None:
    elsewhere("os.mkdir('watched')")
    with following(hosts, "instrumented", "node watch.js watched") as event:
        assert event() == "watching"
        elsewhere("open('watched/new', 'w')")
        assert event() == "rename new"


NO_NAME_SPACE = pytest.mark.skipif(bool(no_name_space()), reason=f"none: {no_name_space()}")


def until(event: Callable[[], str], wanted: str) -> None:
    """Take events until this one; a change may be told twice, and of more than was asked."""
    seen: list[str] = []
    while not seen or seen[-1] != wanted:
        seen.append(event())
        assert seen[-1], f"it ended after {seen}"


@NO_NAME_SPACE
def test_inotify_tells_what_its_own_host_and_what_another_does(
    hosts: Cluster, elsewhere: Do
) -> None:
    elsewhere("os.mkdir('noticed'); open('noticed/old', 'w'); open('log', 'w')")
    command = "/usr/bin/env python3 inotify.py noticed log"
    with following(hosts, "namespace", command) as event:
        word, pids = event().split()
        assert word == "watching"
        if os.getuid() or pids == os.readlink("/proc/self/ns/pid"):
            pytest.skip("programs have the host's PIDs here: nobody looks for who watches")
        hosts[3].sh("on host:host3 touch noticed/here").ok()
        until(event, "made noticed here")
        # It takes a moment until the watch is known; from then on every change is told.
        told = threading.Event()

        def append() -> None:
            while not told.is_set():
                elsewhere("open('log', 'a').write('x')")
                time.sleep(0.1)

        appending = threading.Thread(target=append)
        appending.start()
        try:
            until(event, "changed log ")
        finally:
            told.set()
            appending.join()
        elsewhere("open('noticed/new', 'w')")
        until(event, "changed noticed new")
        elsewhere("open('noticed/old', 'a').write('more')")
        until(event, "changed noticed old")
        elsewhere("os.unlink('noticed/new')")
        until(event, "changed noticed ")


@NO_NAME_SPACE
def test_watch_of_node_in_a_name_space_sees_what_another_host_does(
    hosts: Cluster, elsewhere: Do
) -> None:
    if os.getuid():
        pytest.skip("nobody looks for who watches where the Runtime is not root")
    elsewhere("os.mkdir('seen-by-node')")
    with following(hosts, "namespace", "node watch.js seen-by-node") as event:
        assert event() == "watching"
        made = threading.Event()

        def make() -> None:
            while not made.is_set():
                elsewhere("open('seen-by-node/new', 'a').write('x')")
                time.sleep(0.1)

        making = threading.Thread(target=make)
        making.start()
        try:
            until(event, "change new")
        finally:
            made.set()
            making.join()
