"""The table of builtins, and those that change the shell itself.

A builtin is a function of the state and its arguments that returns the status; its output goes
to the script's descriptors. `SPECIAL` are POSIX's special builtins: assignments before them stay,
and their errors end a script. What sh has and this shell does not is in the table too, as a
refusal. Builtins that print, read and test are in textio.py and conditions.py.
"""

import signal
from collections.abc import Callable

from oneos.errors import FileError
from oneos.shell import conditions, directories, jobs, textio
from oneos.shell.control import Break, Continue, Exit, Return, ShellError
from oneos.shell.signals import TRAPPABLE, kill_job, trap
from oneos.shell.sources import read_script
from oneos.shell.state import (
    OPTIONS,
    SHELL_NUMBER_BASE,
    Shell,
    Variable,
    decode,
    encode,
    is_name,
    plain,
)

Builtin = Callable[[Shell, list[str]], int]


def _number(name: str, arguments: list[str], default: int) -> int:
    if not arguments:
        return default
    if not arguments[0].isdigit():
        raise ShellError(f"{name}: Illegal number: {arguments[0]}")
    return int(arguments[0])


# --- leaving -----------------------------------------------------------------------------------


def _break(shell: Shell, arguments: list[str]) -> int:
    levels = _number("break", arguments, 1)
    if levels < 1:
        raise ShellError(f"break: Illegal number: {levels}")
    if shell.loops:
        raise Break(min(levels, shell.loops))
    return 0


def _continue(shell: Shell, arguments: list[str]) -> int:
    levels = _number("continue", arguments, 1)
    if levels < 1:
        raise ShellError(f"continue: Illegal number: {levels}")
    if shell.loops:
        raise Continue(min(levels, shell.loops))
    return 0


def _return(shell: Shell, arguments: list[str]) -> int:
    raise Return(_number("return", arguments, shell.status) & 0xFF)


def _exit(shell: Shell, arguments: list[str]) -> int:
    raise Exit(_number("exit", arguments, shell.status) & 0xFF)


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


# --- variables and options ---------------------------------------------------------------------


def _export(shell: Shell, arguments: list[str]) -> int:
    return _mark(shell, arguments, "export")


def _readonly(shell: Shell, arguments: list[str]) -> int:
    return _mark(shell, arguments, "readonly")


def _mark(shell: Shell, arguments: list[str], verb: str) -> int:
    if arguments and arguments[0] in ("-p", "--"):
        arguments = arguments[1:]
    if not arguments:
        for name, variable in sorted(shell.variables.items()):
            if variable.exported if verb == "export" else variable.readonly:
                value = "" if variable.value is None else "=" + plain(variable.value)
                shell.write(1, f"{verb} {name}{value}\n")
        return 0
    for argument in arguments:
        name, equals, value = argument.partition("=")
        _check_name(verb, name)
        if equals:
            shell.set(name, value)
        known = shell.variables.get(name, Variable())
        if verb == "export":
            shell.variables[name] = Variable(known.value, True, known.readonly)
        else:
            shell.variables[name] = Variable(known.value, known.exported, True)
    return 0


def _local(shell: Shell, arguments: list[str]) -> int:
    if not shell.locals_stack:
        raise ShellError("local: not in a function")
    for argument in arguments:
        name, equals, value = argument.partition("=")
        _check_name("local", name)
        shell.locals_stack[-1].setdefault(name, shell.variables.get(name))
        if equals:
            shell.set(name, value)
    return 0


def _check_name(verb: str, name: str) -> None:
    if not is_name(name):
        raise ShellError(f"{verb}: {name}: bad variable name")


def _unset(shell: Shell, arguments: list[str]) -> int:
    functions = False
    while arguments and arguments[0] in ("-f", "-v", "--"):
        functions = arguments[0] == "-f"
        arguments = arguments[1:]
    for name in arguments:
        if functions:
            shell.functions.pop(name, None)
            continue
        _check_name("unset", name)
        shell.unset(name)
    return 0


def _set(shell: Shell, arguments: list[str]) -> int:
    if not arguments:
        for name, variable in sorted(shell.variables.items()):
            if variable.value is not None:
                shell.write(1, f"{name}={plain(variable.value)}\n")
        return 0
    while arguments:
        word = arguments[0]
        if word == "--" or word == "-":
            shell.parameters = arguments[1:]
            return 0
        if word[:1] not in "+-" or len(word) < 2:
            shell.parameters = arguments
            return 0
        arguments = arguments[1:]
        for letter in word[1:]:
            if letter == "o":
                if not arguments:
                    _show_options(shell, restorable=word[0] == "+")
                    return 0
                name, arguments = arguments[0], arguments[1:]
                letter = _letter_of(name)
            elif letter not in OPTIONS or letter == "P":
                raise ShellError(f"set: {word[0]}{letter}: no such option in this version")
            if word[0] == "-":
                shell.options.add(letter)
            else:
                shell.options.discard(letter)
    return 0


