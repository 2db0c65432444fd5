"""`./do bench`: measures what there is, and prints medians as a table and as JSON.

The table goes to standard output, progress to standard error. The cluster, the SSH server and every
file are made for the run in temporary directories and are gone when it ends, however it ends.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

import psutil

from bench import (
    contexts,
    costs,
    files,
    migration,
    pipes,
    prompts,
    report,
    rounds,
    ssh,
    starts,
    together,
)
from bench.case import Case
from bench.cluster import Cluster
from bench.setting import Setting
from oneos.errors import OneOSError

GROUPS: tuple[tuple[str, Callable[[Setting], list[Case]], tuple[str, ...]], ...] = (
    (
        "idle",
        costs.first_cases,
        ("idle.memory", "idle.cpu", "idle.engine.memory", "idle.engine.cpu"),
    ),
    (
        "start",
        starts.cases,
        (
            *("start.python", "start.node", "start.hello.namespace", "start.hello.instrumented"),
            *("start.utility", "start.native", "start.command"),
            *(f"start.many.{kind}" for kind in starts.MANY),
        ),
    ),
    ("pipe", pipes.cases, ("pipe.roundtrip", "pipe.throughput")),
    (
        "files",
        files.cases,
        (
            *(f"files.{side}.{call}" for side in files.SIDES for call in files.CALLS),
            "files.at_once.create",
            *(f"{size}.{step}" for size in ("files", "files.large") for step in files.STEPS),
        ),
    ),
    (
        "together",
        together.cases,
        (
            *(f"files.cycle.{side}" for side in together.CYCLE_TARGETS_S),
            *(
                f"files.together.{kind}.{row}"
                for kind in together.KINDS
                for row in ("pause", "create")
            ),
        ),
    ),
    (
        "context",
        contexts.cases,
        (
            *(
                f"context.{kind}.{call}"
                for kind in ("namespace", "instrumented")
                for call in contexts.CALLS
            ),
            *(f"context.seen.{call}" for call in contexts.SEEN),
        ),
    ),
    (
        "migration",
        migration.cases,
        (
            *(f"migration.slowdown.{language}" for language in migration.SLOWDOWN_TARGETS),
            *(f"migration.downtime.{kind}" for kind in migration.DOWNTIME),
            "migration.image.python",
            *(f"migration.safe_point.{share}" for share in migration.SAFE_POINT_TARGETS_S),
        ),
    ),
    ("shell", prompts.cases, ("shell.echo", "shell.ls")),
    (
        "costs",
        costs.last_cases,
        (
            "log.append",
            *("after.memory", "after.cpu", "after.engine.memory", "after.engine.cpu"),
            "runtime.start",
        ),
    ),
)
"""What there is, in the order it is measured: group, what makes its cases, the rows they fill."""


def main() -> int:
    """Run the benchmark; the exit status is 1 when something of OneOS could not be measured."""
    options = _options()
    if options.list:
        for _, _, names in GROUPS:
            print("\n".join(names))
        return 0
    wanted = [name for _, _, names in GROUPS for name in names if _matches(name, options.only)]
    if not wanted:
        print(f"bench: nothing is called {' or '.join(options.only)}", file=sys.stderr)
        print("       see what there is: ./do bench --list", file=sys.stderr)
        return 2
    # Programs are measured as they are when installed: with byte code that is there already.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # As an exception, so that the cluster is removed on the way out.
    signal.signal(signal.SIGTERM, _terminated)
    try:
        outcomes = _measure(options, wanted)
    except OneOSError as error:
        print(f"bench: {error.message}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    print(report.table(report.cells(outcomes)))
    if options.json:
        used = {"quick": options.quick, "rounds": options.rounds, "only": options.only}
        text = json.dumps(report.document(outcomes, _machine(), used), indent=2)
        Path(options.json).write_text(text + "\n", encoding="utf-8")
    return 1 if any(not outcome.samples.get("oneos") for outcome in outcomes) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./do bench", description="Measure OneOS next to the same work without it."
    )
    parser.add_argument("--quick", action="store_true", help="small sizes and two rounds")
    parser.add_argument(
        "--only",
        action="append",
        metavar="NAME",
        help="a row, a group (files) or a pattern (*.create)",
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each case (5)")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    parser.add_argument("--list", action="store_true", help="show what can be measured")
    options = parser.parse_args()
    options.only = options.only or []
    if options.rounds is None:
        options.rounds = 2 if options.quick else 5
    if options.rounds < 1:
        parser.error("--rounds: at least 1")
    return options


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(
        fnmatch.fnmatch(name, pattern) or name.startswith(pattern + ".") for pattern in patterns
    )


def _say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def _measure(options: argparse.Namespace, wanted: Sequence[str]) -> list[rounds.Outcome]:
    began = time.monotonic()
    outcomes: list[rounds.Outcome] = []
    with ExitStack() as stack:
        directory = Path(tempfile.mkdtemp(prefix="oneos-bench-plain-"))
        stack.callback(shutil.rmtree, directory, ignore_errors=True)
        _say("starting three Runtimes")
        cluster = stack.enter_context(Cluster(_say))
        setting = _peers(stack, cluster, directory, options.quick)
        for group, make, names in GROUPS:
            if not set(names) & set(wanted):
                continue
            _say(group)
            for case in make(setting):
                if not {row.name for row in case.rows} & set(wanted):
                    continue
                _say("  " + ", ".join(row.name for row in case.rows))
                done = rounds.run(case, options.rounds, _say)
                outcomes += [outcome for outcome in done if outcome.row.name in wanted]
    _say(f"done in {time.monotonic() - began:.0f} s")
    return outcomes


def _peers(stack: ExitStack, cluster: Cluster, directory: Path, quick: bool) -> Setting:
    plain = directory / "plain"
    plain.mkdir()
    peer, mounted = None, None
    ssh_missing, sshfs_missing = ssh.missing(), ssh.sshfs_missing()
    if ssh_missing is None:
        peer = ssh.Ssh(directory / "ssh")
        stack.callback(peer.close)
        try:
            peer.start()
        except OneOSError as error:
            _say(error.message)
            peer, ssh_missing, sshfs_missing = None, "does not start", "no ssh"
    if peer is not None and sshfs_missing is None:
        source, mounted = directory / "exported", directory / "mounted"
        source.mkdir()
        mounted.mkdir()
        try:
            peer.mount(source, mounted)
        except OneOSError as error:
            _say(error.message)
            mounted, sshfs_missing = None, "does not mount"
    return Setting(cluster, peer, ssh_missing, sshfs_missing, plain, mounted, quick)


def _machine() -> dict[str, object]:
    """This machine in general words: no names, no paths."""
    temporary = tempfile.gettempdir()
    below = [p for p in psutil.disk_partitions(all=True) if _is_below(temporary, p.mountpoint)]
    disk = max(below, key=lambda part: len(part.mountpoint), default=None)
    return {
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "python": platform.python_version(),
        "file_system": disk.fstype if disk else "unknown",
        "load": list(os.getloadavg()),
    }


def _is_below(path: str, mountpoint: str) -> bool:
    return os.path.commonpath([os.path.realpath(path), mountpoint]) == mountpoint


def _terminated(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
