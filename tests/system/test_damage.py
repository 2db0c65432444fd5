"""What rots on a disk, goes from it or does not fit on it: found, made good, or said.

On real clusters whose hosts read their chunks again every few seconds.
"""

import errno
import hashlib
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from oneos.errors import OneOSError
from tests.system.support import HOME, Cluster, Host, reachable, wait_until

SCRUB = "scrub_days = 0.0001\n"
"""A pass of nine seconds."""

SOON_S = 240.0
DISK_BYTES = 24 << 20


@pytest.fixture(scope="module")
def rotting() -> Iterator[Cluster]:
    """Three hosts that read their chunks again all the time."""
    cluster = Cluster(3, {f"host{n}": SCRUB for n in (1, 2, 3)})
    yield cluster
    cluster.close()


def chunks(host: Host) -> dict[str, Path]:
    """What lies on a host's disk, by name."""
    return {path.name: path for path in (host.directory / "chunks").glob("[0-9a-f][0-9a-f]/*")}


def flip(path: Path, rng: random.Random) -> None:
    """Change one bit, as a disk does: the file's times stay what they are to whoever looks."""
    at = rng.randrange(path.stat().st_size * 8)
    with path.open("r+b") as file:
        file.seek(at // 8)
        byte = file.read(1)[0]
        file.seek(at // 8)
        file.write(bytes([byte ^ 1 << at % 8]))


def damage(cluster: Cluster) -> dict[str, tuple[int, int]]:
    """How many chunks each host found damaged, and made good, as another host's status says."""
    members = cluster[1].status()["members"]
    return {x["name"]: (x["damaged"], x["repaired"]) for x in members}


def test_bits_flipped_on_each_host_are_all_found_and_made_good(rotting: Cluster) -> None:
    rng = random.Random(4)
    contents = {f"{HOME}/kept{n}": rng.randbytes(rng.randrange(1, 300_000)) for n in range(12)}
    flipped: list[Path] = []
    for number, (path, content) in enumerate(contents.items()):
        host = rotting[number % 3 + 1]
        host.put(path, content)
        flipped.append(chunks(host)[hashlib.sha256(content).hexdigest()])
    for one in flipped:
        flip(one, rng)
    per_host = {host.name: len(flipped) // 3 for host in rotting.hosts}
    expected = {name: (count, count) for name, count in per_host.items()}
    wait_until(lambda: damage(rotting) == expected, SOON_S, "all are found and made good")
    assert all(path.exists() for path in flipped)
    for host in rotting.hosts:
        for path, content in contents.items():
            assert host.get(path) == content
    assert rotting[3].sh("cat /runtime/host2/damaged").ok() == f"{per_host['host2']}\n"
    checked = rotting[2].run("fsck", timeout_s=SOON_S)
    assert (checked.status, checked.err) == (0, ""), checked


def test_file_damaged_on_all_disks_is_named_and_never_read_wrong(rotting: Cluster) -> None:
    rng = random.Random(5)
    path, content = f"{HOME}/rotten", rng.randbytes(50_000)
    before = set(chunks(rotting[1])) | set(chunks(rotting[2])) | set(chunks(rotting[3]))
    rotting[1].put(path, content)
    # At rest everywhere: where it was in use, its content would be a real file still.
    rotting.stop()
    hurt = [p for host in rotting.hosts for name, p in chunks(host).items() if name not in before]
    assert len(hurt) == 2, hurt
    for one in hurt:
        flip(one, rng)
    rotting.up()
    wait_until(lambda: all(reachable(host) for host in rotting.hosts), SOON_S, "all are up")
    wait_until(lambda: rotting[2].status()["lost"] == 1, SOON_S, "it is counted as lost")
    checked = rotting[2].run("fsck", "--repair", timeout_s=SOON_S)
    assert checked.status == 4, checked
    named = [line for line in checked.text.splitlines() if "no whole copy" in line]
    assert [line.partition(":")[0] for line in named] == [path], checked
    for host in rotting.hosts:
        with pytest.raises(OneOSError) as raised:
            host.get(path)
        assert raised.value.errno == errno.EIO
    # What was found before the restart is still counted.
    wait_until(
        # Of a host that has not been heard since nothing is known yet.
        lambda: sum(found or 0 for found, _ in damage(rotting).values()) > len(hurt),
        SOON_S,
        "it is counted",
    )

    rotting[3].sh("rm rotten").ok()
    wait_until(lambda: rotting[2].status()["lost"] == 0, SOON_S, "nothing is lost")
    assert rotting[1].run("fsck", "--quick", timeout_s=SOON_S).status == 0


class NewDisk(Cluster):
    """A cluster whose second host gets another disk for its chunks, a small one."""

    def change(self) -> None:
        host = self[2]
        host.run("down").ok()
        words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none"]
        if subprocess.run([*words, str(host.directory / "chunks")], check=False).returncode:
            pytest.skip("no disk may be mounted here")
        host.start()

    def close(self) -> None:
        for host in self.hosts:
            runtime = host.runtime()
            if runtime is not None:
                runtime.terminate()
                runtime.wait(30)
        where = str(self.directory / "host2" / "chunks")
        subprocess.run(["umount", where], check=False, capture_output=True)
        super().close()


def test_disk_that_is_lost_is_made_up_again_and_one_that_is_full_holds_up_nobody() -> None:
    cluster = NewDisk(2)
    try:
        cluster[1].put(f"{HOME}/before", b"before")
        held = set(chunks(cluster[2]))
        assert held
        cluster.change()
        wait_until(lambda: held <= set(chunks(cluster[2])), SOON_S, "the new disk has it all")

        with (cluster[2].directory / "chunks" / "ballast").open("wb") as ballast:
            try:
                while True:
                    ballast.write(bytes(1 << 16))
                    ballast.flush()
            except OSError as error:
                assert error.errno == errno.ENOSPC
        with pytest.raises(OneOSError) as raised:
            cluster[2].put(f"{HOME}/there", random.Random(6).randbytes(3 << 20))
        assert raised.value.errno == errno.ENOSPC
        # The first host has room, so whoever writes there goes on, with one copy.
        cluster[1].put(f"{HOME}/here", random.Random(7).randbytes(3 << 20))
        wait_until(lambda: cluster[1].status()["under_replicated"], SOON_S, "it is counted")
        checked = cluster[1].run("fsck", "--repair", timeout_s=SOON_S)
        assert checked.status == 4, checked
        assert f"{HOME}/here: 1 of 2 copies" in checked.text

        (cluster[2].directory / "chunks" / "ballast").unlink()
        checked = cluster[1].run("fsck", "--repair", timeout_s=SOON_S)
        assert checked.status in (0, 1), checked
        wait_until(lambda: cluster[1].status()["under_replicated"] == 0, SOON_S, "it has two")
        cluster[2].put(f"{HOME}/there", b"there")
        assert cluster[1].get(f"{HOME}/there") == b"there"
    finally:
        cluster.close()
