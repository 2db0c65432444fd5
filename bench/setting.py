"""What the cases work with: the cluster, the peers, sizes, and where plain files go."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.cluster import Cluster
from bench.ssh import Ssh
from oneos.errors import OneOSError


def python() -> str:
    """The Python that programs run under, the same for every contender: the first on PATH."""
    return shutil.which("python3") or sys.executable


@dataclass
class Setting:
    """See the module.

    Args:
        cluster: the three hosts.
        ssh: the peer across hosts, or None.
        ssh_missing, sshfs_missing: why there is none.
        plain: a directory of this machine, on the same disk as the cluster's.
        mounted: the same kind of directory, as sshfs shows it.
        quick: smaller sizes.
    """

    cluster: Cluster
    ssh: Ssh | None
    ssh_missing: str | None
    sshfs_missing: str | None
    plain: Path
    mounted: Path | None
    quick: bool
    _count: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def home(self) -> str:
        """The host of the File System service."""
        return self.cluster.holder("filesystem")

    @property
    def away(self) -> str:
        """Another host."""
        home = self.home
        return next(host.name for host in reversed(self.cluster.hosts) if host.name != home)

    def fresh(self) -> str:
        """A name that was not used before."""
        return f"bench-{next(self._count)}"

    def sized(self, whole: int, quick: int) -> int:
        """A size or count, by the option `--quick`."""
        return quick if self.quick else whole


def run_native(words: Sequence[str]) -> bytes:
    """Run a program here, as a script would, and return its output."""
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False, env=environment()
    )
    if done.returncode:
        raise OneOSError(f"{words[0]} ended with {done.returncode}")
    return done.stdout


def environment() -> dict[str, str]:
    """What native programs get: as little as those of the cluster."""
    keep = ("PATH", "HOME", "LANG", "TERM", "TMPDIR")
    return {name: value for name, value in os.environ.items() if name in keep}
