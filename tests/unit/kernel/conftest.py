from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.unit.engine.conftest import bench, certificates  # noqa: F401  Fixtures.
from tests.unit.engine.servers import Bench
from tests.unit.kernel.support import World


@pytest_asyncio.fixture
async def world(bench: Bench, tmp_path: Path) -> AsyncIterator[World]:  # noqa: F811
    world = World(bench, tmp_path)
    try:
        yield world
    finally:
        await world.close()
