"""What is safe when a call has returned, and what a host that dies or comes back makes of it."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from oneos.errors import OneOSError
from oneos.ids import Ino
from oneos.local.client import Client, OpenFd
from oneos.state.names_types import Inode, decode_inode
from tests.system.support import HOME, Cluster, Host, reachable, wait_until
from tests.system.test_growth import first_host, join_words, token_file

LONG_S = 60.0
RULES = "/etc/oneos/storage.toml"


@contextlib.contextmanager
def opened(host: Host, path: str) -> Iterator[tuple[Client, OpenFd]]:
    """A file of this host, opened to be written anew, and closed as close(2) does it."""
    with Client(host.socket) as client:
        file = client.open(path.encode(), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        assert isinstance(file, OpenFd) and file.handle is not None, file
        yield client, file
        os.close(file.fd)
        client.close(file.handle)


def put_synced(host: Host, path: str, content: bytes) -> None:
    """Write a file with fsync."""
    with opened(host, path) as (client, file):
        os.write(file.fd, content)
        client.call("sync", file.handle)


def inode(holder: Host, ino: int) -> Inode:
    """A file as it is agreed on, from the index of a host that follows it."""
    path = holder.directory / "index.sqlite"
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT record FROM inodes WHERE ino = ?", (ino,)).fetchall()
    # One that was made a moment ago may not be in the log yet.
    return decode_inode(rows[0][0]) if rows else Inode(Ino(ino), 0, 1, 0, 0, 0, 0, 0, 0)


def at_rest(holder: Host, ino: int) -> bool:
    """Whether a file is committed and nobody writes it."""
    found = inode(holder, ino)
    return found.version > 0 and not found.writing


def size_and_ino(host: Host, path: str) -> tuple[int, int]:
    """What stat shows of it."""
    found: list[int] = host.ask("stat", path.encode())
    return found[6], found[1]


def answers(host: Host, path: str) -> bool:
    """Whether a file can be looked at: its home is alive, or known to be dead."""
    try:
        host.ask("stat", path.encode())
    except OneOSError:
        return False
    return True


def under_replicated(host: Host) -> int | None:
    found: int | None = host.status()["under_replicated"]
    return found


def test_what_a_killed_home_leaves_is_what_was_promised(
    make_cluster: Callable[[int], Cluster],
) -> None:
    cluster = make_cluster(2)
    witness, victim = cluster[1], cluster[2]
    assert all(x["host"] == witness.name for x in witness.status()["services"])
    old, new = b"old " * 300, b"new " * 500
    victim.put(f"{HOME}/closed", old)
    witness.sh("mkdir /tmp/d").ok()
    # As long ago as it takes: committed by itself.
    victim.put("/tmp/d/settled", new)
    ino = size_and_ino(witness, "/tmp/d/settled")[1]
    wait_until(lambda: at_rest(witness, ino), LONG_S, "it is committed")
    put_synced(victim, "/tmp/d/both", old)
    # And without any time: closed with the kill behind it.
    fresh = [f"/tmp/d/fresh{number}" for number in range(10)]
    for path in fresh:
        victim.put(path, new)
    put_synced(victim, "/tmp/d/synced", new)
    victim.put("/tmp/d/replacing", new)
    victim.ask("rename", b"/tmp/d/replacing", b"/tmp/d/replaced")
    victim.put("/tmp/d/both", new)
    victim.put(f"{HOME}/closed", new)
    victim.kill()

    for path in (f"{HOME}/closed", "/tmp/d/settled", "/tmp/d/synced", "/tmp/d/replaced"):
        wait_until(lambda path=path: answers(witness, path), LONG_S, "its home is given up")  # type: ignore[misc]
        assert witness.get(path) == new, path
    assert witness.get("/tmp/d/both") in (old, new)
    assert set(witness.names("/tmp/d")) >= {os.path.basename(path) for path in fresh}
    left = {path: witness.get(path) for path in [*fresh, "/tmp/d/both"]}
    assert all(left[path] in (b"", new) for path in fresh), left

    # What is written now has one copy too few, and the host that was away has old content.
    wait_until(lambda: witness.member("host2")["state"] == "dead", LONG_S, "it is declared dead")
    newest = b"newest " * 100
    for path in (f"{HOME}/closed", fresh[0], "/tmp/d/settled"):
        witness.put(path, newest)
        left[path] = newest
    wait_until(lambda: under_replicated(witness), LONG_S, "it is shown")
    assert "files with fewer copies than wanted: " in witness.run("status").ok()
    victim.start()
    wait_until(lambda: reachable(victim), LONG_S, "the killed host is back")
    for path, content in left.items():
        assert victim.get(path) == content, path
        assert size_and_ino(victim, path) == size_and_ino(witness, path), path
        assert size_and_ino(victim, path)[0] == len(content)
    wait_until(lambda: under_replicated(witness) == 0, LONG_S, "the copies are made good")


def test_a_file_of_a_lonely_host_is_copied_when_another_joins(
    make_cluster: Callable[[int], Cluster], tmp_path: Path
) -> None:
    cluster = make_cluster(0)
    hub = first_host(cluster)
    hub.put(f"{HOME}/file", b"alone")
    assert under_replicated(hub)
    _, ino = size_and_ino(hub, f"{HOME}/file")
    lab = cluster.add("lab")
    assert lab.run(*join_words(cluster, lab, 1, token_file(hub, tmp_path))).status == 0
    wait_until(lambda: under_replicated(hub) == 0, LONG_S, "all have two copies")
    assert set(inode(hub, ino).copies) == {"hub", "lab"}
    (digest,) = inode(hub, ino).chunks
    assert (lab.directory / "chunks" / digest.hex()[:2] / digest.hex()).read_bytes() == b"alone"


def test_rules_come_from_the_tree_and_a_broken_file_is_told(
    make_cluster: Callable[[int], Cluster],
) -> None:
    cluster = make_cluster(2)
    one, two = cluster[1], cluster[2]

    def copies(name: str) -> int:
        two.put(f"{HOME}/{name}", name.encode())
        return len(inode(one, size_and_ino(one, f"{HOME}/{name}")[1]).copies)

    assert copies("before") == 2
    one.put(RULES, f'[[directory]]\npath = "{HOME}"\ncopies = 1\n'.encode())
    numbers = iter(range(10_000))
    wait_until(lambda: copies(f"x{next(numbers)}") == 1, LONG_S, "the rule is in force")
    two.put(RULES, f'[[directory]]\npath = "{HOME}"\ncopies = "many"\n'.encode())
    for host in cluster.hosts:
        (problem,) = wait_until(lambda host=host: host.status()["problems"], LONG_S, "it is told")  # type: ignore[misc]
        assert problem.startswith(f"{RULES}: directory[1].copies: expected a whole number")
        assert "(line 3)" in problem and problem in host.run("status").ok()
        assert problem in (host.directory / "runtime.log").read_text()
    assert copies("after") == 1
    one.ask("unlink", RULES.encode())
    wait_until(lambda: copies(f"y{next(numbers)}") == 2, LONG_S, "as without a file")
    assert not two.status()["problems"]
