"""A network grows from one host to three, and from one voter to three, while programs work."""

import re
from collections.abc import Callable
from pathlib import Path

from tests.system.support import (
    HOME,
    Cluster,
    Host,
    one_line_error,
    oneos,
    read_line,
    wait_until,
)
from tests.system.support_programs import CHECK_FILES, WRITE_FILES, content_of

JOIN_SHOWN_S = 60.0
"""A joining host is in `oneos status` of all others within 5 s, on a machine that is not busy."""

SAY_NUMBERS = """\
import sys, time
# Publishes a number a line, each with a flush of its own, until its input ends.
import threading
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
number = 0
with open(sys.argv[1], "w") as topic:
    while not ended.is_set():
        print(number, file=topic, flush=True)
        number += 1
        time.sleep(0.01)
print(number)
"""


def first_host(cluster: Cluster) -> Host:
    """A new network of one host."""
    hub = cluster.add("hub")
    words = ["--name", "hub", "--listen", "127.0.0.1", "--advertise", "127.0.0.1"]
    outcome = hub.run("up", *words, "--port", str(cluster.port))
    assert outcome.status == 0 and "hub is up" in outcome.text, outcome
    hub.sh("true").ok()
    return hub


def token_file(hub: Host, directory: Path) -> Path:
    """A fresh token, in a file."""
    path = directory / "token"
    outcome = hub.run("token", "--bare")
    assert outcome.status == 0, outcome
    path.write_text(outcome.text)
    return path


def join_words(cluster: Cluster, host: Host, number: int, token: Path) -> list[str]:
    where = ["--listen", "127.0.0.1", "--advertise", "127.0.0.1"]
    port = ["--port", str(cluster.port + number * 10)]
    return [
        *("join", f"127.0.0.1:{cluster.port}", "--token-file", str(token)),
        *("--name", host.name, *where, *port),
    ]


def test_a_network_grows_while_programs_write(
    make_cluster: Callable[[int], Cluster], tmp_path: Path
) -> None:
    cluster = make_cluster(0)
    hub = first_host(cluster)
    assert hub.status()["voters"] == ["hub"]
    hub.sh("mkdir files").ok()
    hub.put(f"{HOME}/write.py", WRITE_FILES.encode())
    hub.put(f"{HOME}/say.py", SAY_NUMBERS.encode())
    hub.put(f"{HOME}/check.py", CHECK_FILES.encode())

    with (
        hub.shell("cat /topic/growth") as reader,
        hub.shell("python3 write.py files 1000000 0.01") as writer,
        hub.shell("sleep 0.2; python3 say.py /topic/growth") as speaker,
    ):
        assert reader.stdout and writer.stdout and speaker.stdin and speaker.stdout
        assert read_line(writer.stdout) == b"closed 0\n"
        wait_until(lambda: hub.running("python3 say.py"), 60, "the publisher runs")
        for number, name in enumerate(("pi1", "pi2"), 1):
            host = cluster.add(name)
            outcome = host.run(*join_words(cluster, host, number, token_file(hub, tmp_path)))
            assert outcome.status == 0 and f"{name} is up" in outcome.text, outcome
            for seen_from in cluster.hosts:
                wait_until(
                    lambda h=seen_from, n=name: h.member(n).get("state") == "alive",
                    JOIN_SHOWN_S,
                    f"{name} is in the status of {seen_from.name}",
                )
        pi1, pi2 = cluster.hosts[1:]
        assert pi2.status()["voters"] == ["hub"] and pi2.status()["generation"] == 1

        outcome = pi1.run("voters", "3")
        assert outcome.status == 0, outcome
        assert "hub, pi1, pi2" in outcome.text and "generation 2" in outcome.text
        for host in cluster.hosts:
            wait_until(
                lambda h=host: h.status()["voters"] == ["hub", "pi1", "pi2"], 15, "all know it"
            )

        # What works on the new servers: a dozen files and topic records more.
        closed = [read_line(writer.stdout) for _ in range(12)]
        wait_until(lambda: len(pi2.names(f"{HOME}/files")) > 100, 60, "files go on")
        pid = hub.running("python3 write.py")[0]["pid"]
        hub.ask("kill", pid, 15)
        rest, errors = writer.communicate(timeout=60)
        said, complaint = speaker.communicate(b"", timeout=60)
        assert not complaint, complaint
        count = int(said)
        numbers = [int(read_line(reader.stdout)) for _ in range(count)]
        hub.ask("kill", hub.running("cat /topic/growth")[0]["pid"], 15)

    assert not errors, errors
    lines = [b"closed 0\n", *closed, *rest.splitlines(keepends=True)]
    assert all(line.startswith(b"closed ") for line in lines), "a write failed meanwhile"
    assert numbers == list(range(count)), "records were lost, doubled or came out of order"
    check = pi2.sh("python3 check.py files", timeout_s=120).text.splitlines()
    whole = {int(line.split()[0]) for line in check if line.endswith(" whole")}
    assert {int(line.split()[1]) for line in lines} <= whole
    assert pi1.get(f"{HOME}/files/f00000") == content_of(0)

    # Each of the three may now be the one that is lost.
    hub.kill()
    wait_until(lambda: pi1.member("hub")["state"] == "dead", 120, "the first host is given up")
    assert pi2.sh("echo still > here; cat here; ls files | wc -l", timeout_s=60).status == 0
    assert pi1.get(f"{HOME}/here") == b"still\n"


