"""Supervision one for one: who fails is started anew, less and less eagerly, and then given up."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from oneos.actor import supervisor as module
from oneos.actor.actor import Actor, Address
from oneos.actor.supervisor import RestartPolicy, Supervisor
from oneos.errors import OneOSError
from oneos.ids import Epoch, HostName
from tests.support.waiting import eventually


class Worker(Actor):
    """Fails, or ends, when it is told to."""

    def __init__(self, name: str, log: list[str]) -> None:
        super().__init__(Address(HostName("hub"), name, Epoch(1)))
        self.log = log

    async def start(self) -> None:
        self.log.append(f"start {self.address.name}")

    async def stop(self) -> None:
        self.log.append(f"stop {self.address.name}")

    def receive(self, message: Any, sender: HostName) -> Any:
        return message


class Bench:
    def __init__(self) -> None:
        self.log: list[str] = []
        self.given_up: list[tuple[str, BaseException | None]] = []
        self.supervisor = Supervisor(lambda name, error: self.given_up.append((name, error)))

    def add(self, name: str, policy: RestartPolicy | None = None) -> None:
        self.supervisor.add(
            name, lambda: Worker(name, self.log), policy or RestartPolicy(restarts_max=3)
        )

    async def running(self, name: str) -> Actor:
        await eventually(lambda: self.supervisor.get(name))
        actor = self.supervisor.get(name)
        assert actor is not None
        await actor.ask("up", HostName("hub"))
        return actor

    async def fail(self, name: str) -> None:
        actor = await self.running(name)
        actor.fail(OneOSError("broken"))
        await eventually(lambda: self.supervisor.get(name) is not actor)


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(module, "RESTART_WAIT_FIRST_S", 0.001)
    bench = Bench()
    yield bench
    await bench.supervisor.close()


async def test_failed_actor_is_started_anew_and_the_others_go_on(bench: Bench) -> None:
    bench.add("one")
    bench.add("two")
    other = await bench.running("two")
    await bench.fail("one")
    await bench.running("one")
    assert bench.supervisor.get("two") is other
    assert bench.log.count("start one") == 2
    assert bench.log.count("start two") == 1


async def test_actor_that_fails_too_often_is_given_up(bench: Bench) -> None:
    bench.add("one", RestartPolicy(restarts_max=2, window_s=60))
    for _ in range(3):
        await bench.fail("one")
    await eventually(lambda: bench.given_up)
    [(name, error)] = bench.given_up
    assert name == "one"
    assert str(error) == "broken"
    assert bench.supervisor.states() == {"one": "failed"}
    assert bench.log.count("start one") == 3


async def test_restarts_long_ago_do_not_count(bench: Bench) -> None:
    bench.add("one", RestartPolicy(restarts_max=1, window_s=0.02))
    for _ in range(4):
        await bench.fail("one")
        await asyncio.sleep(0.03)
    assert not bench.given_up
    await bench.running("one")


async def test_each_restart_waits_longer(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def noted(delay: float) -> None:
        waits.append(delay)
        await sleep(0)

    monkeypatch.setattr(module, "RESTART_WAIT_FIRST_S", 1.0)
    monkeypatch.setattr(module, "RESTART_WAIT_MAX_S", 3.0)
    monkeypatch.setattr(asyncio, "sleep", noted)
    supervisor = Supervisor(lambda name, error: None)

    def make() -> Actor:
        raise OneOSError("cannot be made")

    supervisor.add("one", make, RestartPolicy(restarts_max=4))
    while supervisor.states()["one"] != "failed":
        await sleep(0.001)
    await supervisor.close()
    assert waits == [1.0, 2.0, 3.0, 3.0]


@pytest.mark.parametrize(
    ("restart", "fails", "state"),
    [("never", True, "failed"), ("on-failure", True, "running"), ("always", True, "running")],
)
async def test_policy_says_when_to_start_again(
    bench: Bench, restart: str, fails: bool, state: str
) -> None:
    bench.add("one", RestartPolicy(restart=restart))
    await bench.fail("one")
    await eventually(lambda: bench.supervisor.states() == {"one": state})


async def test_something_cancelled_under_an_actor_is_a_failure_of_it(bench: Bench) -> None:
    class Waiting(Worker):
        async def start(self) -> None:
            await super().start()
            if self.log.count("start one") == 1:
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                future.cancel()
                await future

    bench.supervisor.add("one", lambda: Waiting("one", bench.log), RestartPolicy())
    await eventually(lambda: bench.log.count("start one") == 2)
    await bench.running("one")


async def test_removed_actor_is_stopped_and_its_name_is_free(bench: Bench) -> None:
    bench.add("one")
    await bench.running("one")
    await bench.supervisor.remove("one")
    assert bench.log == ["start one", "stop one"]
    assert bench.supervisor.get("one") is None
    bench.add("one")
    with pytest.raises(ValueError, match="supervised already"):
        bench.add("one")
    await bench.running("one")
