"""What everything that a test has started is waiting for, when a command does not end."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        return f"({error.strerror})"


def _descriptors(process: Path) -> str:
    try:
        numbers = sorted(map(int, os.listdir(process / "fd")))
    except OSError as error:
        return f"({error.strerror})"
    links = []
    for number in numbers[:24]:
        try:
            links.append(f"{number}={os.readlink(process / 'fd' / str(number))}")
        except OSError:
            pass
    return " ".join(links)


def _descendants(ancestors: Iterable[psutil.Process]) -> Iterator[psutil.Process]:
    for ancestor in ancestors:
        try:
            yield from ancestor.children(recursive=True)
        except psutil.NoSuchProcess:
            pass


def describe(others: Iterable[psutil.Process] = ()) -> str:
    """All descendants of this process: what they are, wait for in the kernel, and have open.

    Args:
        others: processes that left it, whose descendants count as well.
    """
    lines = []
    for child in _descendants([psutil.Process(), *others]):
        process = Path("/proc", str(child.pid))
        command = _read(process / "cmdline").replace("\0", " ")
        state = _read(process / "stat").rpartition(")")[2].split()[:2]
        lines.append(f"{child.pid} {' '.join(state)} {command[:160]}")
        threads = sorted(process.glob("task/*/wchan"))
        lines.append("    waits: " + " ".join(_read(path) for path in threads))
        lines.append("    has: " + _descriptors(process))
    return "\n".join(lines)
