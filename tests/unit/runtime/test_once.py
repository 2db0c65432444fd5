"""A change asked for twice under one number is done once, and both hear the same."""

import asyncio

import pytest

from oneos.errors import FileError
from oneos.limits import ONCE_MAX
from oneos.runtime.once import Once


async def same(outcome: object) -> object:
    return outcome


async def test_second_asker_gets_the_outcome_of_the_first_also_while_it_is_under_way() -> None:
    once, go_on, done = Once(), asyncio.Event(), list[int]()

    async def act() -> str:
        await go_on.wait()
        done.append(1)
        return "made"

    first = asyncio.ensure_future(once.do(7, act, same))
    second = asyncio.ensure_future(once.do(7, act, same))
    await asyncio.sleep(0)
    go_on.set()
    assert await first == await second == await once.do(7, act, same) == "made"
    assert done == [1]


async def test_failure_is_an_outcome_too() -> None:
    once = Once()

    async def act() -> None:
        raise FileError(17)

    for _ in range(2):
        with pytest.raises(FileError) as raised:
            await once.do(7, act, same)
        assert raised.value.errno == 17


async def test_what_was_opened_is_opened_again() -> None:
    once = Once()

    async def act() -> str:
        return "first"

    async def again(outcome: str) -> str:
        return f"again after {outcome}"

    assert await once.do(7, act, again) == "first"
    assert await once.do(7, act, again) == "again after first"


async def test_outcomes_are_bounded() -> None:
    once = Once()

    async def act() -> int:
        return 1

    for number in range(2 * ONCE_MAX):
        await once.do(number, act, same)
    assert len(once._outcomes) == ONCE_MAX
