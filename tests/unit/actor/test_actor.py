"""Actors handle one message at a time, and answer every one, however they end."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from oneos.actor.actor import Actor, Address
from oneos.errors import FileError, NetworkError, OneOSError, Unknown
from oneos.ids import Epoch, HostName
from oneos.limits import ANSWERS_PENDING_MAX
from tests.support.waiting import eventually

HERE = HostName("hub")


class Handler(Actor):
    """Answers by a function; counts starts and stops."""

    def __init__(self, receive: Callable[[Any], Any]) -> None:
        super().__init__(Address(HERE, "test", Epoch(1)))
        self.calls: list[str] = []
        self._receive = receive

    async def start(self) -> None:
        self.calls.append("start")

    async def stop(self) -> None:
        self.calls.append("stop")

    def receive(self, message: Any, sender: HostName) -> Any:
        return self._receive(message)


async def end(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.wait((running,))


async def test_messages_are_handled_in_order_and_answered() -> None:
    seen: list[int] = []

    def receive(message: int) -> int:
        seen.append(message)
        return message * 2

    actor = Handler(receive)
    running = asyncio.create_task(actor.run())
    answers = await asyncio.gather(*(actor.ask(number, HERE) for number in range(20)))
    assert seen == list(range(20))
    assert answers == [2 * number for number in range(20)]
    await end(running)
    assert actor.calls == ["start", "stop"]


async def test_awaited_answer_does_not_hold_up_the_next_message() -> None:
    slow: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    actor = Handler(lambda message: slow if message == "slow" else "quick")
    running = asyncio.create_task(actor.run())
    first = asyncio.create_task(actor.ask("slow", HERE))
    assert await actor.ask("other", HERE) == "quick"
    assert not first.done()
    slow.set_result("late")
    assert await first == "late"
    await end(running)


async def test_asker_gets_what_the_handler_raised() -> None:
    async def later() -> None:
        raise FileError(2, "/b")

    def receive(message: str) -> Any:
        if message == "now":
            raise FileError(13, "/a")
        return later()

    actor = Handler(receive)
    running = asyncio.create_task(actor.run())
    with pytest.raises(FileError, match="/a"):
        await actor.ask("now", HERE)
    with pytest.raises(FileError, match="/b"):
        await actor.ask("later", HERE)
    assert not running.done()
    await end(running)


async def test_owed_answers_are_bounded() -> None:
    gate = asyncio.Event()
    begun = 0

    async def answer() -> None:
        await gate.wait()

    def receive(message: Any) -> Any:
        nonlocal begun
        begun += 1
        return answer()

    actor = Handler(receive)
    running = asyncio.create_task(actor.run())
    more = 3
    asking = [asyncio.create_task(actor.ask(0, HERE)) for _ in range(ANSWERS_PENDING_MAX + more)]
    await eventually(lambda: len(actor.mailbox) == more)
    assert begun == ANSWERS_PENDING_MAX
    gate.set()
    await asyncio.gather(*asking)
    await end(running)


async def test_every_asker_is_answered_when_the_actor_is_stopped() -> None:
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def wait_for_ever() -> None:
        await never

    actor = Handler(lambda message: wait_for_ever())
    running = asyncio.create_task(actor.run())
    begun = asyncio.create_task(actor.ask("begun", HERE))
    await eventually(lambda: actor._answers)
    late = asyncio.create_task(actor.ask("late", HERE))
    await asyncio.sleep(0)
    await end(running)
    # What was begun may have been done; what nobody read was not.
    with pytest.raises(Unknown):
        await begun
    with pytest.raises(OneOSError):
        await late
    with pytest.raises(NetworkError):
        await actor.ask("after", HERE)


async def test_actor_that_is_stopped_while_it_starts_is_stopped_in_order() -> None:
    class Slow(Handler):
        async def start(self) -> None:
            await super().start()
            await asyncio.Event().wait()

    actor = Slow(lambda message: None)
    running = asyncio.create_task(actor.run())
    asking = asyncio.create_task(actor.ask("early", HERE))
    await eventually(lambda: len(actor.mailbox))
    await end(running)
    assert actor.calls == ["start", "stop"]
    with pytest.raises(NetworkError, match="has stopped"):
        await asking


async def test_actor_ends_by_the_error_of_its_own_task() -> None:
    actor = Handler(lambda message: message)
    running = asyncio.create_task(actor.run())
    await actor.ask(1, HERE)
    actor.fail(FileError(5, "/disk"))
    with pytest.raises(FileError, match="/disk"):
        await running
    assert actor.calls == ["start", "stop"]
