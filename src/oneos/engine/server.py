"""A voter: the nats-server process, started, watched, reloaded and stopped by its Runtime.

The process dies with the Runtime (the kernel sees to that on Linux), so two servers never share a
store. When it dies by itself it is started again after a pause that grows, a bounded number of
times; then `failed` is set and the Runtime decides. What it is told is `server_config`'s business;
whether its logs can be written to is asked by a client, see `Engine.ready`.
"""

import asyncio
import contextlib
import ctypes
import errno
import logging
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from oneos.engine.binary import find_server
from oneos.engine.server_config import ServerSpec, User, render
from oneos.errors import OneOSError, UserError
from oneos.limits import (
    ENGINE_BACKOFF_S,
    ENGINE_GO_MEMORY,
    ENGINE_RELOAD_POLL_S,
    ENGINE_RELOAD_TIMEOUT_S,
    ENGINE_RESTARTS_MAX,
    ENGINE_RESTARTS_WINDOW_S,
    ENGINE_START_POLL_S,
    ENGINE_START_TIMEOUT_S,
    ENGINE_STOP_TIMEOUT_S,
)

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_LOG_TAIL_BYTES = 16 * 1024


class EngineServer:
    """One nats-server process.

    Args:
        spec: what it is and where it listens.
        users: the hosts that may connect; `reload` changes them.
        on_failed: called once, with the reason, when it died too often to start it again.
    """

    def __init__(
        self,
        spec: ServerSpec,
        users: Iterable[User],
        on_failed: Callable[[OneOSError], None] | None = None,
    ) -> None:
        self.spec = spec
        self.restarts = 0
        self.failed: OneOSError | None = None
        self._users = tuple(users)
        self._on_failed = on_failed
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._reloading = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The process now running, if any."""
        if self._process is None or self._process.returncode is not None:
            return None
        return self._process.pid

    async def start(self) -> None:
        """Start the server and return when it accepts connections.

        Raises:
            UserError: there is no usable binary, a port is taken, the directory cannot be
                written, or the server ended at once; with the server's own words.
        """
        binary = await asyncio.to_thread(find_server)
        self._write_config(self._users)
        await self._launch(binary)
        self._watcher = asyncio.create_task(self._watch(binary), name=f"watch {self.spec.name}")

    async def stop(self) -> None:
        """Stop the server and wait until it is gone. Doing so twice is harmless."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.cancel()
            await asyncio.wait((watcher,))
        await self._end()

    async def reload(self, users: Iterable[User]) -> None:
        """Let other hosts in, or out, without touching the connections of those that stay.

        Raises:
            UserError: the server refused the new configuration; the old one stays in force.
        """
        users = tuple(users)
        async with self._reloading:
            if users == self._users:
                return
            before, self._users = self._users, users
            self._write_config(users)
            process = self._process
            if process is None or process.returncode is not None:
                return  # The watcher starts it again, with what was just written.
            offset = _size(self.spec.log_path)
            process.send_signal(signal.SIGHUP)
            try:
                await self._reloaded(offset)
            except UserError:
                self._users = before
                self._write_config(before)
                raise

    async def _reloaded(self, offset: int) -> None:
        """Wait until the server says in its log file that it has read the configuration."""
        try:
            async with asyncio.timeout(ENGINE_RELOAD_TIMEOUT_S):
                while True:
                    said = _read_from(self.spec.log_path, offset)
                    if "Reloaded server configuration" in said:
                        return
                    if "Failed to reload" in said:
                        raise UserError(f"the engine refused its new settings: {_reason(said)}")
                    await asyncio.sleep(ENGINE_RELOAD_POLL_S)
        except TimeoutError:
            raise UserError(
                f"the engine did not read its settings within {ENGINE_RELOAD_TIMEOUT_S:g} s",
                errno=errno.ETIMEDOUT,
                hint=f"see {self.spec.log_path}",
            ) from None

    def _write_config(self, users: Iterable[User]) -> None:
        spec = self.spec
        try:
            spec.store.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_atomically(spec.config_path, render(spec, users))
        except OSError as error:
            raise UserError(
                f"cannot write the engine's files in {spec.directory}: {error.strerror}",
                errno=error.errno,
            ) from None

    async def _launch(self, binary: str) -> None:
        offset = _size(self.spec.log_path)
        parent = os.getpid()
        self._process = process = await asyncio.create_subprocess_exec(
            binary,
            "--config",
            str(self.spec.config_path),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "GOMEMLIMIT": ENGINE_GO_MEMORY},
            # Its own session: a Ctrl-C meant for the Runtime must not end the log under it.
            start_new_session=True,
            preexec_fn=lambda: _become_child(parent),
        )
        ended = asyncio.create_task(process.wait())
        greeted = asyncio.create_task(self._greeting())
        try:
            async with asyncio.timeout(ENGINE_START_TIMEOUT_S):
                await asyncio.wait((ended, greeted), return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                raise self._start_error(_read_from(self.spec.log_path, offset))
        except TimeoutError:
            await self._end()
            raise UserError(
                f"the engine did not start within {ENGINE_START_TIMEOUT_S:g} s",
                errno=errno.ETIMEDOUT,
                hint=f"see {self.spec.log_path}",
            ) from None
        except BaseException:
            await self._end()
            raise
        finally:
            ended.cancel()
            greeted.cancel()
            await asyncio.wait((ended, greeted))

    async def _greeting(self) -> None:
        """Return when the process itself (not another one on this port) greets a connection."""
        name = f'"{self.spec.name}"'.encode()
        while True:
            try:
                reader, writer = await asyncio.open_connection(*_dialled(self.spec))
            except OSError:
                await asyncio.sleep(ENGINE_START_POLL_S)
                continue
            try:
                greeting = await reader.readline()
            except OSError:
                greeting = b""
            finally:
                writer.transport.abort()
            if greeting.startswith(b"INFO ") and name in greeting:
                return
            await asyncio.sleep(ENGINE_START_POLL_S)

    def _start_error(self, said: str) -> UserError:
        if "address already in use" in said:
            ports = f"{self.spec.client_port} or {self.spec.cluster_port}"
            return UserError(
                f"port {ports} on {self.spec.listen} is in use",
                errno=errno.EADDRINUSE,
                hint="choose another port, or stop what listens there",
            )
        reason = _reason(said) or f"see {self.spec.log_path}"
        return UserError(f"the engine ended as soon as it was started: {reason}")

    async def _watch(self, binary: str) -> None:
        """Start the server again whenever it ends, with bounded intensity."""
        clock = asyncio.get_running_loop().time
        ends: deque[float] = deque(maxlen=ENGINE_RESTARTS_MAX + 1)
        reason = ""
        while True:
            assert self._process is not None
            code = await self._process.wait()
            now = clock()
            ends.append(now)
            recent = sum(1 for at in ends if now - at < ENGINE_RESTARTS_WINDOW_S)
            if recent > ENGINE_RESTARTS_MAX:
                self._give_up(reason or f"its last status was {code}")
                return
            pause_s = ENGINE_BACKOFF_S[min(recent, len(ENGINE_BACKOFF_S)) - 1]
            log.warning("the engine ended (status %s); again in %g s", code, pause_s)
            await asyncio.sleep(pause_s)
            self.restarts += 1
            try:
                await self._launch(binary)
                reason = ""
            except UserError as error:
                reason = error.message

    def _give_up(self, reason: str) -> None:
        self.failed = UserError(
            f"the engine died {ENGINE_RESTARTS_MAX} times in a minute: {reason}",
            hint=f"see {self.spec.log_path}",
        )
        log.error("%s", self.failed.message)
        if self._on_failed is not None:
            self._on_failed(self.failed)

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(ENGINE_STOP_TIMEOUT_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _become_child(parent: int) -> None:
    """Between fork and exec: what an ordinary program expects, and an end with the Runtime."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        # The Runtime may have died before the line above took effect.
        if os.getppid() != parent:
            os._exit(1)


# Loaded before any fork: loading a library between fork and exec may deadlock.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def _dialled(spec: ServerSpec) -> tuple[str, int]:
    """Where this host reaches its own server."""
    wildcard = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}
    return wildcard.get(spec.listen, spec.listen), spec.client_port


def _write_atomically(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile(
        "w", dir=path.parent, prefix=path.name, delete=False, encoding="utf-8"
    ) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _read_from(path: Path, offset: int) -> str:
    """What was appended to a log file after `offset`; all of it when it was rotated meanwhile."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            start = offset if size >= offset else 0
            file.seek(max(start, size - _LOG_TAIL_BYTES))
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _reason(said: str) -> str:
    """The last error in a piece of the server's log, without its prefix."""
    lines = [line for line in said.splitlines() if "[ERR]" in line or "[FTL]" in line]
    return lines[-1].split("] ", 2)[-1].strip() if lines else ""
