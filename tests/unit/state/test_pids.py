"""Numbers of programs: bounded, never given twice at once, and each of one host."""

import msgspec
import pytest

from oneos.ids import HostName, Pid
from oneos.limits import MEMBERS_MAX, PID_BLOCK, PID_BLOCKS, PID_FIRST, PID_LOGGED_END
from oneos.state import control_types as t
from oneos.state import pids
from oneos.state.control import Control
from tests.unit.state.control_support import Network, facts

KERNEL_PIDS = 1 << 22


def spawn(net: Network, host: str, incarnation: int, count: int = 1) -> list[int]:
    command = net.spawn(host, incarnation, net.place()[1], count)
    return list(net.ok("hub", msgspec.structs.replace(command, bounded=True)))


def arrive(net: Network, name: str) -> int:
    """Have a host arrive that wants numbers; which block it has then."""
    net.ok(name, t.Arrive(HostName(name), facts(), 0, numbers=True))
    return net.machine.state.members[name].block


def test_every_host_of_the_largest_network_has_numbers_that_the_kernel_knows() -> None:
    assert PID_BLOCKS >= MEMBERS_MAX
    assert pids.first_of(PID_BLOCKS) <= KERNEL_PIDS


@pytest.mark.parametrize(
    ("pid", "block"),
    [
        (-1, pids.NO_BLOCK),
        (1, pids.NO_BLOCK),
        (PID_LOGGED_END - 1, pids.NO_BLOCK),
        (PID_LOGGED_END, 0),
        (PID_LOGGED_END + PID_BLOCK - 1, 0),
        (PID_LOGGED_END + PID_BLOCK, 1),
        (KERNEL_PIDS - 1, PID_BLOCKS - 1),
        (KERNEL_PIDS, pids.NO_BLOCK),
    ],
)
def test_a_number_says_whose_it_is(pid: int, block: int) -> None:
    assert pids.block_of(pid) == block


def test_numbers_of_the_log_begin_again_and_pass_over_those_in_use() -> None:
    net = Network()
    incarnation = net.begin()["hub"]
    assert spawn(net, "hub", incarnation, 2) == [PID_FIRST, PID_FIRST + 1]
    net.ok("hub", t.Ended(HostName("hub"), incarnation, [(Pid(PID_FIRST + 1), 0)], 0))
    net.machine.state.next_pid = PID_LOGGED_END - 1
    # One that has ended is in the table still, for whoever asks how.
    assert spawn(net, "hub", incarnation, 3) == [PID_LOGGED_END - 1, PID_FIRST + 2, PID_FIRST + 3]


def test_records_from_before_there_was_a_bound_give_what_they_gave() -> None:
    net = Network()
    incarnation = net.begin()["hub"]
    command = net.spawn("hub", incarnation, net.place()[1], 2)
    assert net.ok("hub", command) == [1, 2]
    net.machine.state.next_pid = PID_LOGGED_END
    assert net.ok("hub", command) == [PID_LOGGED_END, PID_LOGGED_END + 1]
    assert net.machine.state.members["hub"].block == pids.NO_BLOCK


def test_a_host_keeps_its_block_until_it_is_struck_off_and_the_lowest_is_given_next() -> None:
    net = Network()
    net.begin()
    blocks = [arrive(net, "hub")]
    for name in ("lab", "pi"):
        net.admit(name)
        blocks.append(arrive(net, name))
    assert blocks == [0, 1, 2]
    assert arrive(net, "lab") == 1
    incarnation = net.machine.state.members["lab"].incarnation
    net.ok("lab", t.Depart(HostName("lab"), incarnation, 0))
    assert arrive(net, "lab") == 1
    net.ok("hub", net.dead("lab", net.machine.state.members["lab"].incarnation))
    net.ok("hub", t.Forget(HostName("lab"), 0))
    net.admit("new")
    assert arrive(net, "new") == 1


def test_blocks_and_numbers_are_in_a_snapshot() -> None:
    net = Network()
    net.begin()
    arrive(net, "hub")
    machine = Control.load(net.machine.dump())
    assert machine.state == net.machine.state
    assert machine.state.members["hub"].block == 0
