"""Compares a program that was moved with the same program undisturbed.

A program is stopped before its k-th instruction, its image is restored in a fresh interpreter, and
the output of both parts is compared with that of a run that nobody disturbed.

By hand: python -m tests.migration.python.harness PYTHON POINTS [PROGRAM ...]
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oneos.runtime.extensions import build
from tests.migration.python.warm import Warm

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
PACKAGES = Path(__file__).parents[3] / "src/oneos/guest/python"
HELPER = "helper_module"
MOVED = 75
RUN_S = 60
"""A program takes less than a second, on a machine that is not busy."""

BEFORE = 12
"""Instructions that the runner has a program do in any case."""

CHAIN_MAX = 40
CHAIN_MOVES = 10


@dataclass
class Run:
    """One process of a program."""

    status: int
    output: bytes
    errors: bytes
    report: dict[str, Any] = field(default_factory=dict)

    @property
    def why(self) -> str:
        text = str(self.report.get("failed") or self.report.get("refused") or "")
        return (text + self.errors.decode(errors="replace"))[-1500:] or f"status {self.status}"


class Subject:
    """A program, run by one interpreter."""

    def __init__(
        self, python: str, extension: str, program: Path, scratch: Path, warm: Warm | None = None
    ) -> None:
        self.python, self.extension, self.program = python, extension, program
        self.scratch = scratch
        self.warm = warm
        self._images = 0

    def plain(self) -> Run:
        """Without anything of ours."""
        command = [self.python, str(self.program)]
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment(),
            timeout=RUN_S,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def start(self, *how: str) -> Run:
        return self._run(*how, str(self._image()), str(self.program))

    def resume(self, *how: str) -> Run:
        old = self.scratch / f"image{self._images}"
        return self._run("--restore", str(old), *how, str(self._image()))

    def _image(self) -> Path:
        self._images += 1
        return self.scratch / f"image{self._images}"

    def _run(self, *arguments: str) -> Run:
        report = self.scratch / "report"
        report.unlink(missing_ok=True)
        words = [str(report), *arguments]
        done = self.warm.run(words, RUN_S) if self.warm else self._cold(words)
        if done is None:
            return Run(-1, b"", b"", {"failed": "it hangs; "})
        known = json.loads(report.read_text()) if report.exists() else {}
        return Run(*done, known)

    def _cold(self, words: list[str]) -> tuple[int, bytes, bytes] | None:
        try:
            done = subprocess.run(
                [*runner(self.python, self.extension), *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=environment(),
                timeout=RUN_S,
            )
        except subprocess.TimeoutExpired:
            return None
        return done.returncode, done.stdout, done.stderr


def environment() -> dict[str, str]:
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**keep, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def runner(python: str | Sequence[str], extension: str) -> list[str]:
    """The words that start `runner.py` with an interpreter."""
    words = [python] if isinstance(python, str) else python
    return [*words, str(HERE / "runner.py"), extension, str(PACKAGES)]


@dataclass
class Result:
    """What came of one program."""

    points: int = 0
    moved: int = 0
    ended: int = 0
    """It had ended before a moment was found at which it could move: right, but shows little."""
    hops: int = 0
    postponed: Counter[str] = field(default_factory=Counter)
    """Why it could not be captured where that was wanted, but only some instructions later."""
    failures: list[str] = field(default_factory=list)


def compare(subject: Subject, points: int, seed: int = 1, chains: int = 1) -> Result:
    """Move a program at some points, each in a run of its own; then many times in one run.

    Args:
        points: how many instructions, drawn at random.
        seed: of the draw.
        chains: runs in which it is moved ten times and more.
    """
    result = Result()
    expected = subject.plain()
    counted = subject.start("--steps", str(10**12))
    if "steps" not in counted.report or (counted.status, counted.output) != (
        expected.status,
        expected.output,
    ):
        result.failures.append(f"differs without being moved: {counted.why}")
        return result
    steps = int(counted.report["steps"])
    places = range(max(1, steps - BEFORE))
    chosen = sorted(random.Random(seed).sample(places, min(points, len(places))))
    for at in chosen:
        result.points += 1
        first = subject.start("--steps", str(at))
        result.postponed.update(first.report.get("postponed", [])[:1])
        if first.status == expected.status and first.output == expected.output:
            if "failed" in first.report:
                result.failures.append(f"at {at} of {steps}: {first.why}")
            result.ended += 1
            continue
        if first.status != MOVED:
            result.failures.append(f"at {at} of {steps}: not captured: {first.why}")
            continue
        second = subject.resume("--never", "0")
        if (second.status, first.output + second.output) != (expected.status, expected.output):
            result.failures.append(f"at {at} of {steps}: {second.why}")
        elif first.errors + second.errors != expected.errors:
            text = (first.errors + second.errors).decode()
            result.failures.append(f"at {at} of {steps}: other errors: {text}")
        else:
            result.moved += 1
    for number in range(chains):
        # Each at other instructions than the one before.
        step = steps // CHAIN_MOVES - number * max(1, steps // CHAIN_MOVES // (2 * chains))
        follow_chain(subject, expected, max(1, step), result)
    return result


def follow_chain(subject: Subject, expected: Run, step: int, result: Result) -> None:
    run = subject.start("--steps", str(step))
    output = run.output
    while run.status == MOVED and result.hops < CHAIN_MAX:
        result.hops += 1
        run = subject.resume("--steps", str(step))
        output += run.output
    if (run.status, output) != (expected.status, expected.output):
        result.failures.append(f"after {result.hops} moves: {run.why}")


def main(python: str, points: str, *names: str) -> None:
    extension = build(python, Path(tempfile.gettempdir()) / "oneos-extensions")
    if extension.path is None:
        sys.exit(extension.reason)
    chosen = names or sorted(path.name for path in PROGRAMS.glob("*.py") if path.stem != HELPER)
    words = runner(python, str(extension.path))
    with (
        tempfile.TemporaryDirectory() as scratch,
        Warm(words, environment(), Path(scratch)) as warm,
    ):
        for name in chosen:
            program = PROGRAMS / name
            subject = Subject(python, str(extension.path), program, Path(scratch), warm)
            result = compare(subject, int(points))
            print(
                f"{name:26} points {result.points:4} moved {result.moved:4} ended {result.ended:3}"
                f" hops {result.hops:3} FAILED {len(result.failures)}",
                flush=True,
            )
            for reason, count in result.postponed.most_common(8):
                print(f"     {count} times: {reason[:160]}", flush=True)
            for text in result.failures[:3]:
                first, *_, last = [*text.strip().splitlines(), ""][:1] + text.strip().splitlines()
                print("    ", first[:160], "...", last[:200], flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
