"""Whole pipelines: which stages are programs, how they are joined, started and waited for.

All programs of a pipeline go to the Runtime in one `spawn`, so that it can place them together
and join two on the same host by a kernel pipe, two on different hosts by one direct connection.
What only the shell can run (builtins, functions, loops), or can expand only while the pipeline
runs (`$(...)` reads the pipe), runs in a thread of the shell on a pipe of this process.
"""

import signal
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from oneos.errors import FileError, OneOSError
from oneos.limits import LOCAL_FDS_MAX
from oneos.local.console import FORGET, KEEP, SAVE, Console
from oneos.local.line import Job
from oneos.shell import expand, jobs, nodes, show
from oneos.shell.control import ShellError
from oneos.shell.descriptors import Descriptor, pipe
from oneos.shell.redirect import End, Ends, PipeEnd
from oneos.shell.signals import forward_interrupt
from oneos.shell.state import Shell, encode, explain

NOT_FOUND, NOT_EXECUTABLE, FAILED_REDIRECTION = 127, 126, 2


@dataclass
class Program:
    """One program to start."""

    arguments: list[str]
    constraints: list[str]
    environment: dict[bytes, bytes]
    cwd: str
    ends: Ends


@dataclass(frozen=True)
class Started:
    """What became of it: a PID, or the status that stands for why there is none."""

    pid: int | None
    status: int = 0


PLACES = ("host", "tag", "device", "machine")
"""What a program can be placed by: a host's name, a tag, a device that hangs on the host, or what
kind of machine it is (as uname -m has it)."""


INTERRUPTED = 128 + signal.SIGINT
STOPPED = 128 + signal.SIGTSTP


def split_on(arguments: list[str]) -> tuple[list[str], list[str]]:
    """`on host:pi1 tag:x cmd ...` as its constraints and the command.

    Raises:
        ShellError: there is no constraint, one that means nothing, or no command.
    """
    at = 1
    constraints = []
    while at < len(arguments) and ":" in arguments[at]:
        kind, _, name = arguments[at].partition(":")
        if kind not in PLACES or not name:
            break
        constraints.append(arguments[at])
        at += 1
    if not constraints:
        given = f"'{arguments[at]}'" if at < len(arguments) else "nothing"
        raise ShellError(
            f"on: host:NAME, tag:NAME, device:NAME or machine:KIND comes first, not {given}"
        )
    if at == len(arguments):
        raise ShellError(f"on: no command after {constraints[-1]}")
    return constraints, arguments[at:]


def start(
    shell: Shell, programs: Sequence[Program], job: Job | None, *, foreground: bool
) -> list[Started]:
    """Start programs together; says on their standard error why one could not start.

    Args:
        job: at the terminal, the one that they belong to.
        foreground: whether it is to have the terminal's keys.

    Raises:
        ShellError: they need more descriptors than one request carries.
    """
    fds: list[int] = []
    stages = []
    for program in programs:
        stages.append(
            {
                "argv": [encode(argument) for argument in program.arguments],
                "env": program.environment,
                "cwd": encode(program.cwd),
                "umask": shell.umask,
                "ignored": shell.ignored_signals(),
                "on": program.constraints,
                "io": program.ends.wire(fds),
            }
        )
    if len(fds) > LOCAL_FDS_MAX:
        raise ShellError(
            f"a pipeline with {len(fds)} descriptors of the shell: at most {LOCAL_FDS_MAX}", 1
        )
    request: dict[str, Any] = {"sid": shell.session.sid, "stages": stages}
    if shell.console is not None and job is not None:
        request["job"] = shell.console.wire(job, foreground=foreground)
    entries = shell.client.call("spawn", request, fds=fds)
    if shell.console is not None and job is not None:
        shell.console.join(job, entries)
    started = []
    for program, entry in zip(programs, entries, strict=True):
        if "pid" in entry:
            started.append(Started(entry["pid"]))
            continue
        status = entry.get("status", 1)
        program.ends.complain(_reason(program.arguments[0], entry, status))
        # dash gives 2 for a file that cannot be opened, the protocol 1: scripts know dash's.
        started.append(Started(None, status if status in (126, 127) else FAILED_REDIRECTION))
    return started


def _reason(name: str, entry: dict[str, object], status: int) -> str:
    hint = f" ({entry['hint']})" if entry.get("hint") else ""
    if status == NOT_FOUND and not hint:
        return f"{name}: not found"
    message = str(entry.get("message") or "cannot be run")
    return (message if message.startswith(name) else f"{name}: {message}") + hint


