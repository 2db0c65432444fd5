"""/topic: what one host publishes, every other one reads, all of it and in order."""

import time

from tests.system.support import HOME, Cluster, read_line, wait_until

SOON_S = 60.0

PUBLISH = """\
import sys
# Publishes so many records under a name.
with open(sys.argv[1], "w") as topic:
    for number in range(int(sys.argv[3])):
        print(sys.argv[2], number, file=topic)
"""

SUBSCRIBE = """\
import sys
with open(sys.argv[1]) as topic:
    print("open", flush=True)
    for _ in range(int(sys.argv[2])):
        sys.stdout.write(topic.readline())
"""


def test_echo_on_one_host_shows_in_cat_on_another(shared: Cluster) -> None:
    with shared[1].shell("on host:host3 cat /topic/greetings") as reader:
        assert reader.stdout is not None
        process = wait_until(lambda: shared[2].running("cat /topic"), SOON_S, "it runs")[0]
        # The program runs before it has opened the topic: a record that tells when it has.
        for number in range(200):
            shared[2].sh(f"echo probe {number} > /topic/greetings").ok()
            if select_readable(reader.stdout.fileno()):
                break
        assert read_line(reader.stdout).startswith(b"probe ")

        shared[2].sh("echo 1 > /topic/greetings; echo two words > /topic/greetings").ok()

        lines = []
        while not lines or lines[-1] != b"two words\n":
            lines.append(read_line(reader.stdout))
        assert [x for x in lines if not x.startswith(b"probe")] == [b"1\n", b"two words\n"]
        assert "greetings" in shared[3].sh("ls /topic").ok().split()
        shared[1].ask("kill", process["pid"], 15)
        assert reader.wait(timeout=SOON_S) == 143


def select_readable(descriptor: int) -> bool:
    """Whether something can be read within a moment."""
    import select

    return bool(select.select([descriptor], [], [], 0.05)[0])


def test_ten_thousand_records_of_two_hosts_arrive_whole(shared: Cluster) -> None:
    """From two publishing hosts to two reading ones: nothing lost, doubled or out of order."""
    count = 5000
    shared[1].put(f"{HOME}/publish.py", PUBLISH.encode())
    shared[1].put(f"{HOME}/subscribe.py", SUBSCRIBE.encode())
    reading = "on host:{} python3 subscribe.py /topic/many {}"
    total = 2 * count + 1
    with (
        shared[1].shell(reading.format("host3", total)) as one,
        shared[2].shell(reading.format("host2", total)) as other,
    ):
        for reader in (one, other):
            assert read_line(reader.stdout) == b"open\n"
        with (
            shared[1].shell(f"on host:host1 python3 publish.py /topic/many left {count}") as left,
            shared[1].shell(f"on host:host2 python3 publish.py /topic/many right {count}") as right,
        ):
            for publisher in (left, right):
                _, errors = publisher.communicate(timeout=60)
                assert publisher.returncode == 0, errors
        shared[3].sh("echo end > /topic/many").ok()
        outputs = [reader.communicate(timeout=60)[0].decode() for reader in (one, other)]

    for output in outputs:
        lines = output.splitlines()
        assert len(lines) == total
        for name in ("left", "right"):
            own = [int(line.split()[1]) for line in lines if line.startswith(name)]
            assert own == list(range(count))
        assert lines.count("end") == 1
    # All readers see one order.
    assert outputs[0] == outputs[1]


def test_a_publisher_waits_for_nobody(shared: Cluster) -> None:
    began = time.monotonic()

    shared[2].sh("seq 1000 > /topic/unheard").ok()

    assert time.monotonic() - began < SOON_S
