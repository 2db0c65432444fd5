"""Hosts that a person brings up one by one: `up`, `token`, `join`, and what goes wrong there."""

import json
import subprocess
from collections.abc import Callable, Iterator

import pytest

from oneos.kernel.manifest import default_manifest
from tests.system.support import ONEOS, Cluster, Host, one_line_error, wait_until

LOCAL = ["--listen", "127.0.0.1"]
HANGUP_STATUS = 128 + 1


@pytest.fixture
def network(make_cluster: Callable[[int], Cluster]) -> Cluster:
    """A network of one host, `hub`."""
    cluster = make_cluster(0)
    hub = cluster.add("hub")
    hub.run("up", "--name", "hub", "--port", str(cluster.port), *LOCAL).ok()
    return cluster


def join(cluster: Cluster, name: str, *words: str) -> Host:
    """One more host of the network, by a token on standard input."""
    host = cluster.add(name)
    token = cluster[1].run("token", "--bare").out
    port = cluster.port + 10 * (len(cluster.hosts) - 1)
    words = words or ("--name", name, "--port", str(port), *LOCAL)
    where = f"127.0.0.1:{cluster.port}"
    outcome = host.run("join", where, "--token-file", "-", *words, stdin=token)
    assert outcome.status == 0, outcome
    return host


def test_a_host_joins_by_one_paste_and_leaves(network: Cluster) -> None:
    hub = network[1]
    pi = join(network, "pi1")
    assert pi.member("pi1")["state"] == "alive"
    assert one_line_error(hub.run("forget", "pi1")) == "oneos: pi1 is alive: stop it first"
    assert json.loads(pi.run("down", "--json").ok()) == {"directory": str(pi.directory)}
    wait_until(lambda: hub.member("pi1")["state"] == "left", 60, "it has left")
    hub.run("forget", "pi1")
    assert hub.member("pi1") == {}


def test_a_token_lets_in_one_host_and_survives_a_port_in_use(network: Cluster) -> None:
    hub, where = network[1], f"127.0.0.1:{network.port}"
    token = network.directory / "t"
    token.write_bytes(hub.run("token", "--bare").out)
    words = ["join", where, "--token-file", str(token), *LOCAL]
    pi = network.add("pi1")
    taken = pi.run(*words, "--name", "pi1", "--port", str(network.port))
    assert "is in use" in one_line_error(taken)
    assert hub.member("pi1") == {}
    same = pi.run(*words, "--name", "hub", "--port", str(network.port + 10))
    assert one_line_error(same) == "oneos: a host named hub is in the network already"
    assert not pi.directory.exists()

    answer = pi.run(*words, "--name", "pi1", "--port", str(network.port + 10), "--json").ok()
    assert json.loads(answer)["network"] == "oneos"
    other = network.add("pi2")
    used = other.run(*words, "--name", "pi2", "--port", str(network.port + 20))
    assert one_line_error(used) == "oneos: the join token was used by pi1"


def test_a_network_that_could_not_be_made_can_be_made_again(
    make_cluster: Callable[[int], Cluster],
) -> None:
    cluster = make_cluster(0)
    host = cluster.add("hub")
    host.directory.mkdir()
    manifest = host.directory / "manifest.toml"
    words = ["up", "--name", "hub", "--port", str(cluster.port), *LOCAL]
    manifest.write_text('[service.pubsub]\nhosts = "nobody"\n')
    assert str(manifest) in one_line_error(host.run(*words))
    assert not (host.directory / "identity").exists()
    manifest.unlink()
    host.run(*words).ok()


def test_a_service_that_may_run_on_no_host_is_shown(
    make_cluster: Callable[[int], Cluster],
) -> None:
    cluster = make_cluster(0)
    host = cluster.add("hub")
    host.directory.mkdir()
    text = default_manifest().text.replace('hosts = "core"', 'hosts = ["nobody"]', 1)
    (host.directory / "manifest.toml").write_text(text)
    host.run("up", "--name", "hub", "--port", str(cluster.port), *LOCAL).ok()
    nowhere = [s for s in host.status()["services"] if s["state"] == "none"]
    assert nowhere == [{"name": "pubsub", "host": "", "epoch": 0, "state": "none"}]


@pytest.fixture
def sensor(network: Cluster) -> Iterator[Host]:
    """A host with a sensor that goes on and on, configured by a file beside its readings."""
    there = network.directory / "config"
    there.mkdir()
    (there / "readings").write_text("".join(f"{n}\n" for n in range(100_000)))
    (there / "pi1.toml").write_text(
        f'name = "pi1"\nlisten = "127.0.0.1"\nport = {network.port + 10}\n'
        '[[device]]\nname = "sensor/1"\nkind = "file"\npath = "readings"\nrate_hz = 20\n'
    )
    yield join(network, "pi1", "--config", str(there / "pi1.toml"))


@pytest.mark.parametrize(
    ("command", "status"), [("cat /dev/sensor/1", 1), ("cat < /dev/sensor/1", HANGUP_STATUS)]
)
def test_a_reader_of_a_sensor_whose_host_dies_does_not_take_it_for_the_end(
    network: Cluster, sensor: Host, command: str, status: int
) -> None:
    """Who has opened it is told EIO; who was given it cannot be, and is sent SIGHUP."""
    with network[1].shell(command) as reader:
        assert reader.stdout is not None and reader.stdout.read(2) == b"0\n"
        sensor.kill()
        assert reader.wait(timeout=60) == status


def test_relative_paths_of_a_configuration_start_at_its_own_directory(
    network: Cluster, sensor: Host
) -> None:
    assert network[1].sh("head -n 2 /dev/sensor/1").ok() == "0\n1\n"


def test_a_runtime_in_the_foreground_says_once_what_is_wrong(network: Cluster) -> None:
    done = subprocess.run(
        [*ONEOS, "node", "--dir", str(network[1].directory)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("oneos: another Runtime runs from")
    assert len(done.stderr.splitlines()) == 2