def wait_for(shell: Shell, started: Sequence[Started]) -> list[int]:
    """Wait until all have ended; their statuses in order."""
    pids = [each.pid for each in started if each.pid is not None]
    ended = iter(shell.client.call("wait", pids) if pids else [])
    return [each.status if each.pid is None else next(ended) for each in started]


def run_programs(shell: Shell, programs: Sequence[Program], node: nodes.Node | None) -> list[int]:
    """Start programs in the foreground and wait for them; their statuses.

    Args:
        node: what they are all of, as a job that can be stopped; None where they are not.
    """
    console = shell.console
    job = console.new_job(foreground=True) if console is not None else None
    foreground = shell.foreground
    with foreground.lock:
        foreground.deferred += 1
    pids: set[int] = set()
    try:
        started = start(shell, programs, job, foreground=True)
        pids = {each.pid for each in started if each.pid is not None}
    finally:
        shared = job is not None and job.own
        with foreground.lock:
            if shared:
                foreground.shared += 1
            else:
                foreground.pids |= pids
            foreground.deferred -= 1
            late = foreground.late or foreground.interrupted
            if not foreground.deferred:
                foreground.late = False
    try:
        if late:
            forward_interrupt(shell.client, pids)
        for program in programs:
            program.ends.release()
        if console is None or job is None or not job.pids:
            return wait_for(shell, started)
        console.enter(job)
        ended = at_terminal(shell, console, job, show.command(node) if node else None)
        return [each.status if each.pid is None else ended[each.pid] for each in started]
    finally:
        with foreground.lock:
            foreground.pids -= pids
            foreground.shared -= shared


def at_terminal(shell: Shell, console: Console, job: Job, text: str | None) -> dict[int, int]:
    """Wait for a job that has the terminal, and take it back.

    Args:
        text: the command, for one that can be stopped.

    Returns:
        The statuses by PID; those of programs that were stopped as sh has it.
    """
    modes = FORGET
    try:
        while True:
            found = console.wait(shell.client, job)
            ended = {pid: status for pid, status in found.items() if status is not None}
            if len(ended) == len(found) and min(ended.values()) >= 0:
                if INTERRUPTED in ended.values():
                    _interrupted(shell)
                modes = FORGET if any(ended.values()) else KEEP
                return ended
            if not shell.interactive and not shell.subshell:
                # A script is one job of the shell that started it, which learns of this.
                console.suspend(shell.client, job)
            elif text is None or shell.subshell:
                # Nobody could have the rest of it go on.
                shell.complain("a job that is in part this shell's own goes on")
                console.go_on(shell.client, job, foreground=True)
            else:
                modes = SAVE
                jobs.stopped(shell, job, text)
                statuses = {pid: ended.get(pid, -signal.SIGTSTP) for pid in found}
                return {pid: 128 - x if x < 0 else x for pid, x in statuses.items()}
    finally:
        console.leave(job, modes)
        if modes == SAVE:
            jobs.report(shell, shell.jobs[-1])


def _interrupted(shell: Shell) -> None:
    """Ctrl-C ended a program: it was meant for the script, too."""
    action = shell.traps.get("INT")
    if action:
        shell.pending_signals.append("INT")
    elif action is None:
        shell.foreground.interrupted = True


# --- pipelines of several stages ---------------------------------------------------------------


