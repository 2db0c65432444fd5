"""Which OS processes the agents of this run are, written down for the next run.

A Runtime that is killed cannot end its agents. They are void all the same: the network counts them
as ended, and what they write is nobody's file any more. So the next run ends them before it does
anything else. A process is told from a later one of the same number by its start time, and both
from those before the host's last start by the boot's id.
"""

from __future__ import annotations

import logging
import os
import signal
from pathlib import Path

import psutil

log = logging.getLogger(__name__)


class RunRecords:
    """One small file an agent, in a directory of their own.

    Args:
        directory: made when it is not there.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def note(self, pid: int, os_pid: int) -> None:
        """Write down that agent `pid` is the OS process `os_pid`.

        Raises:
            OSError: the disk refuses.
        """
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._directory / str(pid)).write_text(f"{os_pid} {_identity(os_pid)}", encoding="ascii")

    def forget(self, pid: int) -> None:
        """The agent has ended and was reaped."""
        (self._directory / str(pid)).unlink(missing_ok=True)

    def end_orphans(self) -> list[int]:
        """Kill what is left of an earlier run; answers the agents' PIDs."""
        if not self._directory.is_dir():
            return []
        ended = []
        for path in self._directory.iterdir():
            number, _, identity = path.read_text(encoding="ascii", errors="replace").partition(" ")
            if number.isdigit() and identity and _identity(int(number)) == identity:
                log.warning("ending agent %s of an earlier run (process %s)", path.name, number)
                try:
                    _kill(int(number))
                    ended.append(int(path.name))
                except ProcessLookupError:
                    pass
            path.unlink(missing_ok=True)
        return ended


def _kill(os_pid: int) -> None:
    """End a process, with its group where it leads one."""
    if os.getpgid(os_pid) == os_pid:
        os.killpg(os_pid, signal.SIGKILL)
    else:
        os.kill(os_pid, signal.SIGKILL)


def _identity(os_pid: int) -> str:
    """What no other process has; empty when there is none of that number."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        # The name, in brackets, may have anything in it; what follows it are numbers.
        stat = Path(f"/proc/{os_pid}/stat").read_text(encoding="utf-8", errors="replace")
        return f"{boot} {stat.rpartition(')')[2].split()[19]}"
    except OSError:
        pass
    try:
        return str(psutil.Process(os_pid).create_time())
    except psutil.Error:
        return ""
