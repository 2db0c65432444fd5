"""CPython's own tests as programs of OneOS, beside the same tests on the host's disk.

Nobody here wrote them, so they say what a program may rely on that was written for any POSIX
system. Run by hand or nightly, not by `./do check`, since it takes some minutes:

    .venv/bin/python -m tests.conformance.cpython [--context instrumented] [MODULE...]

Needs an interpreter with the `test` package as `python3` of the hosts, which a Python that was
built from source has. Each module runs in a process of its own, twice, and each test is compared.
Prints the table of docs/context.md; the exit status is 1 when fewer tests pass there, of those that
pass natively, than the context is held to.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from tests.system.support import Cluster, oneos

MODULES = [
    *("test_io", "test_fileio", "test_file", "test_os", "test_posix", "test_posixpath"),
    *("test_pathlib", "test_shutil", "test_glob", "test_tempfile", "test_subprocess"),
    *("test_mmap", "test_select", "test_signal", "test_sqlite3", "test_import", "test_stat"),
    *("test_largefile", "test_fcntl", "test_pty"),
]

TEST_S = 300
"""One test, also on a loaded machine; regrtest ends the module then and says where it hung."""
MODULE_S = 900
"""One module; the slowest takes half a minute on two idle cores."""

SHARES = {"namespace": 0.999, "instrumented": 0.985}
"""Of what passes natively, what has to pass in each context."""

TREE = "/tmp/cpython"

BESIDE = {"test_import"}
"""Modules that remove files beside the standard library, where none are. In a name space, and then
natively as well, they have a standard library of their own, whose directories can be written."""

MAKE_LIBRARY = """
import os, sys, sysconfig
library = sysconfig.get_path("stdlib")
own = os.path.join(sys.argv[1], "lib", os.path.basename(library))
for place in ("", "lib-dynload"):
    os.makedirs(os.path.join(own, place))
    for name in os.listdir(os.path.join(library, place)):
        if name not in ("lib-dynload", "site-packages", "__pycache__"):
            os.symlink(os.path.join(library, place, name), os.path.join(own, place, name))
os.mkdir(os.path.join(own, "site-packages"))
"""
"""Makes one of symbolic links to all that is in the interpreter's; for PYTHONHOME."""


@dataclass
class Run:
    """What one module did: the outcome of each test by its name, and what was printed."""

    outcomes: dict[str, str] = field(default_factory=dict)
    output: str = ""

    def bad(self) -> set[str]:
        """The tests that failed; a module without a report failed as a whole."""
        found = {name for name, outcome in self.outcomes.items() if outcome in ("failure", "error")}
        return found if self.outcomes else {"(the module did not end)"}

    def passed(self) -> set[str]:
        """The tests that ran and passed."""
        return {name for name, outcome in self.outcomes.items() if outcome == "passed"}

    def skipped(self) -> set[str]:
        """The tests that found that something is missing which they need."""
        return {name for name, outcome in self.outcomes.items() if outcome == "skipped"}


def _read_report(text: str) -> dict[str, str]:
    outcomes: dict[str, str] = {}
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError:
        return outcomes
    for case in root.iter("testcase"):
        kinds = {child.tag for child in case} & {"failure", "error", "skipped"}
        name, outcome = case.get("name", ""), min(kinds) if kinds else "passed"
        # Subtests have their test's name: one that fails is the test's failure.
        outcomes[name] = min(outcome, outcomes.get(name, outcome))
    return outcomes


def _arguments(python: str, module: str, directory: str, report: str) -> list[str]:
    return [
        *(python, "-m", "test", "-v"),
        *("--timeout", str(TEST_S), "-u", "largefile"),
        *("--tempdir", directory, "--junit-xml", report, module),
    ]


def run_natively(python: str, module: str, directory: Path, own_library: bool) -> Run:
    """Run a module on the host, with its files in a directory of the local disk."""
    report = directory / f"{module}.xml"
    environment = dict(os.environ)
    if own_library:
        home = str(directory / "home")
        subprocess.run([python, "-c", MAKE_LIBRARY, home], check=True)
        environment["PYTHONHOME"] = home
    done = subprocess.run(
        _arguments(python, module, str(directory), str(report)),
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=MODULE_S,
    )
    text = report.read_text("utf-8", "replace") if report.exists() else ""
    return Run(_read_report(text), done.stdout.decode("utf-8", "replace"))


