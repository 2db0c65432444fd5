"""The table of builtins, and those that leave something or run something.

A builtin is a function of the state and its arguments that returns the status; its output goes
to the script's descriptors. `SPECIAL` are POSIX's special builtins: assignments before them stay,
and their errors end a script. What sh has and this shell does not is in the table too, as a
refusal. The others are by kind in settings.py, processes.py, directories.py, textio.py and
conditions.py.
"""

from collections.abc import Callable

from oneos.errors import FileError
from oneos.shell import conditions, directories, processes, settings, textio
from oneos.shell.control import Break, Continue, Exit, Return, ShellError
from oneos.shell.settings import number_of
from oneos.shell.sources import read_script
from oneos.shell.state import Shell, decode, encode

Builtin = Callable[[Shell, list[str]], int]


# --- leaving -----------------------------------------------------------------------------------


def _break(shell: Shell, arguments: list[str]) -> int:
    levels = number_of("break", arguments, 1)
    if levels < 1:
        raise ShellError(f"break: Illegal number: {levels}")
    if shell.loops:
        raise Break(min(levels, shell.loops))
    return 0


def _continue(shell: Shell, arguments: list[str]) -> int:
    levels = number_of("continue", arguments, 1)
    if levels < 1:
        raise ShellError(f"continue: Illegal number: {levels}")
    if shell.loops:
        raise Continue(min(levels, shell.loops))
    return 0


def _return(shell: Shell, arguments: list[str]) -> int:
    raise Return(number_of("return", arguments, shell.status) & 0xFF)


def _exit(shell: Shell, arguments: list[str]) -> int:
    raise Exit(number_of("exit", arguments, shell.status) & 0xFF)


# --- running text ------------------------------------------------------------------------------


def _colon(shell: Shell, arguments: list[str]) -> int:
    return 0


def _eval(shell: Shell, arguments: list[str]) -> int:
    return shell.interpreter.run_text(shell, " ".join(arguments), shell.tested)


def _dot(shell: Shell, arguments: list[str]) -> int:
    if not arguments:
        raise ShellError(".: the name of a script is missing")
    text = read_script(shell, arguments[0])
    saved = shell.parameters
    if len(arguments) > 1:
        shell.parameters = arguments[1:]
    shell.sources_depth += 1
    try:
        return shell.interpreter.run_text(shell, text, shell.tested)
    except Return as returned:
        return returned.status
    finally:
        shell.sources_depth -= 1
        shell.parameters = saved


def _exec(shell: Shell, arguments: list[str]) -> int:
    raise ShellError("exec: cannot be run by another builtin")


def _command(shell: Shell, arguments: list[str]) -> int:
    verbose = ""
    while arguments and arguments[0] in ("-v", "-V", "-p", "--"):
        if arguments[0] in ("-v", "-V"):
            verbose = arguments[0]
        arguments = arguments[1:]
    if not arguments:
        return 0
    if verbose:
        return max(_locate(shell, name, brief=verbose == "-v") for name in arguments)
    try:
        return shell.interpreter.run_arguments(shell, arguments)
    except ShellError as error:
        # Under `command` a special builtin's error does not end the script.
        if not error.reported:
            shell.complain(error.message)
        return error.status


def _type(shell: Shell, arguments: list[str]) -> int:
    return max((_locate(shell, name, brief=False) for name in arguments), default=0)


def _locate(shell: Shell, name: str, *, brief: bool) -> int:
    if name in _KEYWORDS:
        what = "is a shell keyword"
    elif name in shell.functions and name not in SPECIAL:
        what = "is a shell function"
    elif name in SPECIAL:
        what = "is a special shell builtin"
    elif name in BUILTINS:
        what = "is a shell builtin"
    else:
        try:
            path = decode(shell.client.call("which", encode(name), encode(shell.cwd)))
        except FileError:
            if not brief:
                shell.complain_plain(f"{name}: not found")
            return 127
        shell.write(1, f"{path}\n" if brief else f"{name} is {path}\n")
        return 0
    shell.write(1, f"{name}\n" if brief else f"{name} {what}\n")
    return 0


_KEYWORDS = frozenset(
    {"!", "{", "}", "case", "do", "done", "elif", "else", "esac", "fi", "for", "if", "in"}
    | {"on", "then", "until", "while"}
)


# --- the table ---------------------------------------------------------------------------------


def _refusal(name: str, why: str) -> Builtin:
    def refuse(shell: Shell, arguments: list[str]) -> int:
        shell.complain(f"{name}: {why}")
        return 2

    return refuse


SPECIAL = frozenset(
    {".", ":", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return"}
    | {"set", "shift", "times", "trap", "unset"}
)

BUILTINS: dict[str, Builtin] = {
    ".": _dot,
    ":": _colon,
    "[": conditions.bracket,
    "bg": processes.background,
    "break": _break,
    "cd": directories.cd,
    "command": _command,
    "continue": _continue,
    "echo": textio.echo,
    "eval": _eval,
    "exec": _exec,
    "exit": _exit,
    "export": settings.export,
    "fg": processes.foreground,
    "false": lambda shell, arguments: 1,
    "getopts": settings.getopts,
    "hash": _colon,  # Commands are looked up by the Runtime each time: nothing to remember.
    "jobs": processes.list_jobs,
    "kill": processes.kill,
    "local": settings.local,
    "printf": textio.printf,
    "pwd": directories.pwd,
    "read": textio.read,
    "readonly": settings.readonly,
    "return": _return,
    "set": settings.set_,
    "shift": settings.shift,
    "source": _dot,
    "test": conditions.test,
    "trap": processes.set_trap,
    "true": _colon,
    "type": _type,
    "umask": directories.umask,
    "unset": settings.unset,
    "wait": processes.wait,
    **{
        name: _refusal(name, why)
        for name, why in {
            "alias": "aliases are not in this version; a function does the same",
            "unalias": "aliases are not in this version",
            "fc": "history is the line editor's; use the arrow keys",
            "times": "not in this version; ps shows the times of programs",
            "ulimit": "limits are not in this version",
            "suspend": "not in this version; exit, or open another terminal",
        }.items()
    },
}
