"""The two ways a program is made to see the tree, by the calls that programs make most.

Each against the same interpreter without OneOS, on this disk. What is looked at was made a moment
ago and nobody changes it, so kernels that may keep it do.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence

from bench import programs
from bench.case import NATIVE, ONEOS, Case, Measured, Row
from bench.setting import Setting, python, run_native

SYSTEM_PATH = "/usr/local/bin:/usr/bin"
"""Where the host's own interpreter lies: named by its path it runs in the name space."""

CALLS = {
    "stat": "stat of a file",
    "listdir": "listdir of 1,000 files",
    "scan": "scandir of 1,000 files, and stat of each",
    "read": "open, read 1 KiB and close",
    "write8": "write 8 bytes to an open file",
    "pread": "read 100 bytes of an open file",
}


SEEN = {
    "stat": "stat of a file",
    "listdir": "listdir of 100 files",
    "read": "open, read 1 KiB and close",
}
"""What is asked for by the name space of a host that has looked before, of what another made."""


def cases(setting: Setting) -> list[Case]:
    """The name space, and instrumentation."""
    system = shutil.which("python3", path=SYSTEM_PATH)
    found = [_calls(setting, "instrumented", ["python3"], [python()])]
    if system is not None:
        found.insert(0, _calls(setting, "namespace", [system], [system]))
        found.append(_seen(setting, system))
    return found


def _calls(setting: Setting, kind: str, ours: Sequence[str], native: Sequence[str]) -> Case:
    prefix = f"context.{kind}."
    rows = tuple(Row(prefix + name, "s", f"{what}, by a program") for name, what in CALLS.items())
    count = str(setting.sized(1000, 100))

    def measured(output: bytes) -> Measured:
        return {prefix + name: values for name, values in json.loads(output).items()}

    def oneos() -> Measured:
        directory = f"{setting.cluster.session.home.decode()}/{setting.fresh()}"
        words = [*ours, "-c", programs.CONTEXT_CALLS, directory, count]
        return measured(setting.cluster.session.run([(setting.home, words)]))

    def plain() -> Measured:
        directory = str(setting.plain / setting.fresh())
        return measured(run_native([*native, "-c", programs.CONTEXT_CALLS, directory, count]))

    contenders: dict[str, Callable[[], Measured]] = {ONEOS: oneos, NATIVE: plain}
    return Case(rows, contenders, rounds_max=3)


def _seen(setting: Setting, system: str) -> Case:
    rows = tuple(
        Row(f"context.seen.{name}", "s", f"{what}, again, on another host than made it")
        for name, what in SEEN.items()
    )

    def measured(output: bytes) -> Measured:
        return {f"context.seen.{name}": values for name, values in json.loads(output).items()}

    def words(directory: str, step: str) -> list[str]:
        return [system, "-c", programs.SEEN_CALLS, directory, "100", step]

    def oneos() -> Measured:
        directory = f"{setting.cluster.session.home.decode()}/{setting.fresh()}"
        run = setting.cluster.session.run
        run([(setting.home, words(directory, "make"))])
        return measured(run([(setting.away, words(directory, "look"))]))

    def plain() -> Measured:
        directory = str(setting.plain / setting.fresh())
        run_native(words(directory, "make"))
        return measured(run_native(words(directory, "look")))

    contenders: dict[str, Callable[[], Measured]] = {ONEOS: oneos, NATIVE: plain}
    return Case(rows, contenders, rounds_max=3)