def run_in_context(python: str, module: str, env: Mapping[str, str], own_library: bool) -> Run:
    """Run a module as a program of OneOS, with its files in a directory of the tree."""
    report = f"{TREE}/{module}.xml"
    line = " ".join(_arguments("python3", module, TREE, report))
    if own_library:
        make = f"rm -rf {TREE}/home; python3 -c {shlex.quote(MAKE_LIBRARY)} {TREE}/home"
        # By its path, through a program of the host.
        line = " ".join(_arguments(python, module, TREE, report))
        line = f"{make}; /usr/bin/env PYTHONHOME={TREE}/home {line}"
    script = (
        f"mkdir -p {TREE}; cd {TREE}; rm -f {report}; {line} < /dev/null > {TREE}/{module}.out 2>&1"
    )
    with contextlib.suppress(subprocess.TimeoutExpired):
        oneos("sh", "-c", script, env=dict(env), timeout_s=MODULE_S)
    shown = [
        oneos("sh", "-c", f"cat {TREE}/{module}.{kind}", env=dict(env)) for kind in ("xml", "out")
    ]
    return Run(_read_report(shown[0].text), shown[1].out.decode("utf-8", "replace"))


def compare(modules: list[str], env: Mapping[str, str], keep: Path, beside: set[str]) -> float:
    """Run modules both ways, print the table, and what was printed into files of `keep`.

    Args:
        beside: those that have a standard library of their own, both ways.

    Returns:
        How many tests pass in the context of those that pass natively, as a share of one.
    """
    ask = 'python3 -c "import sys, test; print(sys.executable, sys._base_executable, sep=chr(10))"'
    pythons = oneos("sh", "-c", ask, env=dict(env)).text.splitlines()
    if len(pythons) != 2:
        raise SystemExit("python3 of the hosts has no package `test`")
    print("| module | run natively | fail natively | fail only here | skip only here | which |")
    print("|---|---|---|---|---|---|", flush=True)
    expected = lost = 0
    for module in modules:
        # `python3` may be one of a virtual environment, which has packages beside its library.
        python = pythons[module in beside]
        with tempfile.TemporaryDirectory() as directory:
            natively = run_natively(python, module, Path(directory), module in beside)
        here = run_in_context(python, module, env, module in beside)
        (keep / f"{module}.native").write_text(natively.output)
        (keep / f"{module}.out").write_text(here.output)
        beyond = sorted(here.bad() - natively.bad())
        skipped = sorted(here.skipped() - natively.skipped())
        passed = natively.passed()
        expected += len(passed)
        lost += len(passed - here.passed())
        names = " ".join(name.rpartition(".")[2] for name in (*beyond, *skipped))
        ran = len(natively.outcomes) - len(natively.skipped())
        counts = f"{ran} | {len(natively.bad())} | {len(beyond)} | {len(skipped)}"
        print(f"| {module} | {counts} | {names} |", flush=True)
    share = 1 - lost / max(expected, 1)
    print(f"{expected - lost} of {expected} that pass natively pass here: {share:.2%}")
    return share


def main() -> int:
    """See the module."""
    options = argparse.ArgumentParser(description="CPython's own tests as programs of OneOS")
    options.add_argument("modules", nargs="*", default=MODULES, metavar="MODULE")
    options.add_argument("--context", choices=SHARES, default="namespace", help="of the programs")
    options.add_argument("--keep", type=Path, help="a directory for what the tests print")
    options.add_argument("--at", type=Path, help="a running host's ONEOS_DIR, instead of a cluster")
    given = options.parse_args()
    wanted = SHARES[given.context]
    beside = BESIDE if given.context == "namespace" else set()
    with tempfile.TemporaryDirectory() as scratch:
        keep: Path = given.keep or Path(scratch)
        keep.mkdir(parents=True, exist_ok=True)
        if given.at:
            return int(compare(given.modules, {"ONEOS_DIR": str(given.at)}, keep, beside) < wanted)
        extra = f'context = "{given.context}"\n'
        cluster = Cluster(2, {f"host{n}": extra for n in (1, 2)})
        try:
            return int(compare(given.modules, cluster[1].env, keep, beside) < wanted)
        finally:
            cluster.close()


if __name__ == "__main__":
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    sys.exit(main())
