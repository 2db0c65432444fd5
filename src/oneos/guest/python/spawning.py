"""Starting programs by `os.posix_spawn` and `os.system`, on top of `programs.py`.

File actions name paths; those of the tree are opened here before, for only this process can.
"""

import _signal
import posix
import sys
from _operator import index

from .channel import out_of_the_way
from .descriptors import real
from .failure import seamless
from .paths import shown
from .programs import Programs, listed, mapped, raw, strings, words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .remote import Handle

PATH_DEFAULT = b"/bin:/usr/bin"
ACTIONS = {
    posix.POSIX_SPAWN_OPEN: ("open", 5),
    posix.POSIX_SPAWN_CLOSE: ("close", 2),
    posix.POSIX_SPAWN_DUP2: ("dup2", 3),
}
if sys.version_info >= (3, 13):
    ACTIONS[posix.POSIX_SPAWN_CLOSEFROM] = ("closefrom", 2)
"""File actions, and how many elements each has."""

WAIT_FAILED = -1
"""What system(3) returns when it could not start the shell or wait for it."""


class Spawning(Programs):
    """See the module."""

    @seamless
    def posix_spawn(self, path: "Any", argv: "Any", env: "Any", /, **options: "Any") -> int:
        return self._spawn([raw(path)], path, argv, env, options)

    @seamless
    def posix_spawnp(self, path: "Any", argv: "Any", env: "Any", /, **options: "Any") -> int:
        name = raw(path)
        files = [name]
        if b"/" not in name:
            search = self.environment.get(b"PATH", PATH_DEFAULT)
            files = [directory + b"/" + name for directory in search.split(b":")]
        return self._spawn(files, path, argv, env, options)

    def _spawn(
        self, files: list[bytes], name: "Any", argv: "Any", env: "Any", options: dict[str, "Any"]
    ) -> int:
        words = words_of(argv)
        if not words or not words[0] or not (env is None or hasattr(env, "keys")):
            return real["posix_spawn"]("/", argv, env, **options)  # type: ignore[no-any-return]
        environment = strings(self.environment) if env is None else listed(env)
        opened: list[int] = []
        try:
            actions, handles = self._actions(options.pop("file_actions", None) or (), opened)
            handles += self._inheritable()
            spec = self._spec(files, words, environment, self.paths.cwd, handles)
            pid, token, command, made = self._child(spec, shown(name))
            group = options.get("setpgroup")
            if isinstance(group, int) and group > 0:
                options["setpgroup"] = self.family.group(group)
            for at, action in enumerate(actions):
                if action[0] == posix.POSIX_SPAWN_DUP2:
                    end = self._piped(pid, action[1], action[2] == 0)
                    if end >= 0:
                        opened.append(end)
                        actions[at] = (action[0], end, action[2])
            spawn = real["posix_spawn"]
            return self._begin(
                pid,
                token,
                lambda: spawn(command[0], command, mapped(made), file_actions=actions, **options),
            )
        finally:
            for fd in opened:
                self.descriptors.close(fd)

    def _actions(
        self, given: "Any", opened: list[int]
    ) -> "tuple[list[tuple[Any, ...]], list[Handle]]":
        """File actions in which no path is the tree's: those are opened here, into `opened`."""
        actions: list[tuple[Any, ...]] = []
        handles: list[Handle] = []
        for action in given:
            check_action(action)
            if action[0] == posix.POSIX_SPAWN_OPEN:
                _, number, path, flags, mode = action
                fd = self.descriptors.open(path, flags, mode)
                # Above whatever number another action may be about.
                high = out_of_the_way(fd)
                self.descriptors.share(fd, high)
                self.descriptors.close(fd)
                opened.append(high)
                action = (posix.POSIX_SPAWN_DUP2, high, number)
            if action[0] == posix.POSIX_SPAWN_DUP2:
                handles += self._handles([action[1]])
            actions.append(action)
        return actions, handles

    # --- system -----------------------------------------------------------------------------
    @seamless
    def system(self, command: "Any") -> int:
        line = raw(command)
        quiet = [_signal.SIGINT, _signal.SIGQUIT]
        default = [number for number in quiet if _signal.getsignal(number) != _signal.SIG_IGN]
        before = _signal.pthread_sigmask(_signal.SIG_BLOCK, [_signal.SIGCHLD])
        handlers = {}
        try:
            for number in quiet:
                try:
                    handlers[number] = _signal.signal(number, _signal.SIG_IGN)
                except ValueError:
                    pass  # Only the main thread may.
            options = {"setsigmask": before, "setsigdef": default}
            argv = [b"sh", b"-c", line]
            try:
                pid = self._spawn([b"/bin/sh"], "sh", argv, None, options)
                return self.family.wait_for("waitpid", pid, 0)[1]  # type: ignore[no-any-return]
            except OSError:
                return WAIT_FAILED
        finally:
            for number, handler in handlers.items():
                if handler is not None:
                    _signal.signal(number, handler)
            _signal.pthread_sigmask(_signal.SIG_SETMASK, before)


def check_action(action: "Any") -> None:
    """Refuse what is no file action, as the real functions do. Raises TypeError."""
    if not isinstance(action, tuple) or not action:
        raise TypeError("Each file_actions element must be a non-empty tuple")
    kind, parts = index(action[0]), len(action)
    if kind not in ACTIONS:
        raise TypeError("Unknown file_actions identifier")
    name, count = ACTIONS[kind]
    if parts != count:
        raise TypeError(f"A {name} file_action tuple must have {count} elements")
    numbers = (1, 3, 4) if kind == posix.POSIX_SPAWN_OPEN else range(1, parts)
    for at in numbers:
        if not isinstance(action[at], int):
            found = type(action[at]).__name__
            raise TypeError(f"{found!r} object cannot be interpreted as an integer")
