"""The control state machine: members, placements, sessions, processes, tokens, voters.

Pure: `apply` is a function of the state and a record, so that every Runtime that follows the log
holds the same state, and a simulation can step it. Commands carry what they were decided on
(incarnation, epoch); one that was decided on something old is refused here, which makes the log's
order the only judge. Placement of the Kernel Agents is part of the machine: the record that takes
a host away also gives its services to another host, with the next epoch.
`tests/unit/state/test_control.py` shows the rules.
"""

from __future__ import annotations

import errno
from typing import Any

import msgspec
from msgspec import Struct, field

from oneos.ids import Epoch, HostName, Incarnation, ServiceName, SessionId
from oneos.limits import (
    CONTROL_RECORD_IDS_MAX,
    MEMBERS_MAX,
    SESSIONS_MAX,
    TOKENS_MAX,
)
from oneos.state import control_types as t
from oneos.state import pids, processes

_OF_THE_LIVING = (
    t.AddToken
    | t.Admit
    | t.DeclareDead
    | t.Forget
    | t.Place
    | t.OpenSession
    | t.CloseSession
    | t.Spawn
    | t.Assign
    | t.Postpone
    | t.Evict
    | t.Checkpointed
    | t.Move
    | t.Moved
    | t.Stayed
    | t.Release
    | t.Drain
    | t.Freeze
)
"""What only a host may say that is alive; the rest is fenced by what it carries."""


class ControlState(Struct):
    """All that the control log has decided. Serialises whole as a snapshot."""

    network: str = ""
    manifest: str = ""
    rules: list[t.ServiceRule] = field(default_factory=list)
    engine: t.EngineView = field(default_factory=lambda: t.EngineView(0, []))
    frozen_by: str = ""
    frozen_generation: int = 0
    members: dict[str, t.Member] = field(default_factory=dict)
    placements: dict[str, t.Placement] = field(default_factory=dict)
    processes: dict[int, t.Process] = field(default_factory=dict)
    sessions: dict[int, t.Session] = field(default_factory=dict)
    tokens: dict[str, t.JoinToken] = field(default_factory=dict)
    next_pid: int = 1
    next_sid: int = 1
    next_incarnation: int = 1
    recent: dict[str, t.Result] = field(default_factory=dict)