def test_joining_is_refused_in_one_line(
    make_cluster: Callable[[int], Cluster], tmp_path: Path
) -> None:
    cluster = make_cluster(0)
    hub = first_host(cluster)
    token = token_file(hub, tmp_path)
    pi1, pi2 = cluster.add("pi1"), cluster.add("pi2")

    # Tokens: wrong in a character, of another network, not there, used.
    text = token.read_text().strip()
    wrong = tmp_path / "wrong"
    wrong.write_text(text[:-8] + ("a" if text[-8] != "a" else "b") + text[-7:])
    error = one_line_error(pi1.run(*join_words(cluster, pi1, 1, wrong)))
    assert "token" in error, error

    other = make_cluster(0)
    other_hub = first_host(other)
    strange = tmp_path / "strange"
    strange.write_text(other_hub.run("token", "--bare").text)
    error = one_line_error(pi1.run(*join_words(cluster, pi1, 1, strange)))
    assert re.search("token|network|fingerprint", error), error

    error = one_line_error(pi1.run(*join_words(cluster, pi1, 1, tmp_path / "nosuch")))
    assert "nosuch" in error, error

    outcome = pi1.run(*join_words(cluster, pi1, 1, token))
    assert outcome.status == 0, outcome
    error = one_line_error(pi2.run(*join_words(cluster, pi2, 2, token)))
    assert "used" in error and "pi1" in error, error

    # A name that is taken, and an address where nobody is.
    words = join_words(cluster, pi1, 2, token_file(hub, tmp_path))
    error = one_line_error(oneos(*words, "--dir", cluster.directory / "twice"))
    assert "pi1" in error, error
    words = join_words(cluster, pi2, 2, token_file(hub, tmp_path))
    words[1] = f"127.0.0.1:{cluster.port + 35}"
    error = one_line_error(pi2.run(*words))
    assert str(cluster.port + 35) in error, error

    # All these failures have left nothing behind that hinders a true join.
    words = join_words(cluster, pi2, 2, token_file(hub, tmp_path))
    assert pi2.run(*words).status == 0
    assert pi2.sh("echo $HOST").ok() == "pi2\n"
    assert [m["name"] for m in hub.status()["members"]] == ["hub", "pi1", "pi2"]

    # A number of voters that cannot be.
    assert "2 voters" in one_line_error(hub.run("voters", "2"))
    assert "5" in one_line_error_after_progress(hub.run("voters", "5"))


def one_line_error_after_progress(outcome) -> str:  # type: ignore[no-untyped-def]
    """The complaint behind the line that says that it takes some seconds."""
    lines = outcome.err.splitlines()
    assert outcome.status != 0 and "Traceback" not in outcome.err and len(lines) <= 3, outcome
    return str(lines[1])


def test_a_start_that_cannot_be_is_refused_in_one_line(
    make_cluster: Callable[[int], Cluster], tmp_path: Path
) -> None:
    cluster = make_cluster(0)
    hub = first_host(cluster)
    listen = ["--listen", "127.0.0.1", "--advertise", "127.0.0.1"]

    # A port in use.
    other = cluster.add("other")
    error = one_line_error(other.run("up", "--name", "other", "--port", str(cluster.port), *listen))
    assert str(cluster.port) in error and "in use" in error, error

    # A broken configuration: the file and the line, or the key.
    config = tmp_path / "broken.toml"
    config.write_text('name = "third"\nport = 4100\ntags = [unfinished\n')
    error = one_line_error(oneos("up", "--dir", tmp_path / "third", "--config", config))
    assert "broken.toml" in error and "line 3" in error, error
    config.write_text('name = "third"\nprot = 4100\n')
    error = one_line_error(oneos("up", "--dir", tmp_path / "third", "--config", config))
    assert "broken.toml" in error and "prot" in error, error

    # A manifest that leaves a service without a host.
    fourth = cluster.add("fourth")
    fourth.directory.mkdir()
    manifest = hub.run("manifest").text
    assert manifest.count('hosts = "core"') == 5
    (fourth.directory / "manifest.toml").write_text(
        manifest.replace('[service.storage]\nhosts = "core"', "[service.storage]\nhosts = []")
    )
    port = str(cluster.port + 20)
    error = one_line_error(fourth.run("up", "--name", "fourth", "--port", port, *listen))
    assert "manifest.toml" in error and "storage" in error, error
    assert fourth.runtime() is None and other.runtime() is None
    assert hub.sh("echo $HOST", timeout_s=60).ok() == "hub\n"
