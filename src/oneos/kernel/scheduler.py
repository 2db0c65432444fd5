"""The Scheduler Kernel Agent: which host a program runs on, and its entry in the process table.

Where one may run and where it is best decide `demands.py` and `placement.py`. A decision is a
record that names the Scheduler's epoch and each host's incarnation, so one made on old news is
refused by the log and made again. What waits for a host, or to be started again, is the
`Supervision`'s; what leaves a host that has too much to do `relief.py` says.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable

from oneos.actor.actor import Actor, Address
from oneos.errors import Fenced, NetworkError, OneOSError, UserError
from oneos.ids import HostName, Incarnation, Pid, SessionId
from oneos.kernel import demands, placement
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog, now_ns
from oneos.kernel.relief import Relief
from oneos.kernel.supervision import Supervision
from oneos.limits import APPEND_RETRIES_MAX, RELIEF_LOOK_S
from oneos.state import control_types as t

log = logging.getLogger(__name__)


class Scheduler(Actor):
    """The agent.

    Args:
        address: with the epoch it was placed with.
        control: what is known of hosts and processes, and where decisions are agreed on.
        load: the load a host told last: running tasks a core.
        busy: asks a host what its programs take of its processors.
    """

    def __init__(
        self,
        address: Address,
        control: ControlLog,
        load: Callable[[str], float | None],
        busy: Callable[[HostName], Awaitable[list[m.Busy]]],
    ) -> None:
        super().__init__(address)
        self._control = control
        self._load = load
        self._supervision = Supervision(address.epoch, control, self._rooms)
        self._busy = busy
        self._relief = Relief()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        for work, name in ((self._supervision.run(), "supervision"), (self._relieve(), "relief")):
            task = asyncio.create_task(work, name=name)
            task.add_done_callback(self._over)
            self._tasks.append(task)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _over(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    def receive(self, message: m.SchedulerMessage, sender: HostName) -> object:
        if isinstance(message, m.Migrate):
            return self._migrate(message)
        return self._schedule(message)

    def _rooms(self) -> dict[HostName, demands.Room]:
        state = self._control.state
        rooms = demands.rooms(state.members.values(), state.processes.values())
        for name, room in rooms.items():
            room.load = self._load(name)
        return rooms

    async def _migrate(self, message: m.Migrate) -> str:
        process = self._control.state.processes.get(message.pid)
        if process is None or process.state != "running":
            raise UserError(f"no process {message.pid} runs", errno=errno.ESRCH)
        rooms = self._rooms()
        wanted = self._wanted(process, message.host, rooms)
        if message.host and message.host not in rooms:
            raise UserError(
                f"host {message.host} is not up",
                errno=errno.EHOSTDOWN,
                hint=f"live hosts: {', '.join(sorted(rooms))}",
            )
        able = {
            name: room
            for name, room in _able(process, wanted, rooms).items()
            if message.host in ("", name)
        }
        if message.host == process.host:
            raise UserError(f"process {process.pid} is on {process.host}", errno=errno.EEXIST)
        if message.host and not able:
            why = demands.refuses(wanted, rooms[HostName(message.host)])
            raise UserError(f"it cannot run on {message.host}, which {why}", errno=errno.EINVAL)
        (choice,) = placement.place([placement.Wish(wanted)], process.asker, able)
        if choice.failure is not None:
            others = {name: room for name, room in rooms.items() if name != process.host}
            reasons = "; ".join(f"{x} {demands.refuses(wanted, others[x])}" for x in sorted(others))
            raise UserError(
                f"no other host can run it: {reasons or 'there is none'}", errno=errno.EAGAIN
            )
        member = able[choice.host].member
        await self._control.submit(
            t.Move(
                self.address.epoch,
                process.pid,
                process.attempt,
                member.name,
                member.incarnation,
                message.wait_s,
            )
        )
        return member.name

    def _wanted(
        self, process: t.Process, host: str, rooms: dict[HostName, demands.Room]
    ) -> t.Demands:
        """What a running program asks of the host that it goes on at."""
        here = rooms.get(process.host)
        return demands.as_it_runs(
            process.demands or t.Demands("python"),
            host,
            here.member.facts.interpreters if here is not None else {},
        )

    # --- relief ---------------------------------------------------------------------------------
    async def _relieve(self) -> None:
        """Move programs away from hosts that have too much to do, for ever."""
        while True:
            await asyncio.sleep(RELIEF_LOOK_S)
            try:
                await self._relieve_once(asyncio.get_running_loop().time())
            except OneOSError as error:
                # Decided on old news, or the host does not answer: look again.
                log.info("relief: %s", error)

    async def _relieve_once(self, now_s: float) -> None:
        host = self._relief.overloaded(self._rooms(), now_s)
        if host is None:
            return
        busy = await self._busy(host)
        rooms, processes = self._rooms(), self._control.state.processes

        def able(pid: int) -> dict[HostName, demands.Room]:
            process = processes.get(Pid(pid))
            if process is None or process.host != host or process.target or process.back:
                return {}
            return _able(process, self._wanted(process, "", rooms), rooms)

        chosen = self._relief.choose(host, busy, able, rooms, now_s) if host in rooms else None
        if chosen is None:
            return
        pid, target = chosen
        process, member = processes[Pid(pid)], rooms[target].member
        log.info("process %d goes from %s, which has too much to do, to %s", pid, host, target)
        self._relief.moved(pid, host, target, now_s)
        await self._control.submit(
            t.Move(
                self.address.epoch, process.pid, process.attempt, member.name, member.incarnation
            )
        )

    # --- placing --------------------------------------------------------------------------------
    async def _schedule(self, message: m.Schedule) -> list[m.Placed]:
        for _ in range(APPEND_RETRIES_MAX):
            try:
                return await self._try(message)
            except NetworkError as error:
                # A host restarted or died between the look and the record.
                if error.errno != errno.ESTALE:
                    raise
                await self._control.barrier()
                placed = self._control.machine.holder("scheduler")
                if placed is None or placed.epoch != self.address.epoch:
                    # Whoever asked asks the new one.
                    raise Fenced("the Scheduler has moved") from error
        raise NetworkError("the network changes too fast to place programs", errno=errno.EAGAIN)

    async def _try(self, message: m.Schedule) -> list[m.Placed]:
        state = self._control.state
        alive = self._rooms()
        wishes = [
            placement.Wish(x.demands, x.follows, x.from_asker, x.to_asker, x.child)
            for x in message.wishes
        ]
        choices = placement.place(wishes, HostName(message.home_host), alive)
        waits = message.wait and any(choice.failure for choice in choices)
        if waits and any(
            demands.is_hopeless(wish.demands, state.members.values()) for wish in wishes
        ):
            waits = False
        if message.dry:
            return [_placed(0, choice) for choice in choices]
        programs = []
        for wish, choice in zip(message.wishes, choices, strict=True):
            if waits:
                why = [choice.failure.message] if choice.failure else ["the others wait"]
                programs.append(_program(wish, None, why))
            elif choice.failure is None:
                programs.append(_program(wish, alive[choice.host].member, choice.why))
        pids: list[int] = []
        if programs:
            asker = state.members.get(HostName(message.home_host))
            pids = await self._control.submit(
                t.Spawn(
                    self.address.epoch,
                    SessionId(message.sid),
                    Pid(message.ppid),
                    message.user,
                    programs,
                    now_ns(),
                    bounded=True,
                    asker=HostName(message.home_host),
                    asker_incarnation=asker.incarnation if asker else Incarnation(0),
                )
            )
        if waits:
            return [m.Placed(pid, "") for pid in pids]
        return [_placed(0 if choice.failure else pids.pop(0), choice) for choice in choices]


def _able(
    process: t.Process, wanted: t.Demands, rooms: dict[HostName, demands.Room]
) -> dict[HostName, demands.Room]:
    """The other hosts where a program may go on."""
    return {
        name: room
        for name, room in rooms.items()
        if name != process.host and not demands.refuses(wanted, room)
    }


def _program(wish: m.Wish, member: t.Member | None, why: list[str]) -> t.NewProcess:
    return t.NewProcess(
        member.name if member else HostName(""),
        member.incarnation if member else Incarnation(0),
        wish.argv,
        wish.cwd,
        t.context_of(wish.demands.interpreter, member.facts.context) if member else "",
        why,
        # What another program starts is placed once; nobody asks for its demands again.
        None if wish.child else wish.demands,
        wish.template,
    )


def _placed(pid: int, choice: placement.Choice) -> m.Placed:
    failure = choice.failure
    if failure is None:
        return m.Placed(pid, choice.host, why=choice.why)
    return m.Placed(0, "", failure.errno or errno.EINVAL, failure.message, failure.hint)
