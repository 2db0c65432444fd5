"""The builtins about where the script is: `cd`, `pwd`, `umask`.

There are two answers. The shell goes by names: `cd link` and `cd ..` lead back to where it was, and
`$PWD` shows the link. Programs, and every relative path, start at the directory that this leads to
(`Shell.cwd`), as a kernel's would. `-P` makes the first the same as the second.
"""

import errno
import os
import stat

from oneos.errors import FileError
from oneos.local.client import Client
from oneos.shell.control import ShellError
from oneos.shell.state import Shell, decode, encode


def cd(shell: Shell, arguments: list[str]) -> int:
    """Change the current directory; `-` is the one before, nothing is the home directory."""
    physical, arguments = _physical(arguments)
    show = False
    if not arguments:
        target = shell.get("HOME") or ""
        if not target:
            raise ShellError("cd: HOME is not set", 2)
    elif arguments[0] == "-":
        target, show = shell.get("OLDPWD") or "", True
        if not target:
            raise ShellError("cd: OLDPWD is not set", 2)
    else:
        target = arguments[0]
    for prefix in _prefixes(shell, target):
        try:
            path = change(shell, os.path.join(prefix, target) if prefix else target, physical)
        except FileError as error:
            failure = error
            continue
        if show or prefix:
            shell.write(1, f"{path}\n")
        return 0
    shell.complain(f"cd: can't cd to {target}: {os.strerror(failure.errno)}")
    return 2


def _physical(arguments: list[str]) -> tuple[bool, list[str]]:
    """Whether the last of `-L` and `-P` was `-P`; and what follows the options."""
    physical = False
    while arguments and arguments[0] != "-" and arguments[0].startswith("-"):
        word, *arguments = arguments
        if word == "--":
            break
        if not set(word[1:]) <= set("LP"):
            raise ShellError(f"Illegal option {word}", 2)
        physical = word.endswith("P")
    return physical, arguments


def _prefixes(shell: Shell, target: str) -> list[str]:
    # CDPATH counts only for names that do not say where they begin.
    if target.startswith(("/", "./", "../")) or target in (".", ".."):
        return [""]
    return [*(shell.get("CDPATH") or "").split(":"), ""] if shell.get("CDPATH") else [""]


def change(shell: Shell, target: str, physical: bool = False) -> str:
    """Make a directory the current one; how it is called from now on.

    Args:
        target: absolute, or relative to the current one.
        physical: resolve links before `..`, and call it by its path without links.

    Raises:
        FileError: it is not there, or is no directory.
    """
    named = "" if physical else _by_names(shell, target)
    path = shell.client.call("realpath", shell.path(target) if physical else encode(named))
    _check_directory(shell, path)
    shell.set("OLDPWD", shell.pwd, exported=True)
    shell.cwd = decode(path)
    shell.pwd = shell.cwd if physical else named
    shell.set("PWD", shell.pwd, exported=True)
    return shell.pwd


def _by_names(shell: Shell, target: str) -> str:
    """The path without `.` and `..`; what stands before each `..` must be a directory."""
    names: list[str] = []
    for name in os.path.join(shell.pwd, target).split("/"):
        if name == "..":
            _check_directory(shell, encode("/" + "/".join(names)))
            del names[-1:]
        elif name not in ("", "."):
            names.append(name)
    return "/" + "/".join(names)


def _check_directory(shell: Shell, path: bytes) -> None:
    if not stat.S_ISDIR(shell.client.call("stat", path, True)[0]):
        raise FileError(errno.ENOTDIR, path)


def real(client: Client, path: str) -> str:
    """Where a path leads, without links; itself where that is nowhere."""
    try:
        return decode(client.call("realpath", encode(path)))
    except FileError:
        return path


def inherited(shell: Shell, client: Client) -> str:
    """What a shell that was started by another calls its directory: by the other's PWD, if that
    is a name of it."""
    told = shell.get("PWD") or ""
    if not told.startswith("/") or {".", ".."} & set(told.split("/")):
        return shell.cwd
    return told if real(client, told) == shell.cwd else shell.cwd


def pwd(shell: Shell, arguments: list[str]) -> int:
    """Print the current directory: `-L` as the script went there, `-P` without links."""
    physical, _ = _physical(arguments)
    shell.write(1, f"{shell.cwd if physical else shell.pwd}\n")
    return 0


def umask(shell: Shell, arguments: list[str]) -> int:
    """Show or set which rights files made by redirections do not get."""
    if not arguments:
        shell.write(1, f"{shell.umask:04o}\n")
        return 0
    if arguments[0] == "-S":
        rights = 0o777 & ~shell.umask
        parts = []
        for who, shift in (("u", 6), ("g", 3), ("o", 0)):
            bits = rights >> shift
            letters = "".join(c for c, bit in (("r", 4), ("w", 2), ("x", 1)) if bits & bit)
            parts.append(f"{who}={letters}")
        shell.write(1, ",".join(parts) + "\n")
        return 0
    try:
        mask = int(arguments[0], 8)
    except ValueError:
        raise ShellError(
            f"umask: {arguments[0]}: an octal number such as 022 is wanted in this version"
        ) from None
    if not 0 <= mask <= 0o777:
        raise ShellError(f"umask: Illegal number: {arguments[0]}")
    shell.umask = mask
    return 0
