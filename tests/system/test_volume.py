"""A gigabyte and millions of lines through several hosts: all of it, in little memory."""

import shutil
import threading
import time
from pathlib import Path

from tests.system.support import EXAMPLES, HOME, Cluster, local_sh

RUNTIME_BYTES_MAX = 120 * 1024 * 1024
GIB = 1024**3


class MemoryWatch:
    """The most memory each Runtime had, sampled, with the kernel's own high-water mark."""

    def __init__(self, cluster: Cluster) -> None:
        self.most: dict[str, int] = {}
        self._runtimes = {host.name: host.runtime() for host in cluster.hosts}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "MemoryWatch":
        for runtime in self._runtimes.values():
            assert runtime is not None
            # 5 makes the kernel begin VmHWM anew, so that earlier tests do not count.
            Path(f"/proc/{runtime.pid}/clear_refs").write_text("5")
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            self._sample()

    def _sample(self) -> None:
        for name, runtime in self._runtimes.items():
            assert runtime is not None
            status = Path(f"/proc/{runtime.pid}/status").read_text()
            peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
            self.most[name] = max(self.most.get(name, 0), int(peak.split()[1]) * 1024)


def test_a_gibibyte_across_hosts_counts_right_in_little_memory(shared: Cluster) -> None:
    began = time.monotonic()
    with MemoryWatch(shared) as memory:
        outcome = shared[1].sh(
            "on host:host2 cat /dev/zero | on host:host3 head -c 1G | on host:host1 wc -c",
            timeout_s=180,
        )
    print(f"1 GiB over three hosts in {time.monotonic() - began:.1f} s; {memory.most}")

    assert outcome.ok() == f"{GIB}\n"
    assert all(most < RUNTIME_BYTES_MAX for most in memory.most.values()), memory.most


LINES = """\
import sys
# Readings like those of the sensor, so many lines of them.
print("date,temp")
for number in range(int(sys.argv[1])):
    print(f"2010/01/{1 + number % 28:02d} 00:00,{number % 1000 / 10:.1f}")
"""

SUMS = """\
import sys, hashlib
# Passes everything on, and says on standard error what it was.
count, digest = 0, hashlib.sha256()
for line in sys.stdin.buffer:
    count += 1
    digest.update(line)
    sys.stdout.buffer.write(line)
print(count, digest.hexdigest(), file=sys.stderr)
"""


def test_millions_of_lines_through_three_hosts_are_as_in_sh(
    shared: Cluster, tmp_path: Path
) -> None:
    for name, text in (("lines.py", LINES), ("sums.py", SUMS)):
        (tmp_path / name).write_text(text)
        shared[1].put(f"{HOME}/{name}", text.encode())
    for name in ("to_celsius.py", "average.js"):
        shutil.copy(EXAMPLES / name, tmp_path / name)
        shared[1].put(f"{HOME}/{name}", (EXAMPLES / name).read_bytes())
    lines = 10_000_000
    local = f"python3 lines.py {lines} | python3 to_celsius.py | node average.js"
    began = time.monotonic()
    expected = local_sh(local, tmp_path)
    local_s = time.monotonic() - began
    assert expected.startswith(f"count {lines}\n".encode())

    began = time.monotonic()
    with MemoryWatch(shared) as memory:
        outcome = shared[1].sh(
            f"on host:host1 python3 lines.py {lines}"
            " | on host:host2 python3 to_celsius.py | on host:host3 node average.js",
            timeout_s=600,
        )
    print(f"{lines} lines: {local_s:.1f} s in sh, {time.monotonic() - began:.1f} s on three hosts")

    assert outcome.ok().encode() == expected
    assert all(most < RUNTIME_BYTES_MAX for most in memory.most.values()), memory.most


def test_what_comes_out_of_the_middle_is_the_same_line_by_line(
    shared: Cluster, tmp_path: Path
) -> None:
    for name, text in (("lines.py", LINES), ("sums.py", SUMS)):
        (tmp_path / name).write_text(text)
        shared[1].put(f"{HOME}/{name}", text.encode())
    script = "python3 lines.py 200000 | {}python3 sums.py 2>sums | {}tail -n 1; cat sums"
    expected = local_sh(script.format("", ""), tmp_path)

    outcome = shared[3].sh(script.format("on host:host1 ", "on host:host2 "), timeout_s=120)

    assert outcome.ok().encode() == expected


def test_a_large_file_is_written_on_one_host_and_read_on_another(shared: Cluster) -> None:
    size = 100 * 1024 * 1024
    with MemoryWatch(shared) as memory:
        made = shared[2].sh("head -c 100M /dev/urandom > large; sha256sum < large", timeout_s=120)
        for number in (1, 3):
            assert shared[number].sh("sha256sum < large", timeout_s=120).out == made.out
        assert shared[3].sh("wc -c < large; rm large").ok() == f"{size}\n"

    assert made.status == 0 and not made.err
    assert all(most < RUNTIME_BYTES_MAX for most in memory.most.values()), memory.most
