"""A pseudo-terminal of a session as its client has it, and what runs there as one job.

The client asks for a marker to be written behind what a job wrote; here it is taken out again of
what is shown. tests/unit/shell/test_console.py shows it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field


@dataclass
class Line:
    """One pseudo-terminal: where its keys go to and its screen comes from."""

    number: int
    host: str
    keys: int
    screen: int
    secret: bytes = field(default_factory=lambda: b"\x1b]7770;" + secrets.token_hex(8).encode())
    asked: int = 0
    seen: int = 0
    kept: bytes = b""
    broken: bool = False
    raw: bool = False
    """Whether a program there was seen to read keys, and not lines."""

    def marker(self) -> bytes:
        """A new marker, which `strip` then takes out of what is shown."""
        self.asked += 1
        return self.secret + b";%d\a" % self.asked

    def strip(self, data: bytes) -> bytes:
        """What is to be shown of what came. Its end may wait for what may be a marker."""
        data, self.kept = self.kept + data, b""
        while self.seen < self.asked:
            marker = self.secret + b";%d\a" % (self.seen + 1)
            at = data.find(marker)
            if at < 0:
                # What begins as a marker does stays back until it is one, or none.
                for count in range(min(len(marker) - 1, len(data)), 0, -1):
                    if data.endswith(marker[:count]):
                        data, self.kept = data[:-count], data[-count:]
                        break
                break
            self.seen += 1
            data = data[:at] + data[at + len(marker) :]
        return data


@dataclass
class Job:
    """Programs that are one job at the terminal.

    Args:
        number: of the job; parts of one that are started apart have the same.
        keys: whether what is typed goes to it; else this process itself reads the terminal.
    """

    number: int
    keys: bool = True
    lines: list[Line] = field(default_factory=list)
    first: int = 0
    """Which is the first of its lines whose programs have not all ended, as far as is known."""
    own: bool = False
    """Whether its programs are at the terminal of this process, and of its process group."""
    pids: dict[int, int] = field(default_factory=dict)
    """The terminal's number of each program, in the order of the pipeline."""

    def of(self, line: Line) -> list[int]:
        """Its programs at one terminal."""
        return [pid for pid, number in self.pids.items() if number == line.number]
