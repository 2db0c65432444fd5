"""Clusters for the tests, and the ends of their logs when a test fails."""

from collections.abc import Callable, Generator, Iterator

import pytest

from tests.system.support import CLUSTERS, EXAMPLES, Cluster

DEVICES = f"""
[[device]]
name = "sensor/1"
kind = "file"
path = "{EXAMPLES / "seattle-temps.csv"}"

[[device]]
name = "sensor/slow"
kind = "file"
path = "{EXAMPLES / "seattle-temps.csv"}"
rate_hz = 10.0
"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        for cluster in CLUSTERS:
            report.sections.append((f"logs of {cluster.directory}", cluster.log_tails()))
    return report


@pytest.fixture(scope="session")
def shared() -> Iterator[Cluster]:
    """Three hosts for all tests that leave them as they were; host2 has the sensors."""
    cluster = Cluster(3, {"host2": DEVICES})
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def three() -> Iterator[Cluster]:
    """Three hosts for the tests of one file that hurt them."""
    cluster = Cluster(3, {"host2": DEVICES})
    yield cluster
    cluster.close()


@pytest.fixture
def make_cluster() -> Iterator[Callable[[int], Cluster]]:
    """Makes clusters that only this test uses."""
    made: list[Cluster] = []

    def make(count: int) -> Cluster:
        made.append(Cluster(count))
        return made[-1]

    yield make
    for cluster in made:
        cluster.close()
