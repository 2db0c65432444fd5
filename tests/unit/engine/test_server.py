"""The promises of the supervised nats-server."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from oneos.engine import binary, streams
from oneos.engine import server as server_module
from oneos.engine.log import Log
from oneos.engine.server import EngineServer
from oneos.engine.server_config import User, render
from oneos.errors import AuthError, InternalError, NetworkError, OneOSError, UserError
from tests.support.waiting import WAIT_S, eventually
from tests.unit.engine.servers import Bench, kill


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def refused(bench: Bench, server: EngineServer, host: str = "hub") -> NetworkError:
    """Why a host cannot connect; it has tried for as long as it takes to hear that."""
    timeout_s = 0.3
    while True:
        with pytest.raises(NetworkError) as caught:
            await bench.connect(server, host=host, timeout_s=timeout_s)
        # The reason is told with the last attempt that came so far as to have one.
        if isinstance(caught.value, AuthError) or timeout_s > WAIT_S:
            return caught.value
        timeout_s *= 4


async def test_log_works_as_soon_as_the_server_has_started(bench: Bench) -> None:
    server = await bench.start()
    log = Log(await bench.connect(server), "control", "hub")
    await log.ensure(1)
    assert await log.append(b"one", expect_last=0, msg_id="a") == 1


async def test_server_that_dies_is_started_again(bench: Bench) -> None:
    server = await bench.start()
    engine = await bench.connect(server)
    dead = server.pid
    kill(server)
    await eventually(lambda: server.pid not in (dead, None) and engine.connected)
    assert server.restarts == 1
    await streams.ready(engine)


async def test_server_that_keeps_dying_is_reported(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "ENGINE_BACKOFF_S", (0.0,))
    reports: list[OneOSError] = []
    server = EngineServer(bench.spec(), bench.users, reports.append)
    await server.start()
    spent = set()
    while not reports:
        pid = server.pid
        if pid is not None and pid not in spent:
            spent.add(pid)
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.002)
    await server.stop()
    assert server.failed is reports[0]
    assert "died" in reports[0].message


async def test_stop_ends_the_process_and_a_start_brings_the_log_back(bench: Bench) -> None:
    server = await bench.start()
    engine = await bench.connect(server)
    log = Log(engine, "control", "hub")
    await log.ensure(1)
    await log.append(b"one", msg_id="a")
    pid = server.pid
    assert pid is not None
    await server.stop()
    await server.stop()
    assert not alive(pid)
    await server.start()
    assert await log.last_seq() == 1


async def test_server_dies_with_its_runtime(bench: Bench, tmp_path: Path) -> None:
    spec = bench.spec()
    script = tmp_path / "runtime.py"
    script.write_text(
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from oneos.engine.server import EngineServer\n"
        "from oneos.engine.server_config import ServerSpec, User\n"
        "async def main():\n"
        f"    spec = ServerSpec(Path({str(spec.directory)!r}), 'hub-g1', 'home', '127.0.0.1',\n"
        f"        {spec.client_port}, {spec.cluster_port}, (), Path({str(spec.ca)!r}),\n"
        f"        Path({str(spec.cert)!r}), Path({str(spec.key)!r}), 1)\n"
        "    server = EngineServer(spec, [User('hub', True)])\n"
        "    await server.start()\n"
        "    print(server.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    runtime = await asyncio.create_subprocess_exec(
        sys.executable, str(script), stdout=asyncio.subprocess.PIPE
    )
    assert runtime.stdout is not None
    pid = int(await runtime.stdout.readline())
    assert alive(pid)
    runtime.kill()
    await runtime.wait()
    await eventually(lambda: not alive(pid) or _is_zombie(pid))


def _is_zombie(pid: int) -> bool:
    """Dead, where the test's machine has nobody who collects orphans."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


async def test_ctrl_c_for_the_runtime_leaves_its_server(bench: Bench) -> None:
    server = await bench.start()
    assert server.pid is not None
    assert os.getpgid(server.pid) != os.getpgid(0)


async def test_signals_that_the_runtime_ignores_still_end_the_server(bench: Bench) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        server = await bench.start()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert server.pid is not None
    status = Path(f"/proc/{server.pid}/status").read_text()
    ignored = int(
        next(line for line in status.splitlines() if line.startswith("SigIgn")).split()[1], 16
    )
    assert not ignored & 1 << signal.SIGTERM - 1


