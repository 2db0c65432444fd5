"""The Kernel Agents that run on this host: started and stopped as the control log places them.

The log says which host holds a service, with which epoch; this makes it so here, under the
supervisor and by the manifest's restart policy. A service that fails too often here is offered to
another host by a record of its own.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from oneos.actor.actor import Actor, Address
from oneos.actor.supervisor import RestartPolicy
from oneos.errors import NetworkError, OneOSError, UserError
from oneos.files.handles import Caller
from oneos.ids import HostName, ServiceName
from oneos.kernel import filesystem, services
from oneos.kernel import messages as m
from oneos.kernel.filesystem import FileSystem
from oneos.kernel.manifest import parse_manifest
from oneos.kernel.pubsub import PubSub
from oneos.kernel.scheduler import Scheduler
from oneos.kernel.session import Sessions
from oneos.kernel.storage import Storage
from oneos.limits import RECALL_TIMEOUT_S, SERVICE_RETRY_S
from oneos.net.routes import Routes
from oneos.runtime import utilities
from oneos.state import control_types as t

if TYPE_CHECKING:
    from oneos.runtime.node import Node

log = logging.getLogger(__name__)

MESSAGES: dict[str, Any] = {
    "filesystem": filesystem.FileSystemMessage,
    "pubsub": m.PubSubMessage,
    "scheduler": m.SchedulerMessage,
    "session": m.SessionMessage,
    "storage": m.StorageMessage,
}


class Placed:
    """See the module.

    Args:
        node: the Runtime, whose parts the agents are made of.
    """

    def __init__(self, node: Node) -> None:
        self._node = node
        self._lock = asyncio.Lock()
        self._epochs: dict[str, int] = {}

    def serve(self, routes: Routes) -> None:
        """Let other Runtimes ask the agents that run here."""
        for name, messages in MESSAGES.items():
            services.serve(routes, name, messages, self._node.supervisor.get)

    async def place(self) -> None:
        """Make what runs here what the control log says."""
        node = self._node
        async with self._lock:
            for placed in list(node.control.state.placements.values()):
                here = placed.host == node.host and node.incarnation > 0
                running = self._epochs.get(placed.service)
                if running is not None and (not here or running != placed.epoch):
                    del self._epochs[placed.service]
                    await node.supervisor.remove(placed.service)
                if here and self._epochs.get(placed.service) != placed.epoch:
                    self._epochs[placed.service] = placed.epoch
                    policy = self._policy(placed.service)
                    node.supervisor.add(placed.service, self._maker(placed), policy)
                    if placed.service == "filesystem":
                        node.start_task(self._install_utilities())

    def _policy(self, service: ServiceName) -> RestartPolicy:
        manifest = parse_manifest(self._node.control.state.manifest, "the network's manifest")
        rule = next(x for x in manifest.services if x.name == service)
        return RestartPolicy(rule.restart, rule.restarts_max, rule.restart_window_s)

    def _maker(self, placed: t.Placement) -> Callable[[], Actor]:
        node, control = self._node, self._node.control
        address = Address(node.host, placed.service, placed.epoch)
        index = node.index
        if placed.service == "session":
            return lambda: Sessions(address, control, self._make_home)
        if placed.service == "scheduler":
            return lambda: Scheduler(address, control, node.beats.load, self._busy)
        if placed.service == "pubsub":
            return lambda: PubSub(address, node.attached.topics)
        if index is None:
            raise UserError(f"{node.host} is an edge host: {placed.service} cannot run on it")
        if placed.service == "filesystem":
            return lambda: FileSystem(
                address, index, control, self._recall, lambda path: node.rules.of(path).later
            )
        return lambda: Storage(
            address,
            control,
            index,
            node.links,
            node.names.ask,
            node.names.numbered,
            node.config.copies,
        )

    async def _busy(self, host: HostName) -> list[m.Busy]:
        found: list[m.Busy] = await self._node.links.call(
            host, "agent.busy", m.AskBusy(), list[m.Busy]
        )
        return found

    async def _recall(self, host: HostName, recall: m.Recall) -> None:
        await self._node.links.call(host, "cache.recall", recall, None, timeout_s=RECALL_TIMEOUT_S)

    def gave_up(self, name: str, error: BaseException | None) -> None:
        """An agent failed too often here: another host shall have it."""
        self._node.start_task(self._offer(ServiceName(name), error))

    async def _offer(self, service: ServiceName, error: BaseException | None) -> None:
        node = self._node
        reason = f"the {service} service failed too often here: {error}"
        for member in node.control.machine.alive():
            if member.name == node.host:
                continue
            try:
                now = node.control.state.placements[service].epoch
                await node.control.submit(t.Place(service, member.name, now))
                log.error("%s; %s takes over", reason, member.name)
                return
            except OneOSError as refused:
                log.info("%s does not take the %s service: %s", member.name, service, refused)
        node.fail(NetworkError(reason, errno=errno.EIO))

    async def _make_home(self, path: bytes) -> None:
        caller = Caller("root", os.getuid(), os.getgid())
        await self._node.names.mkdir(path, 0o755, caller)

    async def _install_utilities(self) -> None:
        while True:
            try:
                await utilities.install(self._node.tree, self._node.regular)
                return
            except OneOSError as error:
                log.warning("/bin is not complete yet: %s", error)
                await asyncio.sleep(SERVICE_RETRY_S * 4)
