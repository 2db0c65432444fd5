"""/topic: publish by writing a line, subscribe by reading.

Each line written is one record; a reader gets every record published after it opened, from any
host. The records go to and from the engine directly; a program only sees a pipe.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import select
import stat
from collections.abc import Awaitable, Callable

from oneos.engine.topics import Subscription, Topics
from oneos.errors import FileError, OneOSError
from oneos.files.handles import Caller, Handle, Plain
from oneos.files.virtual import Dir, File, Node, Parts
from oneos.limits import STREAM_BUFFER_BYTES, TOPIC_LINE_BYTES_MAX

log = logging.getLogger(__name__)


class TopicFiles:
    """See the module.

    Args:
        topics: the engine's publish/subscribe.
        names: lists the topics, as the Pub/Sub service knows them.
    """

    def __init__(
        self, topics: Callable[[], Topics], names: Callable[[], Awaitable[list[str]]]
    ) -> None:
        self._topics = topics
        self._names = names

    async def find(self, place: Parts, caller: Caller) -> Dir | File | Node | None:
        if not place:
            names: dict[bytes, int] = {}
            for topic in await self._names():
                first, _, rest = topic.encode().partition(b"/")
                names[first] = stat.S_IFDIR if rest else stat.S_IFIFO
            return Dir(names)
        topic = b"/".join(place).decode("utf-8", "surrogateescape")
        return Node(stat.S_IFIFO | 0o666, lambda flags: self._open(topic, flags))

    async def _open(self, topic: str, flags: int) -> Handle:
        access = flags & os.O_ACCMODE
        if access == os.O_RDWR:
            raise FileError(errno.EINVAL, f"/topic/{topic}", hint="open it to read or to write")
        if access == os.O_RDONLY:
            subscription = await self._topics().subscribe(topic)
            return Subscriber(topic, subscription)
        return Publisher(topic, self._topics())


class Subscriber(Plain):
    """A reading end: records come out of a pipe, a line each."""

    def __init__(self, topic: str, subscription: Subscription) -> None:
        read, write = os.pipe2(os.O_CLOEXEC)
        super().__init__(read)
        self._topic = topic
        self._subscription = subscription
        self._task = asyncio.create_task(self._pump(write), name=f"topic {topic}")

    async def _pump(self, fd: int) -> None:
        os.set_blocking(fd, False)
        loop = asyncio.get_running_loop()
        gone = asyncio.create_task(_reader_gone(fd))
        try:
            records = self._subscription.__aiter__()
            while True:
                step = asyncio.ensure_future(anext(records))
                await asyncio.wait((step, gone), return_when=asyncio.FIRST_COMPLETED)
                if not step.done():
                    step.cancel()
                    return
                data = memoryview(step.result() + b"\n")
                while data:
                    try:
                        data = data[os.write(fd, data) :]
                    except BlockingIOError:
                        ready = loop.create_future()
                        loop.add_writer(fd, _set, ready)
                        try:
                            await ready
                        finally:
                            loop.remove_writer(fd)
        except (BrokenPipeError, StopAsyncIteration):
            pass
        except OneOSError as error:
            log.warning("topic %s: %s", self._topic, error)
        finally:
            gone.cancel()
            await asyncio.wait((gone,))
            os.close(fd)
            await self._subscription.close()

    async def close(self) -> None:
        self.close_fd()
        # The program may have closed its end by itself; ours tells the pump in either case.
        self._task.cancel()
        await asyncio.wait((self._task,))


class Publisher(Plain):
    """A writing end: lines that come out of the pipe are published, the last one at its end."""

    def __init__(self, topic: str, topics: Topics) -> None:
        self._read, write = os.pipe2(os.O_CLOEXEC)
        super().__init__(write)
        self._topic = topic
        self._topics = topics
        self._task = asyncio.create_task(self._pump(), name=f"topic {topic}")

    async def _pump(self) -> None:
        os.set_blocking(self._read, False)
        loop = asyncio.get_running_loop()
        rest = b""
        try:
            while True:
                try:
                    data = os.read(self._read, STREAM_BUFFER_BYTES)
                except BlockingIOError:
                    ready = loop.create_future()
                    loop.add_reader(self._read, _set, ready)
                    try:
                        await ready
                    finally:
                        loop.remove_reader(self._read)
                    continue
                if not data:
                    break
                *lines, rest = (rest + data).split(b"\n")
                if len(rest) > TOPIC_LINE_BYTES_MAX:
                    raise FileError(errno.EMSGSIZE, f"/topic/{self._topic}")
                if lines:
                    await self._topics.publish(self._topic, lines)
            if rest:
                await self._topics.publish(self._topic, [rest])
        finally:
            os.close(self._read)

    async def close(self) -> None:
        self.close_fd()
        await self._task


async def _reader_gone(fd: int) -> None:
    """Return when the other end of a pipe was closed.

    A poll for nothing reports only that; asyncio cannot ask for nothing, so a descriptor of epoll
    of our own stands in between.
    """
    loop = asyncio.get_running_loop()
    epoll = select.epoll()
    try:
        epoll.register(fd, 0)
        ready = loop.create_future()
        loop.add_reader(epoll.fileno(), _set, ready)
        try:
            await ready
        finally:
            loop.remove_reader(epoll.fileno())
    finally:
        epoll.close()


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
