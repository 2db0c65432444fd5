"""/topic: publish by writing a line, subscribe by reading.

Each line written is one record; a reader gets every record published after it opened, from any
host. The records go to and from the engine directly; a program only sees a pipe.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import stat
from collections.abc import Awaitable, Callable

from oneos.engine.topics import Subscription, Topics
from oneos.errors import FileError, OneOSError
from oneos.files.handles import Caller, Handle, Plain
from oneos.files.pipes import read_some, reader_gone, write_all
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
        os.set_blocking(write, False)
        work = self._pump(write)
        self._task = asyncio.create_task(work, name=f"topic {topic}")

        def ended(task: asyncio.Task[None]) -> None:
            # Here and not in the task: one that is cancelled early never runs.
            work.close()
            os.close(write)

        self._task.add_done_callback(ended)

    async def _pump(self, fd: int) -> None:
        moving = asyncio.create_task(self._move(fd))
        gone = asyncio.create_task(reader_gone(fd))
        try:
            await asyncio.wait((moving, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            moving.cancel()
            gone.cancel()
            await asyncio.wait((moving, gone))
            await self._subscription.close()

    async def _move(self, fd: int) -> None:
        try:
            async for record in self._subscription:
                await write_all(fd, record + b"\n")
        except BrokenPipeError:
            pass
        except OneOSError as error:
            log.warning("topic %s: %s", self._topic, error)

    async def close(self) -> None:
        self.close_fd()
        # The program may have closed its end by itself; ours tells the pump in either case.
        self._task.cancel()
        await asyncio.wait((self._task,))
        await self._subscription.close()


class Publisher(Plain):
    """A writing end: lines that come out of the pipe are published, the last one at its end."""

    def __init__(self, topic: str, topics: Topics) -> None:
        self._read, write = os.pipe2(os.O_CLOEXEC)
        super().__init__(write)
        os.set_blocking(self._read, False)
        self._topic = topic
        self._topics = topics
        self._task = asyncio.create_task(self._pump(), name=f"topic {topic}")

    async def _pump(self) -> None:
        rest = b""
        try:
            while data := await read_some(self._read, STREAM_BUFFER_BYTES):
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
