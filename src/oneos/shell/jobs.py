"""Jobs: what runs in the background of one shell, and what became of it.

A job is either programs the Runtime runs (known by their PIDs) or a part of the script that runs
in a thread of the shell. Both are waited for here; starting them is the executor's. At a terminal
a job of programs can be stopped, and go on in the foreground or in the background.
"""

import threading
from collections.abc import Sequence

from oneos.errors import OneOSError
from oneos.limits import SHELL_JOBS_MAX
from oneos.local.line import Job as TerminalJob
from oneos.shell.control import ShellError
from oneos.shell.descriptors import Descriptor
from oneos.shell.state import SHELL_NUMBER_BASE, Shell


class Job:
    """One background command.

    Args:
        index: the number in `%1`.
        text: the command, for `jobs`.
        pids: its programs; the last one's status is the job's.
        failed: what stands in for the last PID where the last program could not start.
        held: descriptors that stay open while its programs use them.
        at_terminal: the same job as the terminal has it.
    """

    def __init__(
        self,
        index: int,
        text: str,
        pids: Sequence[int] = (),
        failed: int | None = None,
        held: Sequence[Descriptor] = (),
        at_terminal: TerminalJob | None = None,
    ) -> None:
        self.index = index
        self.text = text
        self.pids = list(pids)
        self.failed = failed
        self.held = list(held)
        self.at_terminal = at_terminal
        self.stopped = False
        self.thread: threading.Thread | None = None
        self.inner: Shell | None = None
        self.status: int | None = None
        self.number = pids[-1] if pids else 2 * SHELL_NUMBER_BASE + index

    def finish(self, shell: Shell, status: int) -> None:
        """Note the end."""
        self.status = status
        shell.release(self.take_held())

    def take_held(self) -> list[Descriptor]:
        """Hand the duty to release its descriptors over to the caller."""
        held, self.held = self.held, []
        return held


def add(shell: Shell, job: Job) -> None:
    """Enter a job into the shell's table; makes it `$!`."""
    shell.jobs.append(job)
    shell.last_background = job.number


def next_index(shell: Shell) -> int:
    """The number of the next job.

    Raises:
        ShellError: the shell has too many.
    """
    # Ended jobs that nobody waited for: scripts start thousands and never call `wait`.
    if len(shell.jobs) >= SHELL_JOBS_MAX:
        poll(shell)
        shell.jobs[:] = [job for job in shell.jobs if job.status is None]
    if len(shell.jobs) >= SHELL_JOBS_MAX:
        raise ShellError(f"{SHELL_JOBS_MAX} jobs run in the background already: wait for some")
    return max((job.index for job in shell.jobs), default=0) + 1


def poll(shell: Shell) -> None:
    """Note which jobs have ended, without waiting."""
    for job in shell.jobs:
        if job.status is not None:
            continue
        if job.thread is not None:
            # Its thread notes the status itself, as its last act.
            continue
        statuses = shell.client.call("poll", job.pids) if job.pids else []
        was, job.stopped = job.stopped, any(x is not None and x < 0 for x in statuses)
        if job.stopped and not was and shell.interactive:
            # In the background it was stopped for reading, or by somebody else.
            report(shell, job)
        if all(status is not None and status >= 0 for status in statuses):
            job.finish(shell, job.failed if job.failed is not None else statuses[-1])


def wait(shell: Shell, job: Job) -> int:
    """Wait for one job; its status.

    Raises:
        KeyboardInterrupt: Ctrl-C; the job goes on.
    """
    if job.thread is not None:
        job.thread.join()
    elif job.status is None:
        try:
            statuses = shell.client.call("wait", job.pids) if job.pids else []
        except OneOSError as error:
            shell.complain(error.message)
            statuses = [1]
        job.finish(shell, job.failed if job.failed is not None else statuses[-1])
    return 0 if job.status is None else job.status


def find(shell: Shell, text: str) -> Job | None:
    """The job that `%1`, `%%`, `%name` or a number of `$!` names; None where none does."""
    if not text.startswith("%"):
        return next((job for job in shell.jobs if text == str(job.number)), None)
    name = text[1:]
    if name in ("", "%", "+"):
        return shell.jobs[-1] if shell.jobs else None
    if name == "-":
        return shell.jobs[-2] if len(shell.jobs) > 1 else None
    if name.isdigit():
        return next((job for job in shell.jobs if job.index == int(name)), None)
    return next((job for job in shell.jobs if job.text.startswith(name)), None)


def stopped(shell: Shell, job: TerminalJob, text: str) -> None:
    """Enter a job that was stopped in the foreground."""
    known = next((each for each in shell.jobs if each.at_terminal is job), None)
    if known is None:
        known = Job(next_index(shell), text, list(job.pids), at_terminal=job)
    else:
        shell.jobs.remove(known)
    known.stopped = True
    # The last one is what `fg` is for.
    shell.jobs.append(known)


def report(shell: Shell, job: Job) -> None:
    """Tell a person about a job."""
    shell.complain_plain("\n" * job.stopped + describe(shell, job))


def describe(shell: Shell, job: Job) -> str:
    """A job as `jobs` prints it."""
    if job.status is None:
        state = "Stopped" if job.stopped else "Running"
    elif job.status == 0:
        state = "Done"
    elif job.status > 128:
        state = f"Signal {job.status - 128}"
    else:
        state = f"Done({job.status})"
    last = [find(shell, "%+"), find(shell, "%-")]
    mark = "+" if job is last[0] else "-" if job is last[1] else " "
    return f"[{job.index}]{mark}  {state:<12} {job.text}"
