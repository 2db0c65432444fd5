"""Control logs and indexes over one real server of the engine."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from oneos.engine.client import Engine
from oneos.engine.log import Log
from oneos.engine.snapshots import Snapshots
from oneos.ids import Epoch, HostName, Incarnation, ServiceName
from oneos.kernel.control_log import ControlLog
from oneos.kernel.index import Index
from oneos.state import control_types as t
from tests.unit.engine.servers import Bench

HUB, LAB = HostName("hub"), HostName("lab")


def facts(core: bool = True) -> t.Facts:
    return t.Facts("127.0.0.1", 1, 2, 3, core, interpreters={"python": "3.11", "sh": "1"})


class World:
    """A founded network of which hub is alive; hosts are added as a test needs them."""

    def __init__(self, bench: Bench, directory: Path) -> None:
        self._bench = bench
        self._directory = directory
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self.incarnations: dict[str, Incarnation] = {}

    async def start(self) -> ControlLog:
        self.server = await self._bench.start()
        engine = await self.connect(HUB)
        for name in ("control", "files"):
            await Log(engine, name, HUB).ensure(1)
        await Snapshots(engine).ensure(1)
        control = await self.control(HUB, engine)
        rules = [t.ServiceRule(ServiceName(name), "core") for name in t.SERVICES]
        view = t.EngineView(1, [], "1")
        await control.submit(t.Found("home", rules, "", view, HUB, facts(), 1))
        await self.arrive(control)
        return control

    async def connect(self, host: HostName) -> Engine:
        return await self._bench.connect(self.server, host=host)

    async def control(self, host: HostName, engine: Engine | None = None) -> ControlLog:
        engine = engine or await self.connect(host)
        control = ControlLog(host)
        control.generation = 1
        self._closers.append(control.close)
        await control.start(Log(engine, "control", host), Snapshots(engine))
        return control

    async def join(self, control: ControlLog, host: HostName, number: int = 1) -> None:
        await control.submit(t.AddToken(f"token {number}", 10, 1))
        await control.submit(t.Admit(host, f"token {number}", facts(), 2))

    async def arrive(self, control: ControlLog) -> Incarnation:
        value = await control.submit(t.Arrive(control.host, facts(), 3))
        self.incarnations[control.host] = Incarnation(value)
        return Incarnation(value)

    async def index(self, host: HostName, engine: Engine | None = None) -> Index:
        engine = engine or await self.connect(host)
        count = len(self._closers)
        index = Index(str(self._directory / f"{host}-{count}.sqlite"), host)
        self._closers.append(index.close)
        await index.start(Log(engine, "files", host))
        return index

    def epoch(self, control: ControlLog, service: str) -> Epoch:
        placed = control.machine.holder(service)
        assert placed is not None
        return placed.epoch

    async def close(self) -> None:
        for closer in reversed(self._closers):
            await closer()
