"""The builtins about where the script is: `cd`, `pwd`, `umask`.

The current directory is kept as a path without `.` and `..` (the tree has no symbolic links, so
the text says where it is). That it is a directory is asked of the Runtime.
"""

import errno
import os
import stat

from oneos.errors import FileError
from oneos.shell.control import ShellError
from oneos.shell.state import Shell, decode


def cd(shell: Shell, arguments: list[str]) -> int:
    """Change the current directory; `-` is the one before, nothing is the home directory."""
    while arguments and arguments[0] in ("-L", "-P", "--"):
        arguments = arguments[1:]
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
            path = change(shell, os.path.join(prefix, target) if prefix else target)
        except FileError as error:
            failure = error
            continue
        if show or prefix:
            shell.write(1, f"{path}\n")
        return 0
    shell.complain(f"cd: can't cd to {target}: {os.strerror(failure.errno)}")
    return 2


def _prefixes(shell: Shell, target: str) -> list[str]:
    # CDPATH counts only for names that do not say where they begin.
    if target.startswith(("/", "./", "../")) or target in (".", ".."):
        return [""]
    return [*(shell.get("CDPATH") or "").split(":"), ""] if shell.get("CDPATH") else [""]


def change(shell: Shell, target: str) -> str:
    """Make a directory the current one; its canonical path.

    Raises:
        FileError: it is not there, or is no directory.
    """
    path = shell.client.call("realpath", shell.path(target))
    if not stat.S_ISDIR(shell.client.call("stat", path, True)[0]):
        raise FileError(errno.ENOTDIR, path)
    shell.set("OLDPWD", shell.cwd, exported=True)
    shell.cwd = decode(path)
    shell.set("PWD", shell.cwd, exported=True)
    return shell.cwd


def pwd(shell: Shell, arguments: list[str]) -> int:
    """Print the current directory."""
    shell.write(1, f"{shell.cwd}\n")
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
