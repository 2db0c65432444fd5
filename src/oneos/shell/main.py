"""One shell from its first line to its exit status: where commands come from.

A text (`-c`, a script) is parsed whole and run command by command. From standard input commands
run as they come; programs share the input with the shell, which therefore never reads past the
line it needs. A terminal gets the line editor (prompt.py). Loading the editor costs more than a
script, so it is imported only then.
"""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from oneos.errors import OneOSError
from oneos.limits import SCRIPT_BYTES_MAX, STREAM_BUFFER_BYTES
from oneos.local.client import Client
from oneos.local.console import FROM_HOST, Console
from oneos.shell import directories, jobs, signals
from oneos.shell.context import program_context
from oneos.shell.control import Control, Exit, Interrupted, Killed, Return, ShellError
from oneos.shell.descriptors import Descriptor
from oneos.shell.execute import INTERRUPTED_STATUS, Interpreter
from oneos.shell.parse import Parser
from oneos.shell.sources import read_script
from oneos.shell.state import SHELL_NUMBER_BASE, Session, Shell, Variable, decode


@dataclass(frozen=True)
class Source:
    """What to run: a text, a script by name, or (both None) the standard input."""

    text: str | None = None
    script: str | None = None
    name: str = "sh"
    arguments: Sequence[str] = ()


def run(
    socket_path: str, source: Source, *, user: str, options: str = "", login: bool = True
) -> int:
    """Run a shell to its end.

    Args:
        socket_path: of the Runtime.
        source: where the commands are.
        user: whose session it is.
        options: letters as for `set -`.
        login: take over Ctrl-C; false for a shell inside another program's thread.

    Returns:
        the exit status. Where a signal is to end the shell (Ctrl-C ended its program, or nobody
        reads what it prints), this process has ended by it.

    Raises:
        OneOSError: the session could not begin.
    """
    # First, before there are threads: the parser forks.
    parser = Parser()
    context = program_context()
    for number in context.ignored if context is not None else ():
        signal.signal(number, signal.SIG_IGN)
    program = (context.pid, context.token) if context is not None else None
    try:
        # The session lasts as long as this connection, which asks for nothing else: others
        # are broken off by Ctrl-C.
        with Client(socket_path, program) as login_client:
            shell = new_shell(login_client, parser, user)
            shell.options.update(options)
            shell.name = source.name
            shell.parameters = list(source.arguments)
            if login:
                shell.ignored = signals.inherited()
                signals.install(shell)
            if login and Console.available():
                told = {name: shell.get(name) or "" for name in FROM_HOST}
                shell.console = Console(shell.client, shell.complain, told)
            try:
                status = run_source(shell, source)
            finally:
                if shell.console is not None:
                    shell.console.close()
                shell.close()
    finally:
        parser.close()
    if shell.killed:
        signals.die(shell.killed)
    return status


def new_shell(login: Client, parser: Parser, user: str) -> Shell:
    """The state of a shell that begins a session.

    Args:
        login: begins the session, which lasts as long as its connection.
        parser: of the shell.
        user: whose session it is.

    Raises:
        OneOSError: the Runtime does not give one.
    """
    answer = login.call("session", {"user": user})
    session = Session(answer["sid"], answer["user"], answer["host"])
    client = login.join(session.user, session.sid)
    client.greeting = login.greeting
    shell = Shell(client, session, Interpreter(parser, SHELL_NUMBER_BASE + session.sid))
    context = program_context()
    if context is None:
        shell.pwd = decode(answer["home"])
        shell.cwd = directories.real(login, shell.pwd)
        told = {name: os.environ[name] for name in FROM_HOST if os.environ.get(name)}
        told |= {"HOME": shell.pwd, "HOST": session.host} | answer["env"]
        shell.variables = {name: Variable(value, exported=True) for name, value in told.items()}
    else:
        shell.cwd = context.cwd
        shell.variables = dict(context.variables)
        shell.pwd = directories.inherited(shell, login)
        shell.variables["PPID"] = Variable(str(context.ppid))
        shell.interpreter.number = context.pid
        shell.umask = os.umask(shell.umask)
        os.umask(shell.umask)
    shell.set("PWD", shell.pwd, exported=True)
    shell.variables["OPTIND"] = Variable("1")
    for fd in (0, 1, 2):
        shell.descriptors[fd] = Descriptor(fd, owned=False)
    return shell


