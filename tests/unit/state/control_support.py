"""A control machine driven by one line a record, for transcripts that read like a log."""

from __future__ import annotations

import errno
import itertools
from typing import Any

from oneos.ids import Epoch, HostName, Incarnation, Pid, ServiceName, SessionId
from oneos.state import control_types as t
from oneos.state.control import Control

VIEW = t.EngineView(1, [], "1")


def facts(core: bool = True, tags: list[str] | None = None) -> t.Facts:
    return t.Facts("10.0.0.1", 1, 2, 3, core, tags or [])


class Network:
    """A machine, and the words to speak to it; `log` holds every record with its author."""

    def __init__(self, rules: dict[str, Any] | None = None) -> None:
        self.machine = Control()
        self.log: list[tuple[str, t.Record]] = []
        self._ids = itertools.count(1)
        self.now = 0
        services = [
            t.ServiceRule(ServiceName(name), hosts)
            for name, hosts in (rules or {"scheduler": "core"}).items()
        ]
        self.found = t.Found("home", services, "", VIEW, HostName("hub"), facts(), 0)

    def say(self, author: str, command: t.Command, record_id: str = "") -> t.Result:
        record = t.Record(record_id or f"{author}.{next(self._ids)}", command)
        self.log.append((author, record))
        return self.machine.apply(author, record)

    def ok(self, author: str, command: t.Command) -> Any:
        result = self.say(author, command)
        assert result.errno == 0, result.message
        return result.value

    def refused(self, author: str, command: t.Command) -> str:
        """The name of the errno."""
        result = self.say(author, command)
        assert result.errno, "it was not refused"
        return errno.errorcode[result.errno]

    # --- words --------------------------------------------------------------------------------
    def begin(self, *names: str) -> dict[str, Incarnation]:
        """Found a network of which the named hosts are alive; answers their incarnations."""
        self.ok("hub", self.found)
        found = {"hub": self.arrive("hub")}
        for name in names:
            self.admit(name)
            found[name] = self.arrive(name)
        return found

    def admit(self, name: str, by: str = "hub") -> None:
        self.ok(by, t.AddToken(f"token of {name}", 100, self.now))
        self.ok(by, t.Admit(HostName(name), f"token of {name}", facts(), self.now))

    def arrive(self, name: str, core: bool = True, tags: list[str] | None = None) -> Incarnation:
        value = self.ok(name, t.Arrive(HostName(name), facts(core, tags), self.now))
        return Incarnation(value)

    def dead(self, name: str, incarnation: int) -> t.DeclareDead:
        return t.DeclareDead(HostName(name), Incarnation(incarnation), "silent", self.now)

    def spawn(self, host: str, incarnation: int, epoch: int, count: int = 1) -> t.Spawn:
        program = t.NewProcess(HostName(host), Incarnation(incarnation), [b"cat"], b"/")
        return t.Spawn(Epoch(epoch), SessionId(1), Pid(0), "root", [program] * count, self.now)

    def place(self, service: str = "scheduler") -> tuple[str, int]:
        """Who holds a service, in which epoch."""
        placed = self.machine.state.placements[ServiceName(service)]
        return placed.host, placed.epoch

    def states(self) -> dict[str, str]:
        return {name: member.state for name, member in self.machine.state.members.items()}
