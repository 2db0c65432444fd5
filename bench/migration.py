"""Moving running programs: what it costs while they run, how long they stand, how large they are.

The cases have a cluster of their own, whose programs can move (`context = "namespace"`).
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.migration.pyperformance import PROGRAMS, STAND_IN, NotHere, fetch

from bench import busy, programs
from bench.case import CRIU, ONEOS, Case, Measured, Row
from bench.cluster import Cluster, Session
from bench.setting import Setting, environment, python, run_native
from oneos.errors import OneOSError
from oneos.runtime import extensions

SLOWDOWN_TARGETS = {"python": 1.01, "javascript": 1.02}
DOWNTIME_TARGETS_S = {"small": 0.06, "bytes": 0.3, "arrays": 0.3, "objects": 1.5}
DOWNTIME = {
    "small": "small",
    "bytes": "with 100 MB of bytes",
    "arrays": "with 100 MB in ten arrays",
    "objects": "with 1,000,000 objects",
}
IMAGE_TARGET_B = 20_000
SAFE_POINT_TARGETS_S = {"p50": 0.01, "p99": 0.5}

READY_S = 120.0
AFTER_S = 0.2
"""Until a program that goes on has looked at its clock."""

SAFE_POINT_PROGRAM_S = 300.0
NEVER_S = 5.0
"""What counts for a program that did not come through."""

SMALL = "import time\ntotal = 0\nfor n in range(150):\n    total += n\n    time.sleep(0.005)\n"
PACKAGES = extensions.SOURCES.parents[1]


class Movers:
    """Three hosts whose programs can move: started when first asked for."""

    def __init__(self) -> None:
        self._cluster: Cluster | None = None

    def session(self) -> Session:
        """A session at the first host."""
        if self._cluster is None:
            cluster = Cluster(lambda _: None, 'context = "namespace"\n')
            cluster.__enter__()
            self._cluster = cluster
            for host in cluster.hosts:
                self._make_ready(host.name)
        return self._cluster.session

    def _make_ready(self, host: str) -> None:
        """Have the host's warm interpreter started, with the extension, which may be built yet."""
        assert self._cluster is not None
        session = self._cluster.session
        deadline = time.monotonic() + READY_S
        while True:
            with Clock(session, host, "small") as clock:
                try:
                    session.client.call("migrate", clock.pid, self.others(host)[0])
                    return
                except OneOSError as error:
                    if time.monotonic() > deadline:
                        raise OneOSError(f"programs of {host} cannot move: {error}") from error

    def others(self, host: str) -> list[str]:
        """The hosts but one."""
        assert self._cluster is not None
        return [one.name for one in self._cluster.hosts if one.name != host]

    def close(self) -> None:
        """Remove them; they come anew when asked for again."""
        if self._cluster is not None:
            self._cluster.__exit__(None, None, None)
            self._cluster = None


class Clock:
    """A program that notes how long it stood, from `with` to its end."""

    def __init__(self, session: Session, host: str, kind: str) -> None:
        self._session = session
        read, write = os.pipe()
        words = ["python3", "-c", programs.CLOCK, kind]
        with open(os.devnull, "rb") as null:
            (self.pid,) = session.spawn([(host, words)], (null.fileno(), write, 2))
        os.close(write)
        self._output = open(read, encoding="utf-8")  # noqa: SIM115
        self._stood: list[list[float]] = []

    def __enter__(self) -> Clock:
        if self._output.readline() != "ready\n":
            raise OneOSError("the program that looks at the clock has ended")
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> list[list[float]]:
        """When it found that it had not run for a while, and until when; by `time.time`."""
        if not self._output.closed:
            self._session.client.call("kill", self.pid, 15)
            with self._output:
                self._stood = json.loads(self._output.read() or "[]")
            self._session.wait([self.pid])
        return self._stood


def cases(setting: Setting) -> list[Case]:
    """All of them; the cluster is shared until it is closed after each."""
    movers = Movers()
    return [
        *(_slowdown(setting, movers, language) for language in SLOWDOWN_TARGETS),
        *(_downtime(setting, movers, kind) for kind in DOWNTIME),
        _points(setting),
    ]


