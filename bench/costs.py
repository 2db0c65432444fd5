"""What a Runtime costs by being there: its start, its memory, its processor time, and agreement.

Memory and processor time are those of the Runtime's process, as the targets have it; the engine's
server beside it has rows of its own.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable

import psutil

from bench.case import NATIVE, ONEOS, SYNCED, Case, Measured, Row
from bench.cluster import runtime_pid
from bench.setting import Setting, environment, python, run_native
from oneos.config import load_config
from oneos.engine.client import Engine
from oneos.engine.log import Log
from oneos.errors import OneOSError
from oneos.local import starting
from oneos.local.client import Client
from oneos.net.identity import Identity
from oneos.runtime.growth import CONTROL_LOG
from oneos.runtime.voters import Voters

START_TARGET_S = 0.5
MEMORY_TARGET_B = 60e6
CPU_TARGET = 0.01
IDLE_PROGRAM = "import asyncio, sys; print(flush=True); sys.stdin.read()"


def first_cases(setting: Setting) -> list[Case]:
    """What is measured on a fresh cluster."""
    return [_idle(setting, "idle", "three fresh Runtimes")]


def last_cases(setting: Setting) -> list[Case]:
    """What is measured when all else was: agreement, memory after the work, and starting."""
    return [
        _append(setting),
        _idle(setting, "after", "the same Runtimes after all of the above"),
        _start(setting),
    ]


def _idle(setting: Setting, name: str, of: str) -> Case:
    seconds = setting.sized(10, 3)
    rows = (
        Row(f"{name}.memory", "B", f"resident memory of {of}", target=MEMORY_TARGET_B),
        Row(f"{name}.cpu", "core", f"processor time over {seconds} s of {of}", target=CPU_TARGET),
        Row(f"{name}.engine.memory", "B", "resident memory of the engine's server of each"),
        Row(f"{name}.engine.cpu", "core", "its processor time"),
    )

    def oneos() -> Measured:
        # What the last step left to do is not what idling costs.
        time.sleep(setting.sized(5, 2))
        runtimes = [psutil.Process(runtime_pid(host.socket)) for host in setting.cluster.hosts]
        # A server that was given up for a new generation ends some time later.
        began = [child for runtime in runtimes for child in runtime.children()]
        cpu = _cpu([*runtimes, *began], seconds)
        engines = [child for child in began if child in cpu and "nats" in child.name()]
        return {
            f"{name}.memory": [float(process.memory_info().rss) for process in runtimes],
            f"{name}.cpu": [cpu[process] for process in runtimes],
            f"{name}.engine.memory": [float(process.memory_info().rss) for process in engines],
            f"{name}.engine.cpu": [cpu[process] for process in engines],
        }

    def native() -> Measured:
        with subprocess.Popen(
            [python(), "-c", IDLE_PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
        ) as process:
            assert process.stdin is not None and process.stdout is not None
            process.stdout.readline()
            memory = float(psutil.Process(process.pid).memory_info().rss)
            process.stdin.close()
        return {f"{name}.memory": [memory]}

    return Case(rows, {ONEOS: oneos, NATIVE: native}, rounds_max=1)


def _cpu(processes: list[psutil.Process], seconds: int) -> dict[psutil.Process, float]:
    """The share of a core that each takes, of those that live on."""
    before = {process: _used(process) for process in processes}
    began = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    after = {process: _used(process) for process in processes}
    return {
        process: (used - earlier) / took
        for process, used in after.items()
        if used is not None and (earlier := before[process]) is not None
    }


def _used(process: psutil.Process) -> float | None:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return None
    return float(times.user + times.system)


def _append(setting: Setting) -> Case:
    name = "log.append"
    row = Row(
        name,
        "s",
        "one record appended to the control log, by the engine's client",
        "the record, on a majority's disks",
    )
    count = setting.sized(300, 50)
    contenders: dict[str, Callable[[], Measured]] = {
        ONEOS: lambda: {name: asyncio.run(_appends(setting, count))},
        SYNCED: lambda: {name: _synced_appends(setting, count)},
    }
    return Case((row,), contenders)


async def _appends(setting: Setting, count: int) -> list[float]:
    host = setting.cluster.hosts[0]
    identity = Identity.load(host.directory / "identity")
    config = load_config(host.directory / "oneos.toml")

    def fail(error: OneOSError) -> None:
        raise error

    known = Voters(identity, host.directory / "engine", config.listen, fail).known
    if known is None:
        raise OneOSError(f"{host.name} does not know the voters")
    own_first = sorted(known.engine.voters, key=lambda voter: voter.name != host.name)
    engine = await Engine.connect(
        [(voter.address, voter.client_port) for voter in own_first],
        identity.ca_path,
        identity.certificate_path,
        identity.key_path,
        identity.host,
    )
    try:
        log = Log(engine, CONTROL_LOG, identity.host)
        times = []
        for _ in range(count):
            began = time.perf_counter()
            # An empty record: appended and synced like any other, and ignored by its readers.
            await log.barrier()
            times.append(time.perf_counter() - began)
        return times
    finally:
        await engine.close()


def _synced_appends(setting: Setting, count: int) -> list[float]:
    path = setting.plain / setting.fresh()
    record = os.urandom(256)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        times = []
        for _ in range(count):
            began = time.perf_counter()
            os.write(fd, record)
            os.fdatasync(fd)
            times.append(time.perf_counter() - began)
        return times
    finally:
        os.close(fd)
        path.unlink()


def _start(setting: Setting) -> Case:
    rows = (
        Row(
            "runtime.start",
            "s",
            "from exec of a Runtime until its status says alive; it brings a voter with it",
            "its arrival, on a majority's disks",
            START_TARGET_S,
        ),
    )

    def oneos() -> Measured:
        host = setting.cluster.hosts[-1]
        times = []
        for _ in range(setting.sized(3, 1)):
            if not starting.stop(host.directory):
                raise OneOSError(f"{host.name} was not up")
            _wait_for_leader(setting, host.name)
            began = time.perf_counter()
            process = starting.launch(host.directory)
            while not starting.is_up(host.directory):
                if process.poll() is not None:
                    raise OneOSError(f"{host.name} ended with {process.returncode}")
                time.sleep(0.005)
            times.append(time.perf_counter() - began)
        return {"runtime.start": times}

    words = [sys.executable, "-c", "import asyncio, ssl, sqlite3"]

    def native() -> Measured:
        began = time.perf_counter()
        run_native(words)
        return {"runtime.start": [time.perf_counter() - began]}

    return Case(rows, {ONEOS: oneos, NATIVE: native}, rounds_max=3)


def _wait_for_leader(setting: Setting, gone: str) -> None:
    """Until the others agree again: the election after a voter's stop is not the start's time."""
    deadline = time.monotonic() + 30
    with Client(setting.cluster.hosts[0].socket) as client:
        while time.monotonic() < deadline:
            members = client.call("status")["members"]
            if all(x["state"] != "alive" for x in members if x["name"] == gone):
                break
            time.sleep(0.05)
        client.call("session", {"user": "bench"})