def _letter_of(name: str) -> str:
    for letter, known in OPTIONS.items():
        if known == name:
            return letter
    raise ShellError(f"set: -o {name}: no such option in this version")


def _show_options(shell: Shell, *, restorable: bool) -> None:
    for letter, name in sorted(OPTIONS.items(), key=lambda item: item[1]):
        on = letter in shell.options
        if restorable:
            shell.write(1, f"set {'-' if on else '+'}o {name}\n")
        else:
            shell.write(1, f"{name:<15} {'on' if on else 'off'}\n")


def _shift(shell: Shell, arguments: list[str]) -> int:
    count = _number("shift", arguments, 1)
    if count > len(shell.parameters):
        raise ShellError("shift: can't shift that many")
    del shell.parameters[:count]
    return 0


def _getopts(shell: Shell, arguments: list[str]) -> int:
    if len(arguments) < 2:
        raise ShellError("getopts: usage: getopts OPTIONS NAME [WORD...]")
    letters, name = arguments[:2]
    words = arguments[2:] or shell.parameters
    silent = letters.startswith(":")
    letters = letters.removeprefix(":")
    index, within = int(shell.get("OPTIND") or 1), shell.option_index

    def result(letter: str, value: str | None, index: int, within: int, status: int = 0) -> int:
        shell.set("OPTIND", str(index))
        shell.option_index = within
        if value is None:
            shell.unset("OPTARG")
        else:
            shell.set("OPTARG", value)
        shell.set(name, letter)
        return status

    word = words[index - 1] if index <= len(words) else ""
    if not within:
        if not word.startswith("-") or word == "-":
            return result("?", None, index, 0, 1)
        if word == "--":
            return result("?", None, index + 1, 0, 1)
        within = 1
    letter = word[within : within + 1]
    following = (index, within + 1) if within + 1 < len(word) else (index + 1, 0)
    if letter == ":" or letter not in letters:
        if silent:
            return result("?", letter, *following)
        shell.complain_plain(f"Illegal option -{letter}")
        return result("?", None, *following)
    if letters[letters.index(letter) + 1 :][:1] != ":":
        return result(letter, None, *following)
    if word[within + 1 :]:
        return result(letter, word[within + 1 :], index + 1, 0)
    if index < len(words):
        return result(letter, words[index], index + 2, 0)
    if silent:
        return result(":", letter, index + 1, 0)
    shell.complain_plain(f"No arg for -{letter} option")
    return result("?", None, index + 1, 0)


# --- jobs and signals --------------------------------------------------------------------------


def _jobs(shell: Shell, arguments: list[str]) -> int:
    jobs.poll(shell)
    for job in shell.jobs:
        if arguments[:1] == ["-p"]:
            shell.write(1, f"{job.number}\n")
        else:
            shell.write(1, jobs.describe(job) + "\n")
    shell.jobs[:] = [job for job in shell.jobs if job.status is None]
    return 0


def _wait(shell: Shell, arguments: list[str]) -> int:
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


def _kill(shell: Shell, arguments: list[str]) -> int:
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
            continue
        if not argument.isdigit():
            shell.complain(f"kill: {argument}: no such job, and no PID")
            status = 1
            continue
        if int(argument) == shell.interpreter.number >= SHELL_NUMBER_BASE:
            raise ShellError("kill: this shell has no PID of the network; end it with exit", 1)
        try:
            if int(argument) >= SHELL_NUMBER_BASE:
                raise FileError(3)
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


def _trap(shell: Shell, arguments: list[str]) -> int:
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
    "break": _break,
    "cd": directories.cd,
    "command": _command,
    "continue": _continue,
    "echo": textio.echo,
    "eval": _eval,
    "exec": _exec,
    "exit": _exit,
    "export": _export,
    "false": lambda shell, arguments: 1,
    "getopts": _getopts,
    "hash": _colon,  # Commands are looked up by the Runtime each time: nothing to remember.
    "jobs": _jobs,
    "kill": _kill,
    "local": _local,
    "printf": textio.printf,
    "pwd": directories.pwd,
    "read": textio.read,
    "readonly": _readonly,
    "return": _return,
    "set": _set,
    "shift": _shift,
    "source": _dot,
    "test": conditions.test,
    "trap": _trap,
    "true": _colon,
    "type": _type,
    "umask": directories.umask,
    "unset": _unset,
    "wait": _wait,
    **{
        name: _refusal(name, why)
        for name, why in {
            "alias": "aliases are not in this version; a function does the same",
            "unalias": "aliases are not in this version",
            "bg": "there is no job control in this version; end a command with &",
            "fg": "there is no job control in this version; see wait",
            "fc": "history is the line editor's; use the arrow keys",
            "times": "not in this version; ps shows the times of programs",
            "ulimit": "limits are not in this version",
            "suspend": "there is no job control in this version",
        }.items()
    },
}
