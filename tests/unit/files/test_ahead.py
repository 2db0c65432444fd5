import asyncio
import hashlib

from oneos.errors import NetworkError
from oneos.files.ahead import Ahead, Piece
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.limits import CHUNK_PUT_BYTES_MAX, CHUNKS_AHEAD_BYTES_MAX

PI, HUB = HostName("pi"), HostName("hub")


def piece(data: bytes) -> Piece:
    return hashlib.sha256(data).digest(), data


class Receiver:
    """Hosts that keep what they are sent, once they are let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.let.set()
        self.calls: list[tuple[HostName, int]] = []
        self.refuses: set[HostName] = set()

    async def put(self, host: HostName, contents: list[bytes]) -> m.ChunksHeld:
        self.calls.append((host, sum(map(len, contents))))
        await self.let.wait()
        if host in self.refuses:
            raise NetworkError("away")
        return m.ChunksHeld([hashlib.sha256(data).digest() for data in contents], 7)


async def test_what_arrived_is_known_by_host_and_what_was_refused_is_not() -> None:
    receiver = Receiver()
    receiver.refuses = {HUB}
    one, two = piece(b"1"), piece(b"2")
    with Ahead([PI, HUB], receiver.put) as ahead:
        await asyncio.to_thread(ahead.offer, [one, two])
        assert await ahead.arrived(PI) == ({one[0], two[0]}, [7])
        assert await ahead.arrived(HUB) == (set(), [])
        assert await ahead.arrived(HostName("other")) == (set(), [])


async def test_a_chunk_that_arrived_as_another_does_not_count() -> None:
    async def garble(host: HostName, contents: list[bytes]) -> m.ChunksHeld:
        return m.ChunksHeld([hashlib.sha256(data + b"!").digest() for data in contents], 7)

    with Ahead([PI], garble) as ahead:
        ahead.offer([piece(b"1")])
        await asyncio.sleep(0)
        assert (await ahead.arrived(PI))[0] == set()


async def test_no_more_is_under_way_than_the_bound_and_no_call_larger_than_a_put() -> None:
    receiver = Receiver()
    receiver.let.clear()
    size = 1024 * 1024
    pieces = [piece(bytes([n]) * size) for n in range(2 * CHUNKS_AHEAD_BYTES_MAX // size)]
    with Ahead([PI], receiver.put) as ahead:
        ahead.offer(pieces)
        await asyncio.sleep(0.01)
        assert sum(sent for _, sent in receiver.calls) == CHUNKS_AHEAD_BYTES_MAX
        assert max(sent for _, sent in receiver.calls) <= CHUNK_PUT_BYTES_MAX
        receiver.let.set()
        assert len((await ahead.arrived(PI))[0]) == CHUNKS_AHEAD_BYTES_MAX // size
        # There is room again.
        ahead.offer(pieces[-1:])
        await asyncio.sleep(0)
        assert pieces[-1][0] in (await ahead.arrived(PI))[0]


async def test_nothing_is_sent_after_the_end_and_what_was_on_its_way_is_cancelled() -> None:
    receiver = Receiver()
    receiver.let.clear()
    with Ahead([PI], receiver.put) as ahead:
        ahead.offer([piece(b"1")])
        await asyncio.sleep(0.01)
    ahead.offer([piece(b"2")])
    await asyncio.sleep(0.01)
    assert receiver.calls == [(PI, 1)]
    assert await ahead.arrived(PI) == (set(), [])
