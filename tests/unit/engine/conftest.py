from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.unit.engine.certificates import Certificates
from tests.unit.engine.servers import Bench


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest_asyncio.fixture
async def bench(tmp_path: Path, certificates: Certificates) -> AsyncIterator[Bench]:
    bench = Bench(tmp_path, certificates)
    try:
        yield bench
    finally:
        await bench.close()