async def test_reload_lets_a_host_in_and_disturbs_nobody(bench: Bench) -> None:
    bench.users = [User("hub", True), User("pi1", False)]
    server = await bench.start()
    hub, pi1 = await bench.connect(server), await bench.connect(server, host="pi1")
    refusal = await refused(bench, server, "pi2")
    assert isinstance(refusal, AuthError) and "does not know host pi2" in refusal.message
    await server.reload([*bench.users, User("pi2", False)])
    pi2 = await bench.connect(server, host="pi2")
    log = Log(hub, "control", "hub")
    await log.ensure(1)
    for engine in (hub, pi1, pi2):
        await Log(engine, "control", engine.host).append(b"x", msg_id=engine.host)
        assert engine.connections == 1


async def test_reload_puts_a_removed_host_out_at_once(bench: Bench) -> None:
    bench.users = [User("hub", True), User("pi1", False)]
    server = await bench.start()
    hub, pi1 = await bench.connect(server), await bench.connect(server, host="pi1")
    await server.reload([User("hub", True)])
    await eventually(lambda: not pi1.connected)
    assert hub.connections == 1
    kill(server)
    await eventually(lambda: hub.connections > 1)
    assert not pi1.connected


async def test_port_in_use_is_said_plainly(bench: Bench) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port}"):
            await bench.start(bench.spec(ports=(port, port)))


async def test_server_on_the_port_of_another_one_is_not_taken_for_it(bench: Bench) -> None:
    first = await bench.start()
    spec = bench.spec("lab", ports=(first.spec.client_port, 1))
    with pytest.raises(UserError, match="in use"):
        await bench.start(spec)


async def test_certificate_that_is_missing_is_said_plainly(bench: Bench) -> None:
    spec = bench.spec()
    spec.directory.mkdir(parents=True)
    os.rename(spec.cert, moved := spec.cert.with_suffix(".away"))
    try:
        with pytest.raises(UserError, match="ended as soon as it was started"):
            await bench.start(spec)
    finally:
        os.rename(moved, spec.cert)


async def test_stranger_is_refused(bench: Bench, tmp_path: Path) -> None:
    from tests.unit.engine.certificates import Certificates

    server = await bench.start()
    home, bench.certificates = bench.certificates, Certificates(tmp_path / "elsewhere")
    try:
        with pytest.raises(NetworkError):
            await bench.connect(server, timeout_s=0.3)
    finally:
        bench.certificates = home


async def test_host_that_is_no_voter_cannot_pass_for_a_server(bench: Bench) -> None:
    server = await bench.start(bench.spec("pi1"))
    refusal = await refused(bench, server)
    assert isinstance(refusal, AuthError) and "pi1, which is not a voter" in refusal.message


def test_missing_server_binary_is_said_plainly(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ONEOS_NATS_SERVER", str(tmp_path / "none"))
    with pytest.raises(UserError, match="not a program"):
        binary.find_server()
    monkeypatch.delenv("ONEOS_NATS_SERVER")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="has no nats-server"):
        binary.find_server()


def test_old_server_binary_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "nats-server"
    old.write_text("#!/bin/sh\necho nats-server: v2.9.10\n")
    old.chmod(0o755)
    monkeypatch.setenv("ONEOS_NATS_SERVER", str(old))
    with pytest.raises(UserError, match=r"2\.9; OneOS needs 2\.15"):
        binary.find_server()


def test_cluster_without_pins_is_not_made(bench: Bench) -> None:
    from dataclasses import replace

    spec = replace(bench.spec(routes=[("127.0.0.1", 1)]), pins=())
    with pytest.raises(InternalError):
        render(spec, bench.users)


def test_configuration_is_read_as_it_was_meant(bench: Bench) -> None:
    spec = bench.spec(routes=[("::1", 4222)])
    spec.store.mkdir(parents=True)
    spec.config_path.write_text(render(spec, bench.users))
    done = subprocess.run(
        (binary.find_server(), "-t", "-c", str(spec.config_path)), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


async def test_cancelled_subscription_does_not_harm_the_connection(bench: Bench) -> None:
    """Nor after a server's answer to it comes: the connection was deaf for 3 s then."""
    engine = await bench.connect(await bench.start())
    log = Log(engine, "files", "hub")
    await log.ensure(1)
    for turns in range(6):
        subscribing = asyncio.create_task(engine.subscribe("oneos.test", lambda message: None))
        for _ in range(turns):
            await asyncio.sleep(0)
        subscribing.cancel()
        await asyncio.wait((subscribing,))
        await log.append(b"x", msg_id=f"{turns}")
    assert engine.connections == 1
    # One turn may have been enough to subscribe; all that were cut short have left nothing.
    assert len(engine._subscriptions) <= 1
