"""The builtins about what runs: `jobs`, `fg`, `bg`, `wait`, `kill`, `trap`.

Programs are known by PIDs of the network; jobs that are threads of this shell by numbers that
no program has (see SHELL_NUMBER_BASE). What a signal does to the shell itself is in signals.py.
"""

import errno
import signal

from oneos.errors import FileError
from oneos.local.console import Console
from oneos.shell import jobs, pipeline
from oneos.shell.control import ShellError
from oneos.shell.signals import TRAPPABLE, kill_job, trap
from oneos.shell.state import SHELL_NUMBER_BASE, Shell, plain


def list_jobs(shell: Shell, arguments: list[str]) -> int:
    """List the jobs of this shell; those that ended are listed once."""
    jobs.poll(shell)
    for job in shell.jobs:
        if arguments[:1] == ["-p"]:
            shell.write(1, f"{job.number}\n")
        else:
            shell.write(1, jobs.describe(shell, job) + "\n")
    shell.jobs[:] = [job for job in shell.jobs if job.status is None]
    return 0


def foreground(shell: Shell, arguments: list[str]) -> int:
    """Have a job go on in the foreground; its status."""
    job, console = _of_terminal(shell, "fg", arguments)
    assert job.at_terminal is not None
    shell.write(1, job.text + "\n")
    job.stopped = False
    console.resume(shell.client, job.at_terminal)
    ended = pipeline.at_terminal(shell, console, job.at_terminal, job.text)
    if job.stopped:
        return pipeline.STOPPED
    shell.jobs.remove(job)
    status = job.failed if job.failed is not None else ended[job.pids[-1]]
    job.finish(shell, status)
    return shell.interpreter.after_wait(shell, status)


def background(shell: Shell, arguments: list[str]) -> int:
    """Have jobs that were stopped go on in the background."""
    for argument in arguments or ["%+"]:
        job, console = _of_terminal(shell, "bg", [argument])
        assert job.at_terminal is not None
        job.stopped = False
        shell.write(1, f"[{job.index}] {job.text}\n")
        console.go_on(shell.client, job.at_terminal, foreground=False)
    return 0


def _of_terminal(shell: Shell, name: str, arguments: list[str]) -> tuple[jobs.Job, Console]:
    jobs.poll(shell)
    wanted = arguments[0] if arguments else "%+"
    job = jobs.find(shell, wanted if wanted.startswith("%") else f"%{wanted}")
    if shell.console is None or not shell.interactive:
        raise ShellError(f"{name}: there is no job control without a terminal and a prompt", 1)
    if job is None or job.status is not None:
        raise ShellError(f"{name}: {wanted}: no such job", 1)
    if job.at_terminal is None:
        raise ShellError(f"{name}: {wanted} is a part of this shell; see wait", 1)
    return job, shell.console


def wait(shell: Shell, arguments: list[str]) -> int:
    """Wait for jobs, all or those named; the last one's status."""
    with shell.foreground.blocked():
        return _wait_for(shell, arguments)


def _wait_for(shell: Shell, arguments: list[str]) -> int:
    if not arguments:
        for job in shell.jobs:
            jobs.wait(shell, job)
        shell.jobs.clear()
        return 0
    status = 0
    for argument in arguments:
        target = jobs.find(shell, argument)
        if target is None:
            if not argument.lstrip("%").isdigit() and not argument.startswith("%"):
                raise ShellError(f"wait: Illegal number: {argument}")
            status = 127
            continue
        status = jobs.wait(shell, target)
        shell.jobs.remove(target)
    return status


def kill(shell: Shell, arguments: list[str]) -> int:
    """Send a signal to programs and jobs; `-l` lists signals."""
    name = "TERM"
    if arguments[:1] == ["-l"]:
        return _signal_names(shell, arguments[1:])
    if arguments[:1] == ["-s"] and len(arguments) > 1:
        name, arguments = arguments[1], arguments[2:]
    elif arguments and arguments[0].startswith("-") and arguments[0] != "--":
        name, arguments = arguments[0][1:], arguments[1:]
    if arguments[:1] == ["--"]:
        arguments = arguments[1:]
    number = _signal_number(name)
    if not arguments:
        raise ShellError("kill: usage: kill [-SIGNAL] PID|%JOB ...")
    status = 0
    for argument in arguments:
        target = jobs.find(shell, argument)
        if target is not None:
            kill_job(shell, target, number)
            held_up = target.stopped and number in (signal.SIGTERM, signal.SIGHUP)
            if held_up and target.at_terminal and shell.console:
                # It could not end before it goes on.
                shell.console.go_on(shell.client, target.at_terminal, foreground=False)
            continue
        if not argument.isdigit():
            shell.complain(f"kill: {argument}: no such job, and no PID")
            status = 1
            continue
        if int(argument) == shell.interpreter.number >= SHELL_NUMBER_BASE:
            raise ShellError("kill: this shell has no PID of the network; end it with exit", 1)
        try:
            if int(argument) >= SHELL_NUMBER_BASE:
                raise FileError(errno.ESRCH)
            shell.client.call("kill", int(argument), number)
        except FileError as error:
            shell.complain(f"kill: {argument}: {error.message.split(': ')[-1]}")
            status = 1
    return status


def _signal_number(name: str) -> int:
    if name.isdigit() and int(name) < signal.NSIG:
        return int(name)
    try:
        return int(signal.Signals[f"SIG{name.upper().removeprefix('SIG')}"])
    except KeyError:
        raise ShellError(f"kill: {name}: no such signal; kill -l lists them") from None


def _signal_names(shell: Shell, arguments: list[str]) -> int:
    if not arguments:
        names = [each.name[3:] for each in signal.Signals if "_" not in each.name]
        shell.write(1, "\n".join(names) + "\n")
    for argument in arguments:
        try:
            number = int(argument)
            name = signal.Signals(number - 128 if number > 128 else number).name
        except ValueError:
            raise ShellError(f"kill: {argument}: no such signal") from None
        shell.write(1, name[3:] + "\n")
    return 0


def set_trap(shell: Shell, arguments: list[str]) -> int:
    """Set what signals and the end of the shell do; without arguments, list that."""
    if arguments[:1] == ["--"]:
        arguments = arguments[1:]
    if not arguments:
        for name, action in shell.traps.items():
            shell.write(1, f"trap -- {plain(action)} {name}\n")
        return 0
    names = arguments[1:]
    chosen: str | None = arguments[0]
    if not names:
        names, chosen = arguments, None
    elif chosen == "-":
        chosen = None
    for name in names:
        trap(shell, _trap_name(name), chosen)
    return 0


def _trap_name(name: str) -> str:
    upper = name.upper().removeprefix("SIG")
    if upper in ("EXIT", "0"):
        return "EXIT"
    if upper.isdigit():
        try:
            upper = signal.Signals(int(upper)).name[3:]
        except ValueError:
            pass
    if upper not in TRAPPABLE:
        raise ShellError(f"trap: {name}: bad trap (EXIT {' '.join(TRAPPABLE)} can be set)", 1)
    return upper
