"""The name space of this host: made when the first native program needs it, kept for the next.

The file process that serves it is a child of the Runtime (`oneos.fuse.main`) and ends with it.
Programs are started in it by its first process (`starter.py`), which goes on until they have ended;
what an instrumented program starts enters by descriptors that only the Runtime holds. When the file
process dies, by a fault or by a kill, another takes over from it (ARCHITECTURE.md, "Another file
process"). Where that cannot be, the kernel fails every call of the programs in its name space at
once (ENOTCONN), and the next program gets a new one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from oneos.errors import UserError
from oneos.kernel import messages as m
from oneos.limits import (
    HOST_NAMES_MAX,
    NAMESPACE_RECALL_S,
    NAMESPACE_RESTARTS_MAX,
    NAMESPACE_RESTARTS_S,
    NAMESPACE_START_S,
    NAMESPACE_TAKEOVER_S,
    PID_BLOCK,
)
from oneos.local.client import Client
from oneos.local.file_process import PACKAGES, TERMINALS, Begin, Drop, encode
from oneos.runtime.forker import Forked, receive
from oneos.runtime.starter import Kill, Starter
from oneos.state import pids

log = logging.getLogger(__name__)

HOST_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin"
"""Where the host's own programs are found, after those of the tree's /bin."""

_FUSE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "fuse")
_ENTER, _CALLS, _ASKING = (os.path.join(_FUSE, x) for x in ("enter.py", "calls.py", "asking.py"))

_SYSTEM = (b"/bin/", b"/lib/", b"/opt/", b"/sbin/", b"/usr/")
"""Where programs lie that a name space shows; see `oneos.fuse.view`."""


_KINDS_MAX = 8
"""Descriptors that the file process sends; see `oneos.fuse.namespace`."""

_ENTERED = ("user", "mnt", "uts", "pid")


@dataclass(slots=True)
class _Made:
    """`served` has the files open that the file process opened, whichever that is by now."""

    command: list[str]
    process: subprocess.Popen[bytes]
    control: socket.socket
    served: Client
    secret: str
    starter: Starter
    fds: dict[str, int]
    last_order: int = 0
    orders: dict[int, tuple[Drop, asyncio.Future[None]]] = field(default_factory=dict)
    deaths: deque[float] = field(default_factory=lambda: deque(maxlen=NAMESPACE_RESTARTS_MAX))


class NameSpace:
    """See the module.

    Args:
        host: this host's name, as programs see it.
        directory: the Runtime's own.
        socket_path: where the file process reaches this Runtime.
        interpreters: directories of the host that interpreters need.
        context: what the configuration says of it.
        packages: the directory with what programs asked to be installed.
        block: which numbers this host's kernel gives; see `state/pids.py`.
        kill: sends a signal for a program here that its kernel cannot send; raises OneOSError.
    """

    def __init__(
        self,
        host: str,
        directory: str,
        socket_path: str,
        interpreters: Callable[[], Sequence[str]],
        context: str,
        packages: Callable[[], str],
        block: Callable[[], int],
        kill: Kill,
    ) -> None:
        self._host = host
        self._directory = directory
        self._socket_path = socket_path
        self._interpreters = interpreters
        self._context = context
        self._packages = packages
        self._block = block
        self._kill = kill
        self._starters: set[Starter] = set()
        self._made: _Made | None = None
        self._making = asyncio.Lock()
        self._settled = asyncio.Event()
        self._settled.set()
        self._following: asyncio.Future[None] | None = None

    @staticmethod
    def kind(context: str) -> str:
        """The kind of machine whose programs can run here; empty: none, and `why` says why."""
        return "" if NameSpace.why(context) else platform.machine()

    @staticmethod
    def why(context: str = "auto") -> str:
        """What is missing for a name space on this host; empty: nothing that can be seen."""
        if context == "instrumented":
            return 'its configuration has context = "instrumented"'
        if sys.platform != "linux":
            return "it takes Linux"
        if not os.access("/dev/fuse", os.R_OK | os.W_OK):
            return "this user may not use /dev/fuse"
        if not hasattr(os, "pidfd_open"):
            return "its Python was built for an older kernel"
        if os.getuid() and _read("/proc/sys/user/max_user_namespaces") == "0":
            return "the kernel allows no user name spaces"
        return ""

    @staticmethod
    def finds(name: bytes) -> bool:
        """Whether the host has a program of that name, or at that path of its system."""
        if b"/" in name and not name.startswith(_SYSTEM):
            return False
        return shutil.which(os.fsdecode(name), path=HOST_PATH) is not None

    @staticmethod
    def names(prefix: bytes) -> list[bytes]:
        """The names of the host's programs that begin so, for completion at a prompt."""
        found: set[bytes] = set()
        for directory in HOST_PATH.encode().split(b":"):
            try:
                found.update(name for name in os.listdir(directory) if name.startswith(prefix))
            except OSError:
                continue
        return sorted(found)[:HOST_NAMES_MAX]

    @staticmethod
    def environment(given: dict[bytes, bytes]) -> dict[bytes, bytes]:
        """The environment for a program that is to see `given`: the host's programs come last."""
        path = given.get(b"PATH", b"/bin").split(b":")
        path += [part for part in HOST_PATH.encode().split(b":") if part not in path]
        return given | {b"PATH": b":".join(path)}

    def keeps(self) -> bool:
        """Whether this host's kernel may keep something of the tree, or is about to."""
        return self._made is not None or not self._settled.is_set()

    async def recall(self, recall: m.Recall) -> None:
        """Have the kernel drop what it keeps of this; returns when it has."""
        await self._tell(Drop(recall.inos, recall.everything))

    async def drop_idle(self, ino: int) -> None:
        """Have a file closed that the file process keeps open for whoever opens it next."""
        await self._tell(Drop([ino], idle=True))

    async def _tell(self, order: Drop) -> None:
        """Have the file process do it. Returns when it has, or keeps nothing any more."""
        # While it is made, its kernel looks at names already, and keeps them.
        await self._settled.wait()
        made = self._made
        if made is None:
            return
        made.last_order += 1
        number = made.last_order
        done = asyncio.get_running_loop().create_future()
        made.orders[number] = order, done
        try:
            body = encode(number, order)
            await asyncio.get_running_loop().sock_sendall(made.control, body)
        except OSError:
            pass  # It has died: who takes over is told.
        try:
            while not done.done():
                process = made.process
                await asyncio.wait([done], timeout=NAMESPACE_RECALL_S)
                if not done.done() and process is made.process and process.poll() is None:
                    # What it shows may be old: rather nothing, until another takes over.
                    log.error("the file process does not drop what it keeps: it is ended")
                    process.kill()
        finally:
            made.orders.pop(number, None)

    async def ready(self) -> None:
        """Return when there is a name space.

        Raises:
            UserError: this host cannot have one; the message says why.
        """
        async with self._making:
            if (made := self._made) is not None:
                if made.starter.over:
                    await self._drop()
                elif made.process.poll() is not None:
                    await self._go_on(made)
                if self._made is not None:
                    return
            if why := self.why(self._context):
                raise UserError(f"there is no name space on {self._host}: {why}", errno=8)
            self._settled.clear()
            try:
                command, secret = self._command(), secrets.token_hex(16)
                served = Client(self._socket_path, shared=secret)
                process, control, fds = await asyncio.to_thread(self._make, command, served, secret)
                sock = socket.socket(fileno=fds.pop("starter"))
                starter = Starter(sock, fds.pop("first"), self._kill, self._starters.discard)
                self._starters.add(starter)
                made = _Made(command, process, control, served, secret, starter, fds)
                self._made = made
            finally:
                self._settled.set()
            self._listen(made)

    def _listen(self, made: _Made) -> None:
        made.control.setblocking(False)
        loop = asyncio.get_running_loop()
        loop.add_reader(made.control, self._heard, made, loop)

    def _command(self) -> list[str]:
        mountpoint = os.path.join(self._directory, "run", "tree")
        os.makedirs(mountpoint, exist_ok=True)
        command = [sys.executable, "-m", "oneos.fuse.main", "--socket", self._socket_path]
        command += ["--mountpoint", mountpoint, "--hostname", self._host]
        command += ["--packages", self._packages()]
        if self._block() != pids.NO_BLOCK:
            first = pids.first_of(self._block())
            command += ["--numbers", str(first), str(PID_BLOCK)]
        for path in self._interpreters():
            command += ["--interpreter", path]
        return command

    @staticmethod
    def _begin(
        command: list[str], secret: str, fds: Mapping[str, int], within_s: float
    ) -> tuple[subprocess.Popen[bytes], socket.socket, bytes, list[int]]:
        """Start a file process; answers what it says when it is ready or has failed; empty: it has
        died."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        process = subprocess.Popen(command, stdin=theirs.fileno(), cwd="/", process_group=0)
        theirs.close()
        ours.settimeout(within_s)
        kinds = [kind for kind in ("memory", "fuse", "proc") if kind in fds]
        begin = msgspec.msgpack.encode(Begin(secret, kinds))
        try:
            socket.send_fds(ours, [begin], [fds[kind] for kind in kinds])
            return process, ours, *receive(ours, 1024, _KINDS_MAX)
        except TimeoutError:
            return process, ours, b"!the file process does not answer", []
        except OSError:
            # It has died.
            return process, ours, b"", []

    def _make(
        self, command: list[str], served: Client, secret: str
    ) -> tuple[subprocess.Popen[bytes], socket.socket, dict[str, int]]:
        # It keeps open what the file process opens, until the name space is gone.
        served.call("stat", b"/")
        memory = os.memfd_create("file process", os.MFD_CLOEXEC)
        begun = self._begin(command, secret, {"memory": memory}, NAMESPACE_START_S)
        process, ours, data, fds = begun
        if data.startswith(b"n "):
            kinds, _, why = data.decode().partition("\n")
            if why:
                log.warning("native programs have the host's PIDs, and no children in ps: %s", why)
            found = dict(zip(kinds.split()[1:], fds, strict=True))
            return process, ours, found | {"memory": memory}
        os.close(memory)
        served.drop()
        ours.close()
        process.kill()
        process.wait()
        why = data[1:].decode("utf-8", "replace") or "the file process failed; see the log"
        raise UserError(
            f"there is no name space on {self._host}: {why}",
            errno=8,
            hint='Python, JavaScript and sh run without: context = "instrumented"',
        )

    def _heard(self, made: _Made, loop: asyncio.AbstractEventLoop) -> None:
        """The file process has done what it was told; or it is gone."""
        try:
            data = made.control.recv(64)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            _, done = made.orders.get(msgspec.msgpack.decode(data, type=int), (None, None))
            if done is not None and not done.done():
                done.set_result(None)
            return
        loop.remove_reader(made.control)
        if self._made is made:
            self._following = asyncio.ensure_future(self._follow(made, made.control))

    def inside(self, path: str) -> str:
        """Where a name space shows a directory below that of the packages."""
        return path.replace(self._packages(), PACKAGES, 1)

    async def start(
        self,
        pid: int,
        cwd: bytes,
        umask: int,
        ignored: Sequence[int],
        arguments: Sequence[bytes],
        environment: Mapping[bytes, bytes],
        fds: Sequence[int],
        files: Sequence[bytes] = (),
    ) -> Forked:
        """Start a program in the name space; see `Starter.start`.

        Raises:
            UserError: the name space is gone; `ready` makes a new one.
        """
        starter = self._here().starter
        return await starter.start(pid, cwd, umask, ignored, arguments, environment, fds, files)

    def command(
        self, pid: int, cwd: bytes, ignored: Sequence[int], arguments: Sequence[bytes]
    ) -> list[str | bytes]:
        """The host's command line for a program in the name space that another program starts.

        Raises:
            UserError: the name space is gone; `ready` makes a new one.
        """
        (number, first), kinds = self._entered(pid)
        words = [str(number), str(first), str(PID_BLOCK), ",".join(kinds), self._socket_path]
        words += [TERMINALS, ",".join(map(str, ignored))]
        return [sys.executable, "-S", "-I", _ENTER, *words, cwd, *arguments]

    def place(self, pid: int) -> tuple[int, bytes]:
        """The number of a program that is forked into the name space, and how that is entered: as
        `guest/python/inside.py` takes it.

        Raises:
            UserError: the name space is gone; `ready` makes a new one.
        """
        (number, first), kinds = self._entered(pid)
        words = [_CALLS, _ASKING, self._socket_path, str(first), str(PID_BLOCK), *kinds]
        return number, b"\0".join(map(os.fsencode, words))

    def _entered(self, pid: int) -> tuple[tuple[int, int], list[str]]:
        """Which number a program has there, and the first of this host's block; 0: any. And what it
        enters, in order."""
        fds = self._here().fds
        kinds = [f"/proc/{os.getpid()}/fd/{fds[kind]}" for kind in _ENTERED if kind in fds]
        first = pids.first_of(self._block()) if "pid" in fds else 0
        return (pid, first) if "pid" in fds else (0, 0), kinds

    @property
    def starter(self) -> Starter:
        """The process that starts programs here. Raises UserError: the name space is gone."""
        return self._here().starter

    def listen(self, fd: int) -> None:
        """Have the first process answer when a program asks that has entered by `command`.

        Raises:
            UserError: the name space is gone.
            OSError: its first process is.
        """
        self._here().starter.listen(fd)

    def _here(self) -> _Made:
        if self._made is None:
            raise UserError("the name space is gone", errno=8)
        return self._made

    async def tree(self) -> str | None:
        """A path of the host under which this user's processes outside find the tree as programs of
        the name space do: for what is the kernel's own behind a name, FIFOs and sockets.

        Whoever walks it waits for this Runtime's answers.

        Returns:
            Empty where this host has no name space after all; None where only its own programs
            may walk there.
        """
        try:
            await self.ready()
            fds = self._here().fds
        except UserError:
            return ""
        return f"/proc/{os.getpid()}/fd/{fds['tree']}" if "tree" in fds else None

    async def touch(self, path: bytes, mode: int) -> None:
        """Have the kernel tell all who watch a path of the tree that its attributes changed.

        The file process answers this change, which is none, by itself. Where the Runtime cannot
        walk the name space nobody is told.

        Args:
            mode: the permissions of what is there.
        """
        tree = await self.tree()
        if tree:
            try:
                await asyncio.to_thread(_touch, os.fsencode(tree), path, mode)
            except OSError:
                pass  # It is gone, of which the next look tells.

    def proc(self) -> int:
        """The /proc of the name space's own PIDs; -1 where it has none."""
        return self._made.fds.get("proc", -1) if self._made is not None else -1

    async def close(self) -> None:
        """End the name space, and all that runs in it."""
        async with self._making:
            starters = list(self._starters)
            for starter in starters:
                starter.end()
            # The file process comes last: what is killed may be waiting for its answer.
            for starter in starters:
                await starter.closed()
            await self._drop()

    async def _follow(self, made: _Made, control: socket.socket) -> None:
        """The file process at the other end of a socket is gone."""
        async with self._making:
            if self._made is made and made.control is control:
                await self._go_on(made)

    async def _go_on(self, made: _Made) -> None:
        """Have another file process take over; or the name space ends."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(made.control)
        made.control.close()
        try:
            why = await asyncio.to_thread(self._succeed, made)
        except OSError as error:
            why = f"the file process died, and no other can be started: {error}"
        if why:
            log.error("%s; programs of this name space get errors", why)
            await self._drop()
            return
        self._listen(made)
        try:
            for number, (order, done) in list(made.orders.items()):
                if not done.done():
                    await loop.sock_sendall(made.control, encode(number, order))
        except OSError:
            pass  # It has died in its turn.

    def _succeed(self, made: _Made) -> str:
        """Start the successor of a file process; answers what keeps it from taking over."""
        while True:
            # Until all its threads are gone it might answer the kernel still.
            made.process.kill()
            status = made.process.wait()
            now = time.monotonic()
            if status == 0:
                return "the file process ended, since nothing is mounted any more"
            died = f"the file process died ({status})"
            if "fuse" not in made.fds:
                return f"{died}, and this kernel lets no other take over (Linux 6.9 does)"
            deaths = made.deaths
            if len(deaths) == deaths.maxlen and now - deaths[0] < NAMESPACE_RESTARTS_S:
                return f"{died}, once too often in {NAMESPACE_RESTARTS_S:.0f} s"
            deaths.append(now)
            begun = self._begin(made.command, made.secret, made.fds, NAMESPACE_TAKEOVER_S)
            made.process, control, data, _ = begun
            if data == b"+":
                break
            control.close()
            if data:
                made.process.kill()
                made.process.wait()
                return f"{died}, and the next one failed: {data[1:].decode('utf-8', 'replace')}"
        control.setblocking(False)
        made.control = control
        log.warning("%s; another has taken over after %.2f s", died, time.monotonic() - now)
        return ""

    async def _drop(self) -> None:
        made, self._made = self._made, None
        if made is None:
            return
        if made.control.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(made.control)
        made.control.close()
        for _, done in made.orders.values():
            if not done.done():
                done.set_result(None)
        for fd in made.fds.values():
            os.close(fd)
        made.starter.retire()
        made.served.drop()
        try:
            await asyncio.to_thread(made.process.wait, NAMESPACE_START_S)
        except subprocess.TimeoutExpired:
            made.process.kill()
            made.process.wait()


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _touch(tree: bytes, path: bytes, mode: int) -> None:
    """Change permissions of what the tree's mount has at a path, and of nothing else.

    Links are not followed out of it: a name may have become one meanwhile.
    """
    fd = os.open(tree + path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(fd)
        if found.st_dev == os.stat(tree).st_dev and not stat.S_ISLNK(found.st_mode):
            os.chmod(f"/proc/self/fd/{fd}", mode)
    finally:
        os.close(fd)