def _slowdown(setting: Setting, movers: Movers, language: str) -> Case:
    """Not a contender's time, but the ratio itself: each program by turns with its like."""
    name = f"migration.slowdown.{language}"
    row = Row(
        name,
        "x",
        f"five programs of {language} that compute: as such that can move, by native (median)",
        target=SLOWDOWN_TARGETS[language],
    )
    interpreter, native = ("python3", python())
    option = "-c"
    if language == "javascript":
        interpreter, native, option = "node", shutil.which("node") or "node", "-e"
    turns = setting.sized(5, 2)

    def measured() -> Measured:
        session, host = movers.session(), "host1"
        ratios = []
        for text in busy.PROGRAMS[language].values():
            ours, theirs = [], []
            for _ in range(turns):
                ours.append(float(session.run([(host, [interpreter, option, text])])))
                theirs.append(float(run_native([native, option, text])))
            ratios.append(min(ours) / min(theirs))
        return {name: [statistics.median(ratios)]}

    return Case((row,), {ONEOS: measured}, finish=movers.close)


def _downtime(setting: Setting, movers: Movers, kind: str) -> Case:
    name = f"migration.downtime.{kind}"
    row = Row(
        name,
        "s",
        f"a program {DOWNTIME[kind]} moves to another host: how long it does not run",
        "its new host, on a majority's disks",
        DOWNTIME_TARGETS_S[kind],
    )
    moves = setting.sized(10, 4) if kind == "small" else setting.sized(4, 2)

    def measured() -> Measured:
        session = movers.session()
        asked: list[tuple[float, float]] = []
        host = "host1"
        with Clock(session, host, kind) as clock:
            for _ in range(moves):
                began = time.time()
                host = movers.others(host)[len(asked) % 2]
                session.client.call("migrate", clock.pid, host)
                asked.append((began, time.time()))
                time.sleep(AFTER_S)
            stood = clock.end()
        return {
            name: [
                max(end - start for start, end in stood if end > began and start < over)
                for began, over in asked
            ]
        }

    # CRIU moves trees of processes on one host, by files: 85 ms (small) and 279 ms (100 MB) of
    # standing were measured with 4.2.1 built by hand; what Debian 12 has refuses newer kernels.
    missing = {CRIU: _criu_missing()}
    return Case((row,), {ONEOS: measured}, missing, finish=movers.close)


def _criu_missing() -> str:
    criu = shutil.which("criu")
    if criu is None:
        return "not installed"
    done = subprocess.run([criu, "check"], capture_output=True, check=False)
    return "not measured" if done.returncode == 0 else "criu check fails"


def _points(setting: Setting) -> Case:
    """Times to a safe point over programs that nobody here wrote; the image of a small one."""
    rows = (
        Row("migration.image.python", "B", "the image of a small program", target=IMAGE_TARGET_B),
        *(
            Row(
                f"migration.safe_point.{share}",
                "s",
                f"until a program of pyperformance stands where it can move ({share})",
                target=target,
            )
            for share, target in SAFE_POINT_TARGETS_S.items()
        ),
    )
    chosen = [one for one in PROGRAMS if not setting.quick or one.name in ("richards", "go")]

    def measured() -> Measured:
        cache = Path(tempfile.mkdtemp(prefix="oneos-bench-points-"))
        try:
            extension = extensions.build(python(), cache)
            if extension.path is None:
                raise OneOSError(extension.reason)
            small = cache / "small.py"
            small.write_text(SMALL, encoding="utf-8")
            take = _taker(str(extension.path), cache)
            sizes = [float(size) for _, size in take(small, {}) if size]
            try:
                place = fetch()
            except NotHere as error:
                raise OneOSError(str(error)) from error
            times = sorted(
                took
                for one in chosen
                for took, _ in take(
                    place / f"bm_{one.name}" / "run_benchmark.py",
                    {**one.settings, "PYTHONPATH": str(STAND_IN.parent)},
                )
            )
        finally:
            shutil.rmtree(cache, ignore_errors=True)
        found = {"migration.image.python": sizes}
        for share in SAFE_POINT_TARGETS_S:
            at = int(len(times) * int(share[1:]) / 100)
            found[f"migration.safe_point.{share}"] = [times[min(at, len(times) - 1)]]
        return found

    return Case(rows, {ONEOS: measured}, rounds_max=1)


def _taker(
    extension: str, scratch: Path
) -> Callable[[Path, dict[str, str]], Sequence[list[float]]]:
    def take(program: Path, settings: dict[str, str]) -> Sequence[list[float]]:
        report = scratch / "report"
        script = str(Path(__file__).with_name("safepoints.py"))
        words = [python(), script, extension, str(PACKAGES), str(report), "1", str(program)]
        done = subprocess.run(
            words,
            env={**environment(), **settings, "PYTHONHASHSEED": "0"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=SAFE_POINT_PROGRAM_S,
            check=False,
        )
        if done.returncode:
            print(f"bench:     {program.parent.name} ended with {done.returncode}", file=sys.stderr)
            return [[NEVER_S, 0]]
        found: list[list[float]] = json.loads(report.read_text(encoding="utf-8"))
        return found

    return take
