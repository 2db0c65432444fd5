"""Starting a program: on another host over an open connection, and by a whole command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from bench.case import NATIVE, ONEOS, SSH, Case, Measured, Row
from bench.cluster import Session
from bench.contexts import SYSTEM_PATH
from bench.setting import Setting, environment, python, run_native

NATIVE_TRUE = "/usr/bin/true"
AGREED = "its entry in the process table, on a majority's disks"
MANY = {
    "native": ([NATIVE_TRUE], [NATIVE_TRUE]),
    "python": (["python3", "-c", "pass"], [python(), "-c", "pass"]),
}
MANY_TARGET_S = 1 / 50
AT_ONCE = 16


def cases(setting: Setting) -> list[Case]:
    """One for each kind of program, and one for the command."""
    node = shutil.which("node") or "node"
    return [
        _start(setting, "start.python", "python3 -c pass", ["python3"], [python()], ["-c", "pass"]),
        _start(setting, "start.node", "node -e 0", ["node"], [node], ["-e", "0"]),
        *_hello(setting, node),
        _start(setting, "start.utility", "/bin/true", ["/bin/true"], ["/bin/true"], []),
        _start(setting, "start.native", NATIVE_TRUE, [NATIVE_TRUE], [NATIVE_TRUE], []),
        _command(setting),
        *(_many(setting, kind) for kind in MANY),
    ]


def _times(count: int, work: Callable[[], object]) -> list[float]:
    times = []
    for _ in range(count):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return times


def _start(
    setting: Setting,
    name: str,
    shown: str,
    ours: Sequence[str],
    native: Sequence[str],
    arguments: Sequence[str],
    host: str | None = None,
) -> Case:
    where = "another host" if host is None else "the same host"
    row = Row(name, "s", f"{shown} on {where}, from the request to its end known", AGREED)
    count = setting.sized(15, 5)
    place = host or setting.away
    words = [*native, *arguments]

    def oneos() -> Measured:
        session = setting.cluster.session
        stage = (place, [*ours, *arguments])
        return {name: _times(count, lambda: session.run([stage]))}

    def plain() -> Measured:
        return {name: _times(count, lambda: run_native(words))}

    contenders = {ONEOS: oneos, NATIVE: plain}
    missing = {}
    ssh = setting.ssh
    if ssh is not None:
        command = ssh.command(words)
        contenders[SSH] = lambda: {name: _times(count, lambda: run_native(command))}
    else:
        missing[SSH] = setting.ssh_missing or "-"
    return Case((row,), contenders, missing)


def _hello(setting: Setting, node: str) -> list[Case]:
    """A line of Node's in each context, on the host that is asked."""
    here = setting.cluster.hosts[0].name
    words = ["-e", "console.log('hi')"]
    found = [("instrumented", "node")]
    system = shutil.which("node", path=SYSTEM_PATH)
    if system is not None and os.path.samefile(system, node):
        # Named by its path it runs in the name space.
        found.insert(0, ("namespace", system))
    return [
        _start(setting, f"start.hello.{kind}", "node, one line", [name], [node], words, here)
        for kind, name in found
    ]


def _command(setting: Setting) -> Case:
    name = "start.command"
    row = Row(name, "s", "oneos run --on host:X python3 -c pass, as a whole command", AGREED)
    count = setting.sized(5, 2)
    socket_path = setting.cluster.hosts[0].socket
    away = setting.away
    words = [sys.executable, "-m", "oneos.cli.main", "run", "--socket", socket_path]
    words += ["--on", f"host:{away}", "python3", "-c", "pass"]

    def oneos() -> Measured:
        return {name: _times(count, lambda: _run_command(words))}

    plain = [python(), "-c", "pass"]
    contenders = {
        ONEOS: oneos,
        NATIVE: lambda: {name: _times(count, lambda: run_native(plain))},
    }
    missing = {}
    ssh = setting.ssh
    if ssh is not None:
        command = ssh.command(plain)
        contenders[SSH] = lambda: {name: _times(count, lambda: run_native(command))}
    else:
        missing[SSH] = setting.ssh_missing or "-"
    return Case((row,), contenders, missing)


def _many(setting: Setting, kind: str) -> Case:
    """As many as are asked for at a time; the sample is the time of all by their number."""
    name = f"start.many.{kind}"
    words, native = MANY[kind]
    row = Row(
        name,
        "s",
        f"{words[0]}, {AT_ONCE} at a time on one host: the time of all by their number",
        AGREED,
        MANY_TARGET_S,
    )
    count = setting.sized(160, 48)

    def measured(work: Callable[[], object]) -> Measured:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            began = time.perf_counter()
            for done in [pool.submit(work) for _ in range(count)]:
                done.result()
            return {name: [(time.perf_counter() - began) / count]}

    def oneos() -> Measured:
        host = setting.cluster.hosts[0]
        sessions = SimpleQueue[Session]()
        for _ in range(AT_ONCE):
            sessions.put(Session(host.socket))

        def work() -> None:
            session = sessions.get()
            session.run([(host.name, words)])
            sessions.put(session)

        try:
            return measured(work)
        finally:
            while not sessions.empty():
                sessions.get().client.drop()

    return Case((row,), {ONEOS: oneos, NATIVE: lambda: measured(lambda: run_native(native))})


def _run_command(words: Sequence[str]) -> None:
    subprocess.run(
        words,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env=environment() | {"ONEOS_LOG": os.environ.get("ONEOS_LOG", "WARNING")},
    )
