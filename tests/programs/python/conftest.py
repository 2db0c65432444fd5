"""A world in which a program runs natively, and then in the context."""

from pathlib import Path

from tests.unit.guest_python.conftest import world  # noqa: F401  A fixture.

PROGRAMS = Path(__file__).parent / "programs"
