"""An interpreter that forks for each program: `runner.py` in its last form, and its client.

A fork has run nothing of any program and holds nothing of the others, as a fresh interpreter. It
costs a few milliseconds, and that takes ten times as long.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

END_S = 60


class Warm:
    """From `with` to its end.

    Args:
        command: what starts `runner.py`.
        environment: of all programs.
        scratch: a directory for what they print.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str], scratch: Path) -> None:
        self._output, self._errors = scratch / "output", scratch / "errors"
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def __enter__(self) -> Warm:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(END_S)

    def run(self, words: Sequence[str], limit_s: float) -> tuple[int, bytes, bytes] | None:
        """Run one program to its end: status, output, errors; None if it did not end in time."""
        for path in (self._output, self._errors):
            path.write_bytes(b"")
        assert self._process.stdin and self._process.stdout
        request = [limit_s, str(self._output), str(self._errors), *words]
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        if answer == "late":
            return None
        return int(answer), self._output.read_bytes(), self._errors.read_bytes()