def run(shell: Shell, whole: nodes.Pipeline, tested: bool) -> int:
    """Run a pipeline in the foreground; its status is the last stage's (see pipefail)."""
    stages = whole.stages
    planned = [plan(shell, stage, index, len(stages)) for index, stage in enumerate(stages)]
    threads: list[_StageThread] = []
    opened: list[Descriptor] = []
    try:
        inputs: dict[int, Descriptor] = {}
        outputs: dict[int, Descriptor] = {}
        for link in range(len(stages) - 1):
            left, right = planned[link], planned[link + 1]
            if left is not None and right is not None:
                continue
            reading, writing = pipe()
            opened += [reading, writing]
            outputs[link], inputs[link + 1] = writing, reading
            for program, end in ((left, writing), (right, reading)):
                if program is not None:
                    program.ends.resolve(link, end)
        for index, stage in enumerate(stages):
            if planned[index] is None:
                thread = _StageThread(shell, stage, tested, inputs.get(index), outputs.get(index))
                threads.append(thread)
        programs = [program for program in planned if program is not None]
        for thread in threads:
            thread.start()
        # Ends of the pipes that only this function still holds would keep them from ending.
        if programs:
            # The programs' own copies of the pipes were made when the request was sent.
            programs[0].ends.hold(opened)
            statuses = run_programs(shell, programs, None if threads else whole)
        else:
            shell.release(opened)
            statuses = []
        opened = []
    finally:
        shell.release(opened)
        for program in planned:
            if program is not None:
                program.ends.release()
        for thread in threads:
            thread.join()
    of_programs, of_threads = iter(statuses), iter(threads)
    ordered = [
        next(of_threads).status if program is None else next(of_programs) for program in planned
    ]
    if shell.foreground.interrupted and INTERRUPTED in ordered:
        # Ctrl-C reaches one program after the other: what stands behind one that it ended may
        # see the end of its input first, and end in peace.
        return INTERRUPTED
    if "P" in shell.options:
        return next((status for status in reversed(ordered) if status), 0)
    return ordered[-1]


def plan(shell: Shell, stage: nodes.Node, index: int, count: int) -> Program | None:
    """The program that a stage of a pipeline is; None for what the shell must run itself."""
    if not isinstance(stage, nodes.Simple) or _substitutes(stage):
        return None
    replaced: dict[int, End] = {}
    if index > 0:
        replaced[0] = PipeEnd(index - 1)
    if index < count - 1:
        replaced[1] = PipeEnd(index)
    # Each stage is a subshell: what its expansions assign stays there.
    inner = shell.copy()
    ends = None
    try:
        arguments = expand.fields(inner, stage.words)
        if not arguments or not shell.interpreter.is_program(shell, arguments[0]):
            return None
        constraints: list[str] = []
        if arguments[0] == "on":
            constraints, arguments = split_on(arguments)
        ends = Ends(shell, replaced)
        ends.apply(stage.redirections)
        ends.check()
        shell.interpreter.assign(inner, stage.assignments, exported=True)
        if isinstance(ends.end(2), PipeEnd):
            # The Runtime's pipe cannot carry our own message that the command is not there.
            shell.client.call("which", encode(arguments[0]), encode(shell.cwd))
        program = Program(arguments, constraints, inner.environment(), inner.cwd, ends)
        shell.interpreter.trace(inner, stage, arguments, constraints)
        return program
    except (ShellError, FileError):
        # A thread of the shell meets the same error, and reports it where it belongs.
        if ends is not None:
            ends.release()
        return None
    finally:
        inner.close()


def _substitutes(stage: nodes.Simple) -> bool:
    words = [*stage.words, *(a.word for a in stage.assignments)]
    words += [redirection.word for redirection in stage.redirections]
    return any(_has_substitution(word) for word in words)


def _has_substitution(word: nodes.Word) -> bool:
    for part in word:
        if isinstance(part, nodes.Substitution):
            return True
        inner: nodes.Word = []
        if isinstance(part, nodes.Parameter):
            inner = part.word
        elif isinstance(part, nodes.Arithmetic):
            inner = part.expression
        elif isinstance(part, nodes.Quoted):
            inner = part.parts
        if inner and _has_substitution(inner):
            return True
    return False


class _StageThread(threading.Thread):
    """A stage that the shell runs itself, as a subshell with a connection of its own."""

    def __init__(
        self,
        shell: Shell,
        stage: nodes.Node,
        tested: bool,
        reading: Descriptor | None,
        writing: Descriptor | None,
    ) -> None:
        super().__init__(name="stage", daemon=True)
        self._stage = stage
        self._tested = tested
        self._shell = shell.copy(client=shell.client.clone())
        for fd, end in ((0, reading), (1, writing)):
            if end is not None:
                self._shell.release([self._shell.descriptors.pop(fd)])
                self._shell.descriptors[fd] = end.acquire()
        self.status = 1

    def run(self) -> None:
        self.status = run_in_thread(self._shell, self._stage, self._tested)


def run_in_thread(shell: Shell, node: nodes.Node, tested: bool) -> int:
    """Run a subshell to its end and close it; the body of every thread that runs script."""
    status = 1
    try:
        status = shell.interpreter.run_subshell(shell, node, tested)
    except OneOSError as error:
        shell.complain(explain(error))
    finally:
        if not shell.close() and status == 0:
            status = 1
    return status
