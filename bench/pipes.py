"""Pipes between hosts: how long 64 bytes take there and back, and how many bytes a second go."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence

from bench import programs
from bench.case import NATIVE, ONEOS, SSH, Case, Measured, Row
from bench.setting import Setting, environment, python
from oneos.errors import OneOSError

MIB = 1 << 20
MESSAGE = b"x" * 64


def cases(setting: Setting) -> list[Case]:
    """Round trip and throughput."""
    return [_round_trip(setting), _throughput(setting)]


def _round_trip(setting: Setting) -> Case:
    name = "pipe.roundtrip"
    row = Row(name, "s", "64 B through a program on another host and back")
    count = setting.sized(2000, 300)
    words = [python(), "-c", programs.ECHO]

    def oneos() -> Measured:
        session = setting.cluster.session
        (their_in, our_out), (our_in, their_out) = os.pipe(), os.pipe()
        try:
            stage = (setting.away, ["python3", "-c", programs.ECHO])
            pids = session.spawn([stage], (their_in, their_out, 2))
        finally:
            os.close(their_in)
            os.close(their_out)
        times = _ping(our_in, our_out, count)
        os.close(our_out)
        os.close(our_in)
        session.wait(pids)
        return {name: times}

    contenders: dict[str, Callable[[], Measured]] = {
        ONEOS: oneos,
        NATIVE: lambda: {name: _ping_process(words, count)},
    }
    missing = {}
    if setting.ssh is not None:
        remote = setting.ssh.command(words)
        contenders[SSH] = lambda: {name: _ping_process(remote, count)}
    else:
        missing[SSH] = setting.ssh_missing or "-"
    return Case((row,), contenders, missing)


def _ping_process(words: Sequence[str], count: int) -> list[float]:
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment()
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        times = _ping(process.stdout.fileno(), process.stdin.fileno(), count)
        process.stdin.close()
    return times


def _ping(reading: int, writing: int, count: int) -> list[float]:
    """Times of single round trips; the first ones, which wait for the program's start, left out."""
    times = []
    for _ in range(count + 20):
        began = time.perf_counter()
        os.write(writing, MESSAGE)
        left = len(MESSAGE)
        while left:
            data = os.read(reading, left)
            if not data:
                raise OneOSError("the echo ended early")
            left -= len(data)
        times.append(time.perf_counter() - began)
    return times[20:]


def _throughput(setting: Setting) -> Case:
    name = "pipe.throughput"
    size = setting.sized(1024, 64) * MIB
    row = Row(name, "B/s", f"{size // MIB} MiB from a program on one host to one on another")
    produce = ["-c", programs.PRODUCE, str(size)]
    consume = ["-c", programs.CONSUME]

    def oneos() -> Measured:
        session = setting.cluster.session
        stages = [
            (setting.away, ["python3", *produce]),
            (setting.home, ["python3", *consume]),
        ]
        return {name: [_rate(size, lambda: session.run(stages))]}

    def pair(producer: Sequence[str]) -> bytes:
        with subprocess.Popen(
            producer, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment()
        ) as process:
            return subprocess.check_output(
                [python(), *consume], stdin=process.stdout, env=environment()
            )

    local = [python(), *produce]
    contenders: dict[str, Callable[[], Measured]] = {
        ONEOS: oneos,
        NATIVE: lambda: {name: [_rate(size, lambda: pair(local))]},
    }
    missing = {}
    if setting.ssh is not None:
        remote = setting.ssh.command(local)
        contenders[SSH] = lambda: {name: [_rate(size, lambda: pair(remote))]}
    else:
        missing[SSH] = setting.ssh_missing or "-"
    return Case((row,), contenders, missing)


def _rate(size: int, work: Callable[[], bytes]) -> float:
    began = time.perf_counter()
    counted = int(work())
    took = time.perf_counter() - began
    if counted != size:
        raise OneOSError(f"{counted} of {size} bytes came through")
    return size / took
