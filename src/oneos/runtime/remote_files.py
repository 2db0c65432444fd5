"""Devices and agents' descriptors of this host for others, and theirs for this host.

Whoever wants one at another host draws a stream id, expects or dials the stream, and asks that
host to join the other end of it. A program here only sees a pipe.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os

from oneos.errors import FileError, NetworkError, OneOSError, Unknown
from oneos.files.devices import Devices, Opener
from oneos.files.handles import Handle, Plain
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.limits import DEVICE_STATE_TIMEOUT_S
from oneos.net.links import Links
from oneos.net.routes import Peer, Routes
from oneos.net.streams import new_stream_id
from oneos.runtime.agents import Agents
from oneos.runtime.feeds import Feeds
from oneos.runtime.plumbing import Plumbing, Pump, pipe
from oneos.runtime.stream_files import Line, StreamFile
from oneos.state import control_types as t

log = logging.getLogger(__name__)


class RemoteFiles:
    """See the module."""

    def __init__(
        self, host: HostName, links: Links, plumbing: Plumbing, devices: Devices, agents: Agents
    ) -> None:
        self.host = host
        self._links = links
        self._plumbing = plumbing
        self._devices = devices
        self._agents = agents
        self._tasks: set[asyncio.Task[None]] = set()
        self.feeds = Feeds(self._open_feed)

    def serve(self, routes: Routes) -> None:
        """Answer `device.open`, `device.state` and `descriptor.open`."""
        routes.add("device.open", self._on_device, m.DeviceOpen, finish=True)
        routes.add("device.state", self._on_state, m.DeviceAsk)
        routes.add("descriptor.open", self._on_descriptor, m.DescriptorOpen, finish=True)

    # --- for programs here ----------------------------------------------------------------------
    async def open_device(self, member: t.Member, device: t.Device, flags: int, pid: int) -> Handle:
        """Open a device wherever it hangs, for the process `pid`. Raises FileError."""
        name = device.name
        if member.name == self.host:
            return await self._devices.open(name, flags, Opener(self.host, pid))
        if device.shared and flags & os.O_ACCMODE == os.O_RDONLY:
            return await self.feeds.open(member.name, name, pid)
        key = new_stream_id()
        request = m.DeviceOpen(name, flags, key, pid)
        return await self._open_at(member.name, flags, "device.open", request, key, f"/dev/{name}")

    async def _open_feed(self, host: HostName, name: str) -> StreamFile:
        key = new_stream_id()
        request = m.DeviceOpen(name, os.O_RDONLY, key, feed=True)
        return await self._open_at(host, os.O_RDONLY, "device.open", request, key, f"/dev/{name}")

    async def device_state(self, host: HostName, name: str) -> m.DeviceState:
        """What a host has to say of a device of its own.

        Raises:
            FileError, NetworkError: its host does not have it, or does not answer.
        """
        return await self._state_at(host, m.DeviceAsk(host, name))

    async def readers_at(self, host: HostName, of: HostName, name: str) -> m.DeviceState | None:
        """The readers of a device at another host than its own; None: no answer."""
        try:
            return await self._state_at(host, m.DeviceAsk(of, name))
        except OneOSError:
            return None

    async def _state_at(self, host: HostName, ask: m.DeviceAsk) -> m.DeviceState:
        state: m.DeviceState = await self._links.call(
            host, "device.state", ask, m.DeviceState, timeout_s=DEVICE_STATE_TIMEOUT_S
        )
        return state

    async def open_descriptor(self, process: t.Process, number: int, flags: int) -> Handle:
        """Open an agent's standard descriptor wherever it runs. Raises FileError."""
        if process.host == self.host:
            return Plain(self._own_descriptor(process.pid, number, flags))
        key = new_stream_id()
        request = m.DescriptorOpen(process.pid, number, flags, key)
        shown = f"/proc/{process.pid}/fd/{number}"
        return await self._open_at(process.host, flags, "descriptor.open", request, key, shown)

    async def _open_at(
        self, host: HostName, flags: int, method: str, request: object, key: bytes, shown: str
    ) -> StreamFile:
        access = flags & os.O_ACCMODE
        if access == os.O_RDWR:
            raise FileError(
                errno.EOPNOTSUPP, shown, hint=f"it is on {host}: open it to read or to write"
            )
        writing = access == os.O_WRONLY
        read, write = pipe()
        pump: Pump | None = None
        line = Line()
        try:
            if not writing:
                # `write` is the pump's from here on, whatever happens.
                ours, write = write, -1
                pump = self._plumbing.receive(host, key, ours, line)
            await self._links.call(host, method, request, None)
        except BaseException as error:
            os.close(read)
            if write >= 0:
                os.close(write)
            if pump is not None:
                pump.cancel()
            if isinstance(error, NetworkError | Unknown):
                # POSIX, open(): a device that is not there now. Of EHOSTUNREACH no program knows.
                # Should it have been opened after all, that is closed when nobody dials for it.
                raise FileError(errno.ENXIO, shown, hint=error.message) from error
            raise
        if pump is None:
            return StreamFile(write, self._plumbing.send(read, host, key), writing=True)
        return StreamFile(read, pump, writing=False, line=line)

    # --- for other hosts ------------------------------------------------------------------------
    async def _on_device(self, peer: Peer, request: m.DeviceOpen) -> None:
        assert peer.host is not None
        opener = Opener(peer.host, request.pid)
        handle = await self._devices.open(request.name, request.flags, opener, request.feed)
        self._join(handle, peer.host, request.flags, request.stream)

    async def _on_state(self, peer: Peer, ask: m.DeviceAsk) -> m.DeviceState:
        if ask.host == self.host:
            return self._devices.state(ask.name)
        lost, readers = self.feeds.lost(ask.host, ask.name)
        return m.DeviceState("", "", False, True, len(readers), 0, 0, lost, 0, [], readers)

    async def _on_descriptor(self, peer: Peer, request: m.DescriptorOpen) -> None:
        assert peer.host is not None
        fd = self._own_descriptor(request.pid, request.fd, request.flags)
        self._join(Plain(fd), peer.host, request.flags, request.stream)

    def _join(self, handle: Handle, host: HostName, flags: int, key: bytes) -> None:
        fd, handle.fd = handle.fd, -1
        pump: Pump | None = None

        async def finish() -> None:
            if pump is not None:
                await asyncio.wait((pump,))
            try:
                await handle.close()
            except (OneOSError, OSError) as error:
                log.warning("what %s had open here: %s", host, error)

        try:
            if flags & os.O_ACCMODE == os.O_WRONLY:
                pump = self._plumbing.receive(host, key, fd)
            else:
                pump = self._plumbing.send(fd, host, key)
        finally:
            task = asyncio.create_task(finish(), name=f"for {host}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _own_descriptor(self, pid: int, number: int, flags: int) -> int:
        path = f"{self._agents.directory(pid)}/fd/{number}"
        access = flags & os.O_ACCMODE
        # Without O_NONBLOCK the kernel would wait for the other end of a pipe, and we with it.
        fd = os.open(path, access | os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(fd, True)
        return fd
