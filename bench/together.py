"""What two hosts do in one directory at once, and what one does with files that it removes again.

The directories are `async` ones (docs/storage.md) but for `files.together.commit`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

from bench import programs
from bench.case import NATIVE, ONEOS, Case, Measured, Row
from bench.setting import Setting, environment, python, run_native
from oneos.errors import OneOSError

CYCLE_TARGETS_S = {"home": 250e-6, "away": 600e-6}
PAUSE_TARGET_S = 0.1
KINDS = ("async", "commit")


def cases(setting: Setting) -> list[Case]:
    """Files that come and go, and two programs that create at once."""
    return [_cycles(setting), *(_together(setting, kind) for kind in KINDS)]


def _cycles(setting: Setting) -> Case:
    rows = tuple(
        Row(
            f"files.cycle.{side}",
            "s",
            f"create, write 1 KiB, close and unlink {where}",
            "nothing",
            target,
        )
        for side, where, target in (
            ("home", "on the File System's host", CYCLE_TARGETS_S["home"]),
            ("away", "on another host", CYCLE_TARGETS_S["away"]),
        )
    )
    count = str(setting.sized(300, 50))

    def words(interpreter: str, directory: str) -> list[str]:
        return [interpreter, "-c", programs.CYCLES, directory, count]

    def oneos() -> Measured:
        run = setting.cluster.session.run
        return {
            f"files.cycle.{side}": json.loads(
                run([(host, words("python3", f"/tmp/{setting.fresh()}"))])
            )["cycle"]
            for side, host in (("home", setting.home), ("away", setting.away))
        }

    def plain() -> Measured:
        output = run_native(words(python(), str(setting.plain / setting.fresh())))
        return {"files.cycle.home": json.loads(output)["cycle"]}

    contenders: dict[str, Callable[[], Measured]] = {ONEOS: oneos, NATIVE: plain}
    return Case(rows, contenders)


def _together(setting: Setting, kind: str) -> Case:
    prefix = f"files.together.{kind}"
    lasting = str(setting.sized(5, 1))
    rows = (
        Row(
            f"{prefix}.pause",
            "s",
            f"the longest of two hosts' creates in one directory at once, for {lasting} s",
            target=PAUSE_TARGET_S,
        ),
        Row(f"{prefix}.create", "s", "one of these creates, in the mean"),
    )

    def words(interpreter: str, directory: str, me: str) -> list[str]:
        return [interpreter, "-c", programs.TOGETHER, directory, me, lasting]

    def measured(output: bytes) -> Measured:
        longest, mean = zip(*json.loads(output), strict=True)
        return {f"{prefix}.pause": [max(longest)], f"{prefix}.create": list(mean)}

    def oneos() -> Measured:
        above = "/tmp" if kind == "async" else setting.cluster.session.home.decode()
        directory = f"{above}/{setting.fresh()}"
        stages = [
            (host, words("python3", directory, me))
            for host, me in ((setting.home, "first"), (setting.away, "other"))
        ]
        return measured(setting.cluster.session.run(stages))

    def plain() -> Measured:
        directory = str(setting.plain / setting.fresh())
        first = subprocess.Popen(
            words(python(), directory, "first"), stdout=subprocess.PIPE, env=environment()
        )
        with first:
            done = subprocess.run(
                words(python(), directory, "other"),
                stdin=first.stdout,
                stdout=subprocess.PIPE,
                check=False,
                env=environment(),
            )
        if done.returncode or first.returncode:
            raise OneOSError("a native program failed")
        return measured(done.stdout)

    contenders: dict[str, Callable[[], Measured]] = {ONEOS: oneos, NATIVE: plain}
    return Case(rows, contenders, rounds_max=3)
