"""Several Runtimes on one machine, for trying things out: `oneos cluster N`.

Each is a host of its own: a directory, ports, an identity, a configuration and an OS process. They
find each other on the loopback address, exactly as hosts on a wire would. The first makes the
network, the others join it by tokens, and from three on three of them carry the log.
"""

from __future__ import annotations

import json
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from oneos.config import PORT_MAX, load_config, parse_config, ports_of
from oneos.errors import ConfigError, UserError
from oneos.limits import CLUSTER_HOSTS_MAX
from oneos.local import starting
from oneos.local.client import Client
from oneos.net.ports import require_free

PORTS_EACH = 10
"""Between the ports of one host and the next: each uses five (see docs/operations.md)."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Host:
    """One Runtime of a cluster."""

    name: str
    directory: Path
    port: int

    @property
    def socket(self) -> str:
        """Where its clients reach it."""
        return starting.socket_of(self.directory)

    @property
    def made(self) -> bool:
        """Whether it is in the network."""
        return (self.directory / "identity" / "host.pem").exists()


def hosts_of(directory: Path) -> list[Host]:
    """The hosts of the cluster in a directory, in order; empty where there is none."""
    found = []
    for path in directory.glob("host*/oneos.toml"):
        number = path.parent.name.removeprefix("host")
        if number.isdigit():
            port = _port_in(path)
            found.append((int(number), Host(path.parent.name, path.parent, port)))
    return [host for _, host in sorted(found)]


def plan(directory: Path, count: int, port: int, extra: dict[str, Path]) -> list[Host]:
    """The hosts of a cluster, with their configurations written where there are none yet.

    Args:
        directory: of the whole cluster.
        count: how many hosts.
        port: the first host's public port.
        extra: host names to files whose text is added to that host's configuration.

    Raises:
        UserError: the count does not fit what is there, a host of `extra` is not one of it, or a
            port of a new host is in use.
        ConfigError: a file of `extra` is wrong.
    """
    if not 1 <= count <= CLUSTER_HOSTS_MAX:
        raise UserError(f"a cluster has 1 to {CLUSTER_HOSTS_MAX} hosts, not {count}")
    present = hosts_of(directory)
    if len(present) > count:
        raise UserError(
            f"the cluster in {directory} has {len(present)} hosts already",
            hint=f"start it: oneos cluster {len(present)}; or remove it: oneos cluster rm",
        )
    names = [f"host{number}" for number in range(1, count + 1)]
    for name in extra:
        if name not in names:
            raise UserError(f"--with {name}=...: there is no such host", hint=", ".join(names))
    base = present[0].port if present else port
    if base + count * PORTS_EACH > PORT_MAX:
        raise UserError(f"{count} hosts do not fit behind port {base}", hint="a lower --port")
    hosts = [Host(name, directory / name, base + at * PORTS_EACH) for at, name in enumerate(names)]
    texts = {}
    for host in hosts:
        if not (host.directory / "oneos.toml").exists():
            texts[host] = _config(host, extra.get(host.name))
    for host, text in texts.items():
        require_free("127.0.0.1", ports_of(parse_config(text, host.name, directory)))
    # All are written only after none was found wrong.
    for host, text in texts.items():
        host.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (host.directory / "oneos.toml").write_text(text, encoding="utf-8")
    return hosts


def _config(host: Host, extra: Path | None) -> str:
    own = (
        f'name = "{host.name}"\nlisten = "127.0.0.1"\nadvertise = "127.0.0.1"\nport = {host.port}\n'
    )
    if extra is None:
        return own
    more = extra.read_text(encoding="utf-8")
    parse_config(more, str(extra), extra.resolve().parent)
    # Its paths mean the same in the copy.
    own += f"relative_to = {json.dumps(str(extra.resolve().parent))}\n"
    for key in tomllib.loads(own):
        if key in tomllib.loads(more):
            raise ConfigError(
                f"{extra}: {key}: a cluster's host has its own", hint="leave the key out"
            )
    return f"{own}\n{more}"


def _port_in(path: Path) -> int:
    return load_config(path).port


def start(hosts: list[Host], say: Say) -> None:
    """Start a cluster, and make it first where it is new; returns when all hosts are up.

    Raises:
        OneOSError: a host could not be made or started; those that are up stay up.
    """
    _found(hosts[0])
    known = [host for host in hosts if host.made]
    launched = _launch(known)
    for host in known:
        _wait(host, launched)
        say(f"{host.name} is up at 127.0.0.1:{host.port}")
    for host in hosts:
        if not host.made:
            _join(host, hosts[0])
            _wait(host, _launch([host]))
            say(f"{host.name} is up at 127.0.0.1:{host.port}")
    with Client(hosts[0].socket) as client:
        voters = client.call("status")["voters"]
        if len(voters) < 3 <= len(hosts):
            say("three hosts are to carry the log: a few seconds")
            client.call("voters", 3)


def _found(host: Host) -> None:
    if not host.made:
        from oneos.net.pki import create_network  # Only a new cluster pays for these imports.

        create_network(host.directory / "identity", "cluster", host.name)


def _join(host: Host, first: Host) -> None:
    import asyncio

    from oneos.net.token import Token
    from oneos.runtime.facts import facts_of
    from oneos.runtime.joining import join

    config = load_config(host.directory / "oneos.toml", host.directory)
    with Client(first.socket) as client:
        token = Token.parse(client.call("token")["token"])
    facts = facts_of(config, [], {}, "")
    asyncio.run(join(("127.0.0.1", first.port), token, host.name, facts, host.directory))


def _launch(hosts: list[Host]) -> dict[str, subprocess.Popen[bytes]]:
    return {
        host.name: starting.launch(host.directory)
        for host in hosts
        if not starting.is_up(host.directory)
    }


def _wait(host: Host, launched: dict[str, subprocess.Popen[bytes]]) -> None:
    process = launched.get(host.name)
    if process is not None:
        starting.wait_until_up(host.directory, process)


def stop(hosts: list[Host], say: Say) -> None:
    """Stop all hosts that are up: together, so that each can still tell the others."""
    for host in [host for host in hosts if starting.ask_to_stop(host.directory)]:
        starting.wait_until_down(host.directory)
        say(f"{host.name} is down")
