"""The builtins about variables, options and parameters: `export`, `set`, `shift`, `getopts`, ...

They change the state of the shell and nothing else. Names and numbers that are none are errors
that end a script, as of all special builtins.
"""

from oneos.shell.control import ShellError
from oneos.shell.state import OPTIONS, Shell, Variable, is_name, plain


def number_of(name: str, arguments: list[str], default: int) -> int:
    """The one number that a builtin takes.

    Raises:
        ShellError: it is none.
    """
    if not arguments:
        return default
    if not arguments[0].isdigit():
        raise ShellError(f"{name}: Illegal number: {arguments[0]}")
    return int(arguments[0])


def export(shell: Shell, arguments: list[str]) -> int:
    """Give variables to programs; without names, list those that are."""
    return _mark(shell, arguments, "export")


def readonly(shell: Shell, arguments: list[str]) -> int:
    """Let variables be assigned no more; without names, list them."""
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


def local(shell: Shell, arguments: list[str]) -> int:
    """Variables that get their outer value back when the function returns."""
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


def unset(shell: Shell, arguments: list[str]) -> int:
    """Forget variables, or with `-f` functions."""
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


def set_(shell: Shell, arguments: list[str]) -> int:
    """Set options and parameters; without arguments, list the variables."""
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


def shift(shell: Shell, arguments: list[str]) -> int:
    """Drop the first parameters."""
    count = number_of("shift", arguments, 1)
    if count > len(shell.parameters):
        raise ShellError("shift: can't shift that many")
    del shell.parameters[:count]
    return 0


def getopts(shell: Shell, arguments: list[str]) -> int:
    """The next option of the parameters, or of the words given; 1 when there is none."""
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
