"""Changing the number of voters, with nothing lost: `oneos voters N`.

The logs move to servers of a new generation. The steps: start the new, empty servers; freeze the
control log with a record, after which every other record is refused; put a barrier into the files
log, which fences its leader; copy the logs with their numbers; thaw the control log with a record
that names the new servers. That record is the moment of the change: before it anything that fails
is undone by a thaw without a name, after it every host that reads it moves.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import secrets
from typing import Any

from oneos.engine.client import Engine
from oneos.engine.growth import finish, replay, wait_for_voters
from oneos.engine.log import Log
from oneos.errors import OneOSError, UserError
from oneos.ids import HostName
from oneos.kernel import messages as m
from oneos.kernel.control_log import ControlLog
from oneos.limits import GROWTH_TIMEOUT_S, SERVICE_RETRY_S
from oneos.net.identity import Identity
from oneos.net.links import Links
from oneos.runtime.voters import read_ca_key, voter_of
from oneos.state import control_types as t

log = logging.getLogger(__name__)

CONTROL_LOG = "control"
FILES_LOG = "files"
VOTERS = (1, 3, 5)


async def grow(
    count: int,
    identity: Identity,
    control: ControlLog,
    links: Links,
) -> dict[str, Any]:
    """Make `count` live hosts carry the logs; voters that are dead are replaced.

    Raises:
        UserError: that number cannot be: not 1, 3 or 5, or there are not so many live core hosts.
        OneOSError: a step failed; the old servers go on.
    """
    view = _plan(count, control)
    if view is None:
        return _answer(control)
    members = control.state.members
    pins = [members[v.name].facts.key_pin for v in view.voters]
    prepare = m.PrepareVoter(view, pins, read_ca_key(identity))
    names = [voter.name for voter in view.voters]
    # The Runtime's own connection moves as soon as the record of the change is read, and what
    # came behind the copy is still to be fetched then: so there is one of our own to the old.
    old = await _connect(control.state.engine, identity)
    new: Engine | None = None
    frozen = False
    try:
        await asyncio.gather(*(links.call(x, "voter.prepare", prepare, None) for x in names))
        new = await _connect(view, identity)
        await wait_for_voters(new, len(names))
        await control.submit(t.Freeze(view.generation, identity.host))
        frozen = True
        sealed = await Log(old, FILES_LOG, identity.host).barrier()
        await replay(old, new, [CONTROL_LOG, FILES_LOG], len(names))
        await control.submit(t.Thaw(view.generation, view), GROWTH_TIMEOUT_S)
        frozen = False
        # The copy of the control log is applied up to the record of the change, and no further.
        ends = {CONTROL_LOG: control.applied, FILES_LOG: sealed}
        await _finish(old, new, ends, len(names))
    except BaseException:
        if control.state.engine.generation != view.generation:
            if frozen:
                await _thaw(view, control)
            await _abandon(view, names, links)
        raise
    finally:
        await old.close()
        if new is not None:
            await new.close()
    await control.settled()
    return _answer(control)


async def _thaw(view: t.EngineView, control: ControlLog) -> None:
    try:
        await control.submit(t.Thaw(view.generation, None))
    except OneOSError as error:
        # Another host has lifted a freeze that lasted too long, or will.
        log.warning("the freeze was not lifted by this host: %s", error)


async def _connect(view: t.EngineView, identity: Identity) -> Engine:
    return await Engine.connect(
        [(v.address, v.client_port) for v in view.voters],
        identity.ca_path,
        identity.certificate_path,
        identity.key_path,
        identity.host,
        voters=[v.name for v in view.voters],
        timeout_s=GROWTH_TIMEOUT_S,
    )


async def _finish(old: Engine, new: Engine, ends: dict[str, int], replicas: int) -> None:
    """Finish the copy, again and again: there is no way back any more."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + GROWTH_TIMEOUT_S
    while True:
        try:
            await finish(old, new, ends, replicas)
            return
        except OneOSError as error:
            if clock() > deadline:
                raise
            log.warning("the new servers are not complete yet: %s", error)
            await asyncio.sleep(SERVICE_RETRY_S)


def _plan(count: int, control: ControlLog) -> t.EngineView | None:
    if count not in VOTERS:
        raise UserError(
            f"there cannot be {count} voters",
            hint="1, 3 or 5: an even number tolerates no more losses than the odd one below it",
        )
    engine = control.state.engine
    core = [member for member in control.machine.alive() if member.facts.core]
    lost = [x.name for x in engine.voters if x.name not in {member.name for member in core}]
    if len(engine.voters) == count and not lost:
        return None
    if len(core) < count:
        raise UserError(
            f"{count} voters need {count} live core hosts; there are {len(core)}: "
            + ", ".join(member.name for member in core),
            errno=errno.EAGAIN,
            hint="join more hosts (without --edge) first",
        )
    present = [voter.name for voter in engine.voters]
    chosen = sorted(core, key=lambda member: (member.name not in present, member.name))[:count]
    generation = engine.generation + 1
    return t.EngineView(
        generation,
        [voter_of(member.name, member.facts, generation) for member in chosen],
        secrets.token_hex(4),
    )


async def _abandon(view: t.EngineView, names: list[HostName], links: Links) -> None:
    async def one(name: HostName) -> None:
        try:
            await links.call(name, "voter.abandon", m.AbandonVoter(view.mark), None)
        except OneOSError as error:
            log.warning("%s keeps a server that is not needed: %s", name, error)

    await asyncio.gather(*(one(name) for name in names))


def _answer(control: ControlLog) -> dict[str, Any]:
    engine = control.state.engine
    return {"generation": engine.generation, "voters": [voter.name for voter in engine.voters]}
