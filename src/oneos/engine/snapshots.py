"""Snapshots of the logs' state machines, kept by the engine so that any host can start from one.

A snapshot is cut into messages; a last one, the head, names them, and only it makes the snapshot
one. So a reader sees a whole snapshot or the one before. The newer of two wins, whoever finishes
first. What is older is removed when a newer one stands; whether a log may then be compacted is the
caller's decision.
"""

import asyncio
import hashlib
import os

import msgspec

from oneos.engine import streams, subjects
from oneos.engine.client import Engine
from oneos.engine.streams import ApiError
from oneos.errors import NetworkError, UserError
from oneos.limits import (
    ENGINE_API_RETRY_S,
    SNAPSHOT_ATTEMPTS_MAX,
    SNAPSHOT_BYTES_MAX,
    SNAPSHOT_PART_BYTES,
)


class _Head(msgspec.Struct, array_like=True, frozen=True):
    seq: int
    id: str
    parts: int
    size: int
    sha256: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Head).decode


class Snapshots:
    """The snapshots of all logs, as one host sees them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def ensure(self, replicas: int) -> None:
        """Create the stream of the snapshots, or change its replicas. For core hosts."""
        await streams.ensure(
            self._engine,
            {
                "name": subjects.SNAPSHOT_STREAM,
                "subjects": [f"{subjects.SNAPSHOT_HEAD}.*", f"{subjects.SNAPSHOT_PART}.*.*.*"],
                "storage": "file",
                "num_replicas": replicas,
                "allow_direct": True,
                # Heads replace each other; no two parts have the same subject.
                "max_msgs_per_subject": 1,
            },
        )

    async def put(self, log: str, seq: int, data: bytes) -> bool:
        """Keep a snapshot of what the records of a log up to and with `seq` amount to.

        For core hosts.

        Returns:
            False if one of the same or a later place is there already; nothing was changed then.

        Raises:
            UserError: it is larger than SNAPSHOT_BYTES_MAX.
            NetworkError, Unknown: it could not be written; the one before still stands.
        """
        if len(data) > SNAPSHOT_BYTES_MAX:
            raise UserError(f"a snapshot of {len(data)} bytes is larger than the engine keeps")
        token = subjects.encode_token(log)
        present = await self._head(token)
        if present is not None and present[1].seq >= seq:
            return False
        head = _Head(
            seq=seq,
            id=os.urandom(8).hex(),
            parts=-(-len(data) // SNAPSHOT_PART_BYTES),
            size=len(data),
            sha256=hashlib.sha256(data).digest(),
        )
        for index in range(head.parts):
            start = index * SNAPSHOT_PART_BYTES
            await self._write_part(
                f"{subjects.SNAPSHOT_PART}.{token}.{head.id}.{index}",
                data[start : start + SNAPSHOT_PART_BYTES],
            )
        place = await self._write_head(token, head, present[0] if present is not None else 0)
        if place is None:
            await self._remove(token, head.id)
            return False
        await self._sweep(token, head.id, place)
        return True

    async def latest(self, log: str) -> tuple[int, bytes] | None:
        """The newest snapshot: the number of the last record in it, and its data.

        Raises:
            NetworkError, Unknown: it could not be read.
        """
        token = subjects.encode_token(log)
        for _ in range(SNAPSHOT_ATTEMPTS_MAX):
            present = await self._head(token)
            if present is None:
                return None
            head = present[1]
            data = await self._parts(token, head)
            if data is not None:
                return head.seq, data
            # It was replaced while we read, or the replica that answered is behind.
            await asyncio.sleep(ENGINE_API_RETRY_S)
        raise NetworkError(f"the snapshot of {log} cannot be read whole")

    async def _head(self, token: str) -> tuple[int, _Head] | None:
        """The head and its own number in the stream."""
        stored = await streams.get(
            self._engine,
            subjects.SNAPSHOT_STREAM,
            last_by_subj=f"{subjects.SNAPSHOT_HEAD}.{token}",
        )
        return None if stored is None else (stored.seq, _decode(stored.data))

    async def _parts(self, token: str, head: _Head) -> bytes | None:
        """The data that a head names, or None if not all of it is there."""
        pieces: dict[int, bytes] = {}
        position = 0
        while len(pieces) < head.parts:
            found = await streams.fetch(
                self._engine,
                subjects.SNAPSHOT_STREAM,
                position + 1,
                only=f"{subjects.SNAPSHOT_PART}.{token}.{head.id}.*",
            )
            if not found:
                return None
            for stored in found:
                pieces[int(stored.subject.rpartition(".")[2])] = stored.data
            position = found[-1].seq
        data = b"".join(pieces.get(index, b"") for index in range(head.parts))
        return data if hashlib.sha256(data).digest() == head.sha256 else None

    async def _write_part(self, subject: str, data: bytes) -> None:
        """Write one part; doing so twice leaves one."""
        answer = await streams.insist(self._engine, subject, data)
        if "error" in answer:
            raise ApiError("a part of a snapshot", answer["error"])

    async def _write_head(self, token: str, head: _Head, expected: int) -> int | None:
        """Make the snapshot stand; None if another one was faster. Returns the head's number."""
        headers = {"Nats-Expected-Last-Subject-Sequence": str(expected)}
        subject = f"{subjects.SNAPSHOT_HEAD}.{token}"
        answer = await streams.insist(self._engine, subject, _encode(head), headers=headers)
        if "error" not in answer:
            return int(answer["seq"])
        refusal = ApiError("the head of a snapshot", answer["error"])
        if refusal.code not in streams.WRONG_LAST_SEQUENCE:
            raise refusal
        # It may be an earlier attempt of our own that stands there.
        present = await self._head(token)
        if present is not None and present[1].id == head.id:
            return present[0]
        return None

    async def _sweep(self, token: str, keep: str, place: int) -> None:
        """Remove what older snapshots and unfinished ones left.

        Whoever is still writing parts from before our head expects another head than ours, so
        those parts will never be named by one. Parts after our head are somebody's next snapshot.
        """
        found = await streams.info(
            self._engine,
            subjects.SNAPSHOT_STREAM,
            subjects=f"{subjects.SNAPSHOT_PART}.{token}.>",
        )
        for old in {subject.split(".")[-2] for subject in found.subjects} - {keep}:
            await self._remove(token, old, seq=place)

    async def _remove(self, token: str, id_: str, **what: int) -> None:
        await streams.purge(
            self._engine,
            subjects.SNAPSHOT_STREAM,
            filter=f"{subjects.SNAPSHOT_PART}.{token}.{id_}.*",
            **what,
        )