class Control:
    """The machine around a `ControlState`."""

    def __init__(self, state: ControlState | None = None) -> None:
        self.state = state or ControlState()

    def dump(self) -> bytes:
        """The whole state, for a snapshot."""
        return msgspec.msgpack.encode(self.state)

    @classmethod
    def load(cls, data: bytes) -> Control:
        """The machine as a snapshot left it."""
        return cls(msgspec.msgpack.decode(data, type=ControlState))

    def apply(self, author: str, record: t.Record) -> t.Result:
        """Apply one record of the log.

        Args:
            author: the host that appended it, as the engine authenticated it.
            record: the record; one whose id was applied before changes nothing again.
        """
        seen = self.state.recent.get(record.id)
        if seen is not None:
            return seen
        result = self._apply(author, record.command)
        recent = self.state.recent
        recent[record.id] = result
        while len(recent) > CONTROL_RECORD_IDS_MAX:
            del recent[next(iter(recent))]
        return result

    def _apply(self, author: str, command: t.Command) -> t.Result:
        s = self.state
        if s.frozen_by and not isinstance(command, t.Thaw | t.Nothing):
            return t.refuse(errno.EAGAIN, "the logs are moving to other servers")
        if not s.network and not isinstance(command, t.Found | t.Nothing):
            return t.refuse(errno.ENODEV, "the network has not been founded")
        own: Any = getattr(command, "host", author)
        speakers = [own]
        if isinstance(command, t.OpenSession) and (placed := self.holder("session")):
            # People log in at any host; it is the Session service that writes it down.
            speakers.append(placed.host)
        if (
            isinstance(command, t.Arrive | t.Depart | t.Ended | t.Become | t.OpenSession | t.Moved)
            and author not in speakers
        ):
            return t.refuse(errno.EPERM, f"{author} may not speak for {own}")
        if isinstance(command, _OF_THE_LIVING) and not self._is_alive(author):
            # It was given up and does not know it yet: what it decides, it decided on old news.
            return t.refuse(errno.ESTALE, f"{author} is not alive itself")
        if isinstance(command, t.Thaw) and command.engine and s.frozen_by not in ("", author):
            return t.refuse(errno.ESTALE, f"the logs were frozen by {s.frozen_by} meanwhile")
        handler = getattr(self, "_" + type(command).__name__.lower())
        result: t.Result = handler(command)
        return result

    # --- network and members ------------------------------------------------------------------
    def _found(self, c: t.Found) -> t.Result:
        s = self.state
        if s.network:
            return t.refuse(errno.EEXIST, f"the network {s.network} is there already")
        s.network, s.rules, s.manifest, s.engine = c.network, c.rules, c.manifest, c.engine
        s.members[c.host] = t.Member(c.host, c.facts, Incarnation(0), "admitted", c.now_ns)
        return t.Result()

    def _addtoken(self, c: t.AddToken) -> t.Result:
        tokens = self.state.tokens
        for old in [k for k, v in tokens.items() if v.expires_ns < c.now_ns]:
            del tokens[old]
        if len(tokens) >= TOKENS_MAX:
            return t.refuse(errno.ENOSPC, f"{TOKENS_MAX} join tokens are open already")
        tokens[c.secret_hash] = t.JoinToken(c.expires_ns)
        return t.Result()

    def _admit(self, c: t.Admit) -> t.Result:
        s = self.state
        token = s.tokens.get(c.secret_hash)
        if token is None:
            return t.refuse(errno.EACCES, "the join token is not known here")
        member = s.members.get(c.host)
        if token.used_by == c.host and member is not None and member.state == "admitted":
            # The same host asks again: its first answer was lost on the way. Once it has arrived
            # it has its answer, and whoever shows the token then is somebody else.
            return t.Result()
        if token.used_by:
            return t.refuse(errno.EACCES, f"the join token was used by {token.used_by}")
        if token.expires_ns < c.now_ns:
            return t.refuse(errno.EACCES, "the join token has expired")
        if c.host in s.members:
            return t.refuse(errno.EEXIST, f"a host named {c.host} is in the network already")
        if len(s.members) >= MEMBERS_MAX:
            return t.refuse(errno.ENOSPC, f"the network has {MEMBERS_MAX} hosts already")
        s.tokens[c.secret_hash] = t.JoinToken(token.expires_ns, used_by=c.host)
        s.members[c.host] = t.Member(c.host, c.facts, Incarnation(0), "admitted", c.now_ns)
        return t.Result()

    def _arrive(self, c: t.Arrive) -> t.Result:
        s = self.state
        member = s.members.get(c.host)
        if member is None:
            return t.refuse(errno.EACCES, f"{c.host} is not a member of {s.network}")
        if member.incarnation:
            self._end_host(c.host, member.incarnation, c.now_ns, f"{c.host} restarted")
        incarnation = Incarnation(s.next_incarnation)
        s.next_incarnation += 1
        block = member.block
        if c.numbers and block == pids.NO_BLOCK:
            block = pids.free_block({x.block for x in s.members.values()})
        s.members[c.host] = t.Member(
            c.host, c.facts, incarnation, "alive", c.now_ns, block, member.draining
        )
        # What a service knew in memory is gone with the old incarnation: a new epoch says so.
        self._place_all(restarted=c.host)
        return t.Result(value=incarnation)

    def _gone(self, host: HostName, incarnation: int, state: str, why: str, ns: int) -> t.Result:
        s = self.state
        member = s.members.get(host)
        if member is None:
            return t.refuse(errno.ESRCH, f"no member is named {host}")
        if member.incarnation != incarnation or member.state != "alive":
            return t.refuse(errno.ESTALE, f"that incarnation of {host} is over")
        s.members[host] = msgspec.structs.replace(member, state=state, since_ns=ns)
        self._end_host(host, Incarnation(incarnation), ns, why)
        self._place_all()
        return t.Result()

    def _depart(self, c: t.Depart) -> t.Result:
        return self._gone(c.host, c.incarnation, "left", f"{c.host} left", c.now_ns)

    def _declaredead(self, c: t.DeclareDead) -> t.Result:
        return self._gone(c.host, c.incarnation, "dead", f"{c.host} died: {c.reason}", c.now_ns)

    def _forget(self, c: t.Forget) -> t.Result:
        s = self.state
        member = s.members.get(c.host)
        if member is None:
            return t.refuse(errno.ESRCH, f"no member is named {c.host}")
        if member.state == "alive":
            return t.refuse(errno.EBUSY, f"{c.host} is alive: stop it first")
        if any(v.name == c.host for v in s.engine.voters):
            return t.refuse(errno.EBUSY, f"{c.host} is a voter: change the voters first")
        del s.members[c.host]
        return t.Result()

    def _drain(self, c: t.Drain) -> t.Result:
        s = self.state
        member = s.members.get(c.member)
        if member is None:
            return t.refuse(errno.ESRCH, f"no member is named {c.member}")
        s.members[c.member] = msgspec.structs.replace(member, draining=c.on)
        for rule in s.rules if c.on else ():
            placed = s.placements.get(rule.name)
            if placed is not None and placed.host == c.member:
                host = self._choose(rule)
                if host != c.member:
                    s.placements[rule.name] = t.Placement(rule.name, host, Epoch(placed.epoch + 1))
        return t.Result()

    def _end_host(self, host: str, incarnation: Incarnation, now_ns: int, reason: str) -> None:
        s = self.state
        processes.host_gone(s, host, incarnation, now_ns, reason)
        for sid, session in list(s.sessions.items()):
            if (session.host, session.incarnation) == (host, incarnation):
                del s.sessions[sid]

    # --- placement ----------------------------------------------------------------------------
    def _place_all(self, restarted: str = "") -> None:
        s = self.state
        for rule in s.rules:
            old = s.placements.get(rule.name)
            epoch = old.epoch if old else Epoch(0)
            holder = s.members.get(old.host) if old else None
            if holder and holder.state == "alive" and self._may(rule, holder):
                if holder.name == restarted:
                    s.placements[rule.name] = t.Placement(rule.name, holder.name, Epoch(epoch + 1))
                continue
            host = self._choose(rule)
            if host or (old and old.host):
                s.placements[rule.name] = t.Placement(rule.name, host, Epoch(epoch + 1))

    def _may(self, rule: t.ServiceRule, member: t.Member) -> bool:
        if isinstance(rule.hosts, list):
            return member.name in rule.hosts and member.facts.core
        if rule.hosts.startswith("tag:"):
            return rule.hosts[4:] in member.facts.tags and member.facts.core
        # Every service needs the log close by, so an edge host runs one only where "any" is said.
        return member.facts.core or rule.hosts == "any"

    def _choose(self, rule: t.ServiceRule) -> HostName:
        s = self.state
        held = [p.host for p in s.placements.values()]
        able = [m for m in s.members.values() if m.state == "alive" and self._may(rule, m)]
        if not able:
            return HostName("")
        # The same answer on every host: core before edge, fewest services, then the name.
        return min(
            able, key=lambda m: (m.draining, not m.facts.core, held.count(m.name), m.name)
        ).name

    def _place(self, c: t.Place) -> t.Result:
        s = self.state
        old = s.placements.get(c.service)
        member = s.members.get(c.host)
        rule = next((r for r in s.rules if r.name == c.service), None)
        if old is None or rule is None:
            return t.refuse(errno.ENOENT, f"no service is named {c.service}")
        if old.epoch != c.expect_epoch:
            return t.refuse(errno.ESTALE, f"{c.service} has moved to epoch {old.epoch}")
        if member is None or member.state != "alive" or not self._may(rule, member):
            return t.refuse(errno.EINVAL, f"{c.service} may not run on {c.host} now")
        s.placements[c.service] = t.Placement(c.service, c.host, Epoch(old.epoch + 1))
        return t.Result(value=old.epoch + 1)

    # --- sessions and processes ---------------------------------------------------------------
    def _opensession(self, c: t.OpenSession) -> t.Result:
        s = self.state
        member = s.members.get(c.host)
        if member is None or member.incarnation != c.incarnation or member.state != "alive":
            return t.refuse(errno.ESTALE, f"that incarnation of {c.host} is over")
        if len(s.sessions) >= SESSIONS_MAX:
            return t.refuse(errno.ENOSPC, f"{SESSIONS_MAX} sessions are open already")
        sid = SessionId(s.next_sid)
        s.next_sid += 1
        s.sessions[sid] = t.Session(sid, c.user, c.host, c.incarnation, c.now_ns)
        return t.Result(value=sid)

    def _closesession(self, c: t.CloseSession) -> t.Result:
        if self.state.sessions.pop(c.sid, None) is None:
            return t.refuse(errno.ESRCH, f"no session {c.sid}")
        return t.Result()

    def _spawn(self, c: t.Spawn) -> t.Result:
        return processes.spawn(self.state, c)

    def _assign(self, c: t.Assign) -> t.Result:
        return processes.assign(self.state, c)

    def _postpone(self, c: t.Postpone) -> t.Result:
        return processes.postpone(self.state, c)

    def _evict(self, c: t.Evict) -> t.Result:
        return processes.evict(self.state, c)

    def _move(self, c: t.Move) -> t.Result:
        return processes.move(self.state, c)

    def _moved(self, c: t.Moved) -> t.Result:
        return processes.moved(self.state, c)

    def _checkpointed(self, c: t.Checkpointed) -> t.Result:
        return processes.checkpointed(self.state, c)

    def _stayed(self, c: t.Stayed) -> t.Result:
        return processes.stayed(self.state, c)

    def _release(self, c: t.Release) -> t.Result:
        return processes.release(self.state, c)

    def _ended(self, c: t.Ended) -> t.Result:
        return processes.ended(self.state, c)

    def _become(self, c: t.Become) -> t.Result:
        return processes.become(self.state, c)

    # --- voters -------------------------------------------------------------------------------
    def _freeze(self, c: t.Freeze) -> t.Result:
        s = self.state
        if c.generation != s.engine.generation + 1:
            return t.refuse(errno.ESTALE, f"the engine is at generation {s.engine.generation}")
        s.frozen_by, s.frozen_generation = c.by, c.generation
        return t.Result()

    def _thaw(self, c: t.Thaw) -> t.Result:
        s = self.state
        if not s.frozen_by or c.generation != s.frozen_generation:
            return t.refuse(errno.ESTALE, "nothing is frozen for that generation")
        s.frozen_by, s.frozen_generation = "", 0
        if c.engine is not None:
            s.engine = c.engine
        return t.Result()

    def _nothing(self, c: t.Nothing) -> t.Result:
        return t.Result()

    # --- reads --------------------------------------------------------------------------------
    def holder(self, service: str) -> t.Placement | None:
        """Who runs a service, or None while nobody does."""
        placed = self.state.placements.get(ServiceName(service))
        return placed if placed and placed.host else None

    def _is_alive(self, host: str) -> bool:
        member = self.state.members.get(host)
        return member is not None and member.state == "alive"

    def alive(self) -> list[t.Member]:
        """The live members, by name."""
        members = self.state.members
        return [members[n] for n in sorted(members) if members[n].state == "alive"]
