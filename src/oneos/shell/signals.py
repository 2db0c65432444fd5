"""Ctrl-C and the other signals the shell itself receives.

While programs run in the foreground, SIGINT is theirs: it is forwarded to their PIDs, on
whatever host they are, and the shell waits on; where they are of the shell's own process group, the
kernel has told them already. Otherwise it interrupts what the shell does. A
signal with a trap is only noted; the executor runs the trap between two commands.
"""

import os
import signal
from collections.abc import Iterable
from types import FrameType

from oneos.errors import FileError, OneOSError
from oneos.local.client import Client
from oneos.shell.jobs import Job
from oneos.shell.state import Shell

TRAPPABLE = ("HUP", "INT", "QUIT", "TERM", "USR1", "USR2", "ALRM")


def forward_interrupt(client: Client, pids: Iterable[int]) -> None:
    """Send SIGINT to programs and what they started, as a terminal does: each leads a group.

    One that has ended, or a Runtime that is away, is no error.
    """
    # A connection of its own: the shell's is waiting for these programs.
    with client.clone() as other:
        for pid in pids:
            try:
                other.call("kill", -pid, int(signal.SIGINT))
            except OneOSError:
                pass


def inherited() -> frozenset[str]:
    """The signals that this process began with ignored, of those that a trap can be set for."""
    numbers = {name: getattr(signal, f"SIG{name}") for name in TRAPPABLE}
    return frozenset(n for n, x in numbers.items() if signal.getsignal(x) == signal.SIG_IGN)


def install(shell: Shell) -> None:
    """Take SIGINT over for a shell. Call it in the main thread."""
    if "INT" in shell.ignored:
        return

    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        foreground = shell.foreground
        action = shell.traps.get("INT")
        if action == "":
            return
        if action is not None:
            shell.pending_signals.append("INT")
        else:
            foreground.interrupted = True
        if foreground.deferred:
            foreground.late = True
            return
        if foreground.shared:
            return
        if foreground.pids:
            forward_interrupt(shell.client, list(foreground.pids))
        elif action is None or foreground.blocking:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, on_interrupt)


def die(number: int) -> None:
    """End this process by a signal: whoever waits for it may go by that."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def trap(shell: Shell, name: str, action: str | None) -> None:
    """Set what a signal does: run something, nothing (empty), or what it does by itself (None).

    In a subshell only noted, for its copies: the process's signals are the main shell's.
    """
    if action is None:
        shell.traps.pop(name, None)
    else:
        shell.traps[name] = action
    if shell.subshell or name in ("EXIT", "INT") or name in shell.ignored:
        return
    number = getattr(signal, f"SIG{name}")
    if action is None:
        signal.signal(number, signal.SIG_DFL)
    elif not action:
        signal.signal(number, signal.SIG_IGN)
    else:
        signal.signal(number, lambda _number, _frame: shell.pending_signals.append(name))


def kill_job(shell: Shell, job: Job, number: int) -> None:
    """Send a signal to a job: to its programs, and to the thread that runs script for it.

    Any signal but 0, and what it ignores, ends such a thread, before its next command.
    """
    pids = list(job.pids)
    if job.inner is not None and number not in (0, *job.inner.ignored_signals()):
        job.inner.foreground.interrupted = True
        pids = list(job.inner.foreground.pids)
    for pid in pids:
        try:
            shell.client.call("kill", pid, number)
        except FileError:
            pass  # It ended on its own.
