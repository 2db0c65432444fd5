"""What hosts were granted to keep is called back before a change is answered, whatever they do."""

import asyncio

import pytest

from oneos.errors import NetworkError
from oneos.ids import HostName
from oneos.kernel import grants as module
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog, now_ns
from oneos.kernel.grants import Grants
from oneos.state import control_types as t
from tests.support.waiting import WAIT_S
from tests.unit.engine.conftest import bench, certificates  # noqa: F401  Fixtures.
from tests.unit.kernel.conftest import world  # noqa: F401
from tests.unit.kernel.support import HUB, LAB, World


class Hosts:
    """The hosts that are called: `away` do not answer."""

    def __init__(self) -> None:
        self.called: list[tuple[HostName, list[int]]] = []
        self.away: set[HostName] = set()
        self.held = asyncio.Event()
        self.held.set()

    async def call(self, host: HostName, recall: m.Recall) -> None:
        await self.held.wait()
        self.called.append((host, sorted(recall.inos)))
        if host in self.away:
            raise NetworkError("no answer")


@pytest.fixture
async def control(world: World) -> ControlLog:  # noqa: F811
    control = await world.start()
    await world.join(control, LAB, 1)
    await world.arrive(await world.control(LAB))
    await control.barrier()
    return control


async def test_only_who_was_granted_what_changed_is_called(control: ControlLog) -> None:
    hosts = Hosts()
    grants = Grants(control, hosts.call)
    assert grants.grant(HUB, [1, 2]) and grants.grant(LAB, [2, 3])
    waiting = grants.recall([2, 9], None)
    assert waiting is not None
    await waiting
    assert sorted(hosts.called) == [(HUB, [2]), (LAB, [2])]
    # Called back once; what did not change is still theirs.
    assert grants.recall([2], None) is None
    waiting = grants.recall([3], None)
    assert waiting is not None
    await waiting
    assert hosts.called[-1] == (LAB, [3])


async def test_host_whose_kernel_made_the_change_keeps_its_grant(control: ControlLog) -> None:
    hosts = Hosts()
    grants = Grants(control, hosts.call)
    grants.grant(HUB, [1])
    assert grants.recall([1], HUB) is None
    waiting = grants.recall([1], LAB)
    assert waiting is not None
    await waiting
    assert hosts.called == [(HUB, [1])]


async def test_change_waits_for_a_host_until_the_log_says_that_it_is_dead(
    control: ControlLog,
) -> None:
    hosts = Hosts()
    hosts.away = {LAB}
    grants = Grants(control, hosts.call)
    grants.grant(LAB, [1])
    waiting = grants.recall([1], None)
    assert waiting is not None
    change = asyncio.ensure_future(waiting)
    async with asyncio.timeout(WAIT_S):
        while len(hosts.called) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert not change.done()
    incarnation = control.state.members[LAB].incarnation
    await control.submit(t.DeclareDead(LAB, incarnation, "silent", now_ns()))
    async with asyncio.timeout(WAIT_S):
        await change


async def test_new_holder_of_the_service_calls_everything_back_before_its_first_answer(
    control: ControlLog,
) -> None:
    hosts = Hosts()
    hosts.held.clear()
    grants = Grants(control, hosts.call)
    grants.start()
    # Nothing is known to be granted, and yet it has to wait.
    waiting = grants.recall([1], None)
    assert waiting is not None
    change = asyncio.ensure_future(waiting)
    await asyncio.sleep(0)
    assert not change.done()
    hosts.held.set()
    async with asyncio.timeout(WAIT_S):
        await change
    assert sorted(hosts.called) == [(HUB, []), (LAB, [])]
    assert grants.recall([1], None) is None


async def test_grants_are_bounded_and_old_ones_go_when_they_have_ended(
    control: ControlLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRANTS_MAX", 3)
    grants = Grants(control, Hosts().call)
    assert grants.grant(HUB, [1, 2, 3])
    assert not grants.grant(HUB, [4])
    monkeypatch.setattr(module, "GRANTS_KEPT_S", 0.0)
    assert grants.grant(HUB, [4])
    # Those of the generation before are called back still.
    waiting = grants.recall([1], None)
    assert waiting is not None
    await waiting
    assert len(grants) == 3
