"""The shell at a terminal: the line editor, its history, and what a line leads to.

A line that the parser calls incomplete gets a second prompt. Ctrl-C clears the line, Ctrl-D ends
the shell. An error ends the line and never the shell. The history is a file of this host, for
this user alone (`~/.local/state/oneos/history`).
"""

import os
import signal

from prompt_toolkit import PromptSession
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.shortcuts import CompleteStyle

from oneos.errors import OneOSError
from oneos.shell import jobs
from oneos.shell.complete import TreeCompleter
from oneos.shell.control import Break, Continue, Exit, Interrupted, Return, ShellError
from oneos.shell.execute import INTERRUPTED_STATUS
from oneos.shell.state import Shell, explain


def interact(shell: Shell) -> int:
    """Read lines and run them, until `exit` or Ctrl-D; the status of the last.

    Raises:
        Exit: the line was, or ran, `exit`.
    """
    completer = TreeCompleter(shell)
    session: PromptSession[str] = PromptSession(
        history=_history(),
        completer=completer,
        complete_while_typing=False,
        # As in other shells: Tab fills in what is common, and lists the rest below.
        complete_style=CompleteStyle.READLINE_LIKE,
        editing_mode=EditingMode.EMACS,
    )
    warned = False
    if shell.console is not None:
        shell.console.shared = False
    # Ctrl-Z is for what the shell runs.
    signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    while True:
        _report_jobs(shell)
        _feed(session, shell)
        try:
            text = session.prompt(ANSI(_prompt(shell)))
            while _unfinished(shell, text):
                text += "\n" + session.prompt(shell.get("PS2") or "> ")
            _leave(session, shell)
        except KeyboardInterrupt:
            shell.status = INTERRUPTED_STATUS
            continue
        except EOFError:
            if _stays(shell, warned):
                warned = True
                continue
            completer.close()
            return shell.status
        try:
            run_line(shell, text)
        except Exit:
            if not _stays(shell, warned):
                raise
            warned = True
        else:
            warned = False


def _stays(shell: Shell, warned: bool) -> bool:
    """Whether the shell does not end yet: once, where jobs that are stopped would end with it."""
    if warned or not any(job.stopped and job.status is None for job in shell.jobs):
        return False
    shell.complain("jobs are stopped: see jobs, fg; once more ends them")
    return True


def _feed(session: PromptSession[str], shell: Shell) -> None:
    """Give the line editor what was typed at programs that did not read it."""
    typed = shell.console.take_typed() if shell.console is not None else b""
    if typed:
        keys: list[KeyPress] = []
        parser = Vt100Parser(keys.append)
        parser.feed_and_flush(typed.decode("utf-8", "replace"))
        store_typeahead(session.app.input, keys)


def _leave(session: PromptSession[str], shell: Shell) -> None:
    """Leave what was typed behind the line, as in a paste, for the programs that it starts."""
    if shell.console is not None:
        keys = get_typeahead(session.app.input)
        shell.console.keep_typed("".join(key.data for key in keys).encode())


def run_line(shell: Shell, text: str) -> None:
    """Run what was typed. Whatever goes wrong has been said when this returns.

    Raises:
        Exit: the shell is to end.
    """
    shell.foreground.interrupted = False
    try:
        shell.interpreter.run_text(shell, text)
    except ShellError as error:
        if not error.reported:
            shell.complain(error.message)
        shell.status = error.status
    except OneOSError as error:
        shell.complain(explain(error))
        shell.status = 1
    except (Break, Continue):
        pass
    except Return as returned:
        shell.status = returned.status
    except (Interrupted, KeyboardInterrupt):
        shell.foreground.interrupted = False
        shell.status = INTERRUPTED_STATUS
        shell.complain_plain("")
    shell.loops = 0


def _unfinished(shell: Shell, text: str) -> bool:
    with shell.foreground.unbroken():
        script = shell.interpreter.parser.parse(text + "\n")
    return script.incomplete or bool(script.commands and script.commands[-1].at_end)


def _prompt(shell: Shell) -> str:
    own = shell.get("PS1")
    if own is not None:
        return own
    network = shell.client.greeting.get("network") or "oneos"
    return f"{network}:{shell.pwd}$ "


def _report_jobs(shell: Shell) -> None:
    try:
        jobs.poll(shell)
    except OneOSError:
        return  # The next command will say it.
    for job in shell.jobs:
        if job.status is not None:
            shell.complain_plain(jobs.describe(shell, job))
    shell.jobs[:] = [job for job in shell.jobs if job.status is None]


def history_path() -> str:
    """The file of the lines typed at the prompt, on this host."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(state, "oneos", "history")


def _history() -> History:
    path = history_path()
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        # Lines may hold secrets that were typed by mistake.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    except OSError:
        return InMemoryHistory()
    return FileHistory(path)