def run_source(shell: Shell, source: Source) -> int:
    """Run all commands of a source, then the EXIT trap; the shell's status."""
    try:
        if source.text is not None:
            status = shell.interpreter.run_text(shell, source.text)
        elif source.script is not None:
            status = shell.interpreter.run_text(shell, _script(shell, source.script))
        elif os.isatty(0):
            from oneos.shell.prompt import interact

            shell.interactive = True
            status = interact(shell)
        else:
            status = _standard_input(shell)
    except Killed as ended:
        status, shell.killed = ended.status, ended.number
    except (Exit, Return) as ended:
        status = ended.status
    except ShellError as error:
        if not error.reported:
            shell.complain(error.message)
        status = error.status
    except OneOSError as error:
        shell.complain(error.message)
        status = 1
    except (Interrupted, KeyboardInterrupt):
        status, shell.killed = INTERRUPTED_STATUS, signal.SIGINT
    except Control:
        status = shell.status
    try:
        status = shell.interpreter.run_exit_trap(shell, status)
        _leave_jobs(shell)
    except (Interrupted, KeyboardInterrupt):
        status, shell.killed = INTERRUPTED_STATUS, signal.SIGINT
    return status


def _leave_jobs(shell: Shell) -> None:
    # Parts of the script that still run in threads would die with this process. Programs
    # do not: they are the Runtime's.
    waiting = [thread for thread in shell.interpreter.job_threads if thread.is_alive()]
    if waiting and shell.interactive:
        shell.complain(f"waiting for {len(waiting)} job(s) of this shell; Ctrl-C leaves them")
    for thread in waiting:
        thread.join()
    for job in shell.jobs:
        # A file that a job of programs still writes is committed when they have ended.
        if job.held and job.status is None:
            jobs.wait(shell, job)


def _script(shell: Shell, name: str) -> str:
    """The text of a script: a file of this host if there is one, else of the tree.

    For a shell that is a program itself there is only the tree.
    """
    if program_context() is not None or not os.path.isfile(name):
        try:
            return read_script(shell, name)
        except ShellError as error:
            error.status = 127 if "No such file" in error.message else 126
            raise
    try:
        with open(name, "rb") as file:
            data = file.read(SCRIPT_BYTES_MAX + 1)
    except OSError as error:
        raise ShellError(f"cannot open {name}: {error.strerror}", 126) from error
    if len(data) > SCRIPT_BYTES_MAX:
        raise ShellError(f"{name}: over {SCRIPT_BYTES_MAX} bytes: no script", 126)
    return decode(data)


# --- commands on standard input ----------------------------------------------------------------


def _standard_input(shell: Shell) -> int:
    try:
        offset = os.lseek(0, 0, os.SEEK_CUR)
    except OSError:
        return _from_pipe(shell)
    return _from_file(shell, offset)


def _from_file(shell: Shell, offset: int) -> int:
    """Commands in a file as standard input: parsed ahead, but before each command the file's
    position is put behind it, where a program that reads finds its input."""
    status = 0
    while True:
        data = bytearray()
        os.lseek(0, offset, os.SEEK_SET)
        while piece := os.read(0, STREAM_BUFFER_BYTES):
            data += piece
            if len(data) > SCRIPT_BYTES_MAX:
                raise ShellError(f"over {SCRIPT_BYTES_MAX} bytes of commands on standard input")
        script = shell.interpreter.parser.parse(decode(bytes(data)))
        ends = _line_ends(bytes(data))
        consumed = False
        for command in script.commands:
            position = offset + ends[command.end_line]
            os.lseek(0, position, os.SEEK_SET)
            status = shell.interpreter.run(shell, command.node)
            now = os.lseek(0, 0, os.SEEK_CUR)
            if now != position:
                offset, consumed = now, True
                break
        if not consumed:
            if script.error:
                raise ShellError(f"{script.error_line}: {script.error}")
            return status


def _line_ends(data: bytes) -> list[int]:
    """Where each line ends: item n is the length of the first n lines."""
    ends = [0]
    at = 0
    while (at := data.find(b"\n", at) + 1) > 0:
        ends.append(at)
    if ends[-1] != len(data):
        ends.append(len(data))
    return ends


def _from_pipe(shell: Shell) -> int:
    """Commands from a pipe: read byte by byte, for what follows belongs to the programs."""
    status = 0
    text = ""
    while True:
        line = _read_line()
        text += line
        if not line and not text:
            return status
        script = shell.interpreter.parser.parse(text)
        open_end = script.incomplete or (script.commands and script.commands[-1].at_end)
        if line.endswith("\n") and open_end:
            continue
        text = ""
        for command in script.commands:
            status = shell.interpreter.run(shell, command.node)
        if script.error:
            raise ShellError(script.error)
        if not line:
            return status


def _read_line() -> str:
    data = bytearray()
    while byte := os.read(0, 1):
        data += byte
        if byte == b"\n":
            break
        if len(data) > SCRIPT_BYTES_MAX:
            raise ShellError(f"a line of over {SCRIPT_BYTES_MAX} bytes on standard input")
    return decode(bytes(data))
