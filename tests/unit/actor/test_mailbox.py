"""A mailbox is bounded, keeps the order, and loses nothing when it is closed."""

import asyncio

import pytest

from oneos.actor.mailbox import Mailbox
from oneos.errors import NetworkError


async def turn() -> None:
    """Let every task that can run do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_messages_come_in_the_order_they_were_put() -> None:
    mailbox: Mailbox[int] = Mailbox("me", capacity=3)
    putting = [asyncio.create_task(mailbox.put(number)) for number in range(10)]
    assert [await mailbox.get() for _ in range(10)] == list(range(10))
    await asyncio.gather(*putting)


async def test_sender_waits_while_the_mailbox_is_full() -> None:
    mailbox: Mailbox[int] = Mailbox("me", capacity=2)
    await mailbox.put(1)
    await mailbox.put(2)
    third = asyncio.create_task(mailbox.put(3))
    await turn()
    assert not third.done()
    assert len(mailbox) == 2
    assert await mailbox.get() == 1
    await third
    assert len(mailbox) == 2


async def test_newcomer_does_not_overtake_a_sender_that_waits() -> None:
    mailbox: Mailbox[int] = Mailbox("me", capacity=1)
    await mailbox.put(1)
    second = asyncio.create_task(mailbox.put(2))
    await turn()
    assert await mailbox.get() == 1
    third = asyncio.create_task(mailbox.put(3))
    assert [await mailbox.get(), await mailbox.get()] == [2, 3]
    await asyncio.gather(second, third)


async def test_sender_that_gives_up_leaves_no_message() -> None:
    mailbox: Mailbox[int] = Mailbox("me", capacity=1)
    await mailbox.put(1)
    second = asyncio.create_task(mailbox.put(2))
    await turn()
    second.cancel()
    await asyncio.wait((second,))
    third = asyncio.create_task(mailbox.put(3))
    assert [await mailbox.get(), await mailbox.get()] == [1, 3]
    await third


async def test_closing_returns_the_unread_and_refuses_whoever_waits() -> None:
    mailbox: Mailbox[int] = Mailbox("me", capacity=2)
    await mailbox.put(1)
    await mailbox.put(2)
    waiting = [asyncio.create_task(mailbox.put(number)) for number in (3, 4)]
    await turn()
    assert mailbox.close() == [1, 2]
    for task in waiting:
        with pytest.raises(NetworkError, match="me is no longer here"):
            await task
    with pytest.raises(NetworkError):
        await mailbox.put(5)
    assert len(mailbox) == 0


async def test_every_message_is_read_or_refused_when_it_closes_at_a_bad_moment() -> None:
    """The reader takes a message, which lets a sender in, and the mailbox closes at once."""
    mailbox: Mailbox[int] = Mailbox("me", capacity=1)
    await mailbox.put(1)
    second = asyncio.create_task(mailbox.put(2))
    third = asyncio.create_task(mailbox.put(3))
    await turn()
    seen = [await mailbox.get()]
    seen += mailbox.close()
    outcomes = await asyncio.gather(second, third, return_exceptions=True)
    accepted = [n for n, outcome in zip((2, 3), outcomes, strict=True) if outcome is None]
    assert seen == [1, *accepted]
    assert len(accepted) == 1
