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
from oneos.files.devices import Devices
from oneos.files.handles import Handle, Plain
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.net.links import Links
from oneos.net.routes import Peer, Routes
from oneos.net.streams import new_stream_id
from oneos.runtime.agents import Agents
from oneos.runtime.plumbing import Line, Plumbing, Pump, StreamFile, pipe
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

    def serve(self, routes: Routes) -> None:
        """Answer `device.open` and `descriptor.open`."""
        routes.add("device.open", self._on_device, m.DeviceOpen, finish=True)
        routes.add("descriptor.open", self._on_descriptor, m.DescriptorOpen, finish=True)

    # --- for programs here ----------------------------------------------------------------------
    async def open_device(self, member: t.Member, name: str, flags: int) -> Handle:
        """Open a device wherever it hangs. Raises FileError."""
        if member.name == self.host:
            return await self._devices.open(name, flags)
        key = new_stream_id()
        request = m.DeviceOpen(name, flags, key)
        return await self._open_at(member.name, flags, "device.open", request, key, f"/dev/{name}")

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
    ) -> Handle:
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
        handle = await self._devices.open(request.name, request.flags)
        self._join(handle, peer.host, request.flags, request.stream)

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
