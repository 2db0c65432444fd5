from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from oneos.net.identity import Identity, install
from oneos.net.pki import create_network, make_request, sign_request
from tests.unit.engine.conftest import bench, certificates  # noqa: F401  Fixtures.
from tests.unit.files.support import Network
from tests.unit.kernel.conftest import world  # noqa: F401  A fixture.
from tests.unit.kernel.support import World


@pytest.fixture(scope="session")
def identities(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Identity]:
    folder = tmp_path_factory.mktemp("identities")
    hub = create_network(folder / "hub", "home", "hub")
    found = {"hub": hub}
    for name in ("lab", "attic"):
        key, request = make_request(name)
        found[name] = install(folder / name, hub.ca_pem, sign_request(hub, request, name), key)
    return found


@pytest_asyncio.fixture
async def network(
    world: World,  # noqa: F811
    identities: dict[str, Identity],
    tmp_path: Path,
) -> AsyncIterator[Network]:
    network = Network(world, identities, tmp_path)
    try:
        yield network
    finally:
        await network.close()
