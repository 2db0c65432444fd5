"""The Nodes to run on, and directories for the runs."""

from tests.unit.guest_node.conftest import base, pytest_generate_tests  # noqa: F401  Fixtures.
