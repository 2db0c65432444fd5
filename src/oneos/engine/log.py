"""A replicated log: numbered records that are on the disks of most voters once acknowledged.

Appending can be fenced by the number of the last record that the writer knows. The author of a
record is the host whose certificate the connection had. Records can be any bytes; the empty ones
are barriers, which readers count and otherwise ignore. What records mean, and when to compact, is
left to the state machines.
"""

import asyncio
import json
import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from oneos.engine import streams, subjects
from oneos.engine.client import Engine
from oneos.engine.follow import Compacted, Follower
from oneos.engine.streams import ApiError
from oneos.errors import Fenced, NetworkError, Unknown
from oneos.limits import (
    CALL_TIMEOUT_S,
    ENGINE_API_RETRY_S,
    LOG_APPEND_ATTEMPT_S,
    LOG_DUPLICATE_WINDOW_S,
)

__all__ = ["Compacted", "Entry", "Log", "config"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A record in its place.

    Attributes:
        seq: its number; the next record has the next number.
        data: empty for a barrier.
        author: the host that appended it.
    """

    seq: int
    data: bytes
    author: str


def config(name: str, replicas: int, first_seq: int = 1) -> dict[str, Any]:
    """How the stream of a log is set up."""
    token = subjects.encode_token(name)
    settings: dict[str, Any] = {
        "name": subjects.log_stream(name),
        "subjects": [f"{subjects.LOG}.{token}.*"],
        "storage": "file",
        "num_replicas": replicas,
        "allow_direct": True,
        "deny_delete": True,
        "duplicate_window": int(LOG_DUPLICATE_WINDOW_S * 1e9),
        "republish": {
            "src": f"{subjects.LOG}.{token}.*",
            "dest": f"{subjects.LOGGED}.{token}.{{{{wildcard(1)}}}}",
        },
    }
    if first_seq > 1:
        settings["first_seq"] = first_seq
    return settings


class Log:
    """One log, as one host sees it.

    Args:
        name: any text; the same everywhere.
        host: this host, as in its certificate.
    """

    def __init__(self, engine: Engine, name: str, host: str) -> None:
        self.name = name
        self._engine = engine
        self._stream = subjects.log_stream(name)
        self._subject = subjects.log_subject(name, host)
        self._followers: list[Follower] = []

    async def ensure(self, replicas: int, first_seq: int = 1) -> None:
        """Create the log, or change its number of replicas. For core hosts.

        Args:
            replicas: 1, 3 or 5, at most the number of voters.
            first_seq: the number of its first record, if it is created.
        """
        await streams.ensure(self._engine, config(self.name, replicas, first_seq))

    async def append(
        self,
        data: bytes,
        *,
        expect_last: int | None = None,
        msg_id: str,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> int:
        """Append a record; returns its number when most voters have it on disk.

        After Unknown, the same call may be repeated with the same `msg_id`: with `expect_last` the
        record is never taken twice and the call returns where it stands; without it, this holds
        for LOG_DUPLICATE_WINDOW_S after the first attempt.

        Args:
            expect_last: the number that the last record must have.
            msg_id: unique in the network; no spaces at its ends.

        Raises:
            Fenced: the last record is another one; nothing was appended.
            Unknown: no answer came: it may have been appended, or still be. After a `barrier`
                (by anybody) a fenced append that is not in the log never will be.
            NetworkError: the engine could not be asked; nothing was appended.
            AuthError, UserError: this host may not append, or the record is too large.
        """
        headers = {"Nats-Msg-Id": msg_id, "Nats-Expected-Stream": self._stream}
        if expect_last is not None:
            headers["Nats-Expected-Last-Sequence"] = str(expect_last)
        message = await self._engine.request(
            self._subject, data, headers=headers, timeout_s=timeout_s
        )
        answer = json.loads(message.data)
        if "error" not in answer:
            return self._note(int(answer["seq"]))
        refusal = ApiError(f"a record of {self.name}", answer["error"])
        if refusal.code in streams.WRONG_LAST_SEQUENCE:
            assert expect_last is not None
            return self._note(await self._mine(expect_last + 1, msg_id, refusal))
        if refusal.temporary or refusal.code == streams.DUPLICATE_IN_PROGRESS:
            raise Unknown(refusal.message)
        raise refusal

    async def _mine(self, seq: int, msg_id: str, refusal: ApiError) -> int:
        """Tell a record of ours that was taken before from one of somebody else.

        The server compares the expected number first, so it refuses our own repetition too.
        """
        found = await streams.get(self._engine, self._stream, seq=seq)
        if found is not None and found.headers.get("Nats-Msg-Id") == msg_id:
            return seq
        raise Fenced(
            f"somebody else appended to {self.name} first: {refusal.message}",
            hint="read the log again and decide anew",
        )

    def _note(self, seq: int) -> int:
        for follower in self._followers:
            follower.expect(seq)
        return seq

    async def barrier(self, timeout_s: float = CALL_TIMEOUT_S) -> int:
        """Append an empty record; whoever has read up to it has read all that was agreed before.

        It needs no fence of its own: its place in the log is the fence for those who expect an
        older last record.

        Raises:
            NetworkError, Unknown: there was no answer in time.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            left = max(deadline - loop.time(), 0.001)
            try:
                return await self.append(
                    b"",
                    msg_id=f"barrier.{os.urandom(8).hex()}",
                    timeout_s=min(left, LOG_APPEND_ATTEMPT_S),
                )
            except (Unknown, NetworkError):
                # One barrier too many does no harm.
                if deadline - loop.time() < ENGINE_API_RETRY_S:
                    raise
                await asyncio.sleep(ENGINE_API_RETRY_S)

    async def last_seq(self) -> int:
        """The number of the last record, as the leader says; it may be old news: see `barrier`."""
        return (await streams.info(self._engine, self._stream)).last_seq

    async def first_seq(self) -> int:
        """The number of the first record that is kept (or will be, in an empty log)."""
        return (await streams.info(self._engine, self._stream)).first_seq

    async def read(self, after: int) -> AsyncGenerator[Entry, None]:
        """The records after a number, in order and without gap, following for ever.

        It goes on through lost connections and servers. A reader that stops early should close
        the iterator (`contextlib.aclosing`), or its subscription stays until it is collected.

        Raises:
            Compacted: the next record was removed; start from a snapshot.
            Fenced: the log ends before `after`.
            NetworkError, Unknown: the engine cannot be reached at the start.
        """
        token = subjects.encode_token(self.name)
        follower = Follower(
            self._engine, self._stream, f"{subjects.LOGGED}.{token}.*", max(after, 0)
        )
        self._followers.append(follower)
        try:
            await follower.open()
            while True:
                stored = await follower.next()
                yield Entry(stored.seq, stored.data, subjects.author_of(stored.subject))
        finally:
            self._followers.remove(follower)
            await follower.close()

    async def purge_through(self, seq: int) -> None:
        """Forget the records up to and with `seq`, after a snapshot of them. For core hosts."""
        await streams.purge(self._engine, self._stream, seq=seq + 1)
