"""Commits that come while another is under way go together, and each has its own outcome."""

import asyncio
from collections.abc import Sequence

import pytest

from oneos.errors import FileError
from oneos.files import grouped
from oneos.files.grouped import Asked, Grouped
from oneos.files.home import Home, unknown
from tests.support.waiting import eventually


def asked(ino: int) -> Asked:
    return Asked(Home(unknown(ino, 1)), True)


class Disk:
    """Commits one file by itself, or several; each when it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.alone: list[int] = []
        self.groups: list[list[int]] = []
        self.fails: set[int] = set()
        self.grouped = Grouped(self.together)

    async def together(self, some: Sequence[Asked]) -> set[int]:
        inos = [one.home.inode.ino for one in some]
        self.groups.append(list(inos))
        await self.may.wait()
        if 0 in self.fails:
            raise FileError(28)
        return set(inos) - self.fails

    def begin(self, ino: int) -> asyncio.Task[None]:
        async def alone() -> None:
            self.alone.append(ino)
            await self.may.wait()
            if ino in self.fails:
                raise FileError(28)

        return asyncio.create_task(self.grouped.commit(asked(ino), alone))


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_who_comes_meanwhile_goes_with_the_next_group() -> None:
    disk = Disk()
    tasks = [disk.begin(ino) for ino in range(1, 6)]
    await turns()
    assert (disk.alone, disk.groups) == ([1], [])
    disk.may.set()
    await asyncio.gather(*tasks)
    assert (disk.alone, disk.groups) == ([1], [[2, 3, 4, 5]])
    await disk.begin(6)
    assert disk.alone == [1, 6]


@pytest.mark.parametrize("fails", [{3}, {0, 3}])
async def test_what_fails_with_others_fails_alone_and_the_others_do_not(fails: set[int]) -> None:
    disk = Disk()
    disk.fails = fails
    tasks = [disk.begin(ino) for ino in range(1, 5)]
    await turns()
    disk.may.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(one, FileError) for one in done] == [False, False, True, False]
    assert 3 in disk.alone


async def test_the_first_one_that_fails_lets_the_others_go_on() -> None:
    disk = Disk()
    disk.fails = {1}
    tasks = [disk.begin(ino) for ino in (1, 2)]
    await turns()
    disk.may.set()
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(one, FileError) for one in done] == [True, False]


async def test_nobody_waits_long_for_one_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouped, "GROUP_WAIT_S", 0.0)
    disk = Disk()
    hanging = disk.begin(1)
    other = disk.begin(2)
    await eventually(lambda: disk.alone == [1, 2])
    disk.may.set()
    await asyncio.gather(hanging, other)
    assert disk.groups == []


async def test_who_is_cancelled_holds_his_lock_until_the_group_is_done() -> None:
    disk = Disk()
    first, second = disk.begin(1), disk.begin(2)
    await turns()
    gate, disk.may = disk.may, asyncio.Event()
    gate.set()
    await first
    await turns()
    assert disk.groups == [[2]]
    second.cancel()
    await turns()
    assert not second.done()
    disk.may.set()
    with pytest.raises(asyncio.CancelledError):
        await second
    await disk.begin(3)
