"""Node's documented behaviour, in both contexts as natively: the quick part of the cases.

All of them, on each Node at hand: `python -m tests.conformance.node`.
"""

from collections.abc import Iterator

import pytest

from tests.conformance import node as conformance
from tests.support.namespaces import no_name_space
from tests.system.support import Cluster

SUBJECTS = ["corners", "descriptors", "names", "watching"]
CASES_MIN = 100

NODES = conformance.find_nodes(list(conformance.MAJORS), fetch=False)[:1]

pytestmark = pytest.mark.skipif(not NODES, reason="no Node of a version whose cases are known")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A host for each context."""
    places = conformance.places(NODES)
    cluster = Cluster(len(places), conformance.configuration(NODES))
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def natively() -> conformance.Results:
    """What the cases come to without OneOS."""
    return conformance.run_natively(NODES[0], SUBJECTS)


@pytest.mark.parametrize(("number", "carrier"), list(enumerate(conformance.CARRIERS, 1)))
def test_a_node_program_sees_what_the_documentation_says(
    cluster: Cluster, natively: conformance.Results, number: int, carrier: str
) -> None:
    if carrier == "namespace" and (why := no_name_space()):
        pytest.skip(f"none here: {why}")
    host = cluster[number]
    here = conformance.run_in_context(host, host.name, SUBJECTS)
    assert len(natively) >= CASES_MIN
    found = conformance.differences(NODES[0], carrier, natively, here)
    assert [difference for difference in found if not difference.reason] == []


def test_exit_loses_no_output_that_nobody_has_read_yet(cluster: Cluster) -> None:
    number = conformance.CARRIERS.index("instrumented") + 1
    text = "process.stdout.write('x'.repeat(1000000)); process.exit(3)"
    line = f'node -e "{text}" | (sleep 0.3; wc -c)'
    assert cluster[number].sh(line).ok().split() == ["1000000"]
