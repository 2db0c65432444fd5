"""The peer across hosts: OpenSSH on loopback, with keys, a server and a master of its own.

Nothing of the user's SSH set-up is read or written. What is not installed is told in words, and the
rows that need it say so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.cluster import free_ports
from oneos.errors import OneOSError

START_S = 10.0


def missing() -> str | None:
    """Why there is no SSH here; None where there is."""
    if _find("sshd") is None or shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        return "not installed"
    return None


def sshfs_missing() -> str | None:
    """Why there is no sshfs here; None where there is."""
    if missing() or shutil.which("sshfs") is None or shutil.which("fusermount3") is None:
        return "not installed"
    return None if os.access("/dev/fuse", os.R_OK | os.W_OK) else "no /dev/fuse"


def _find(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/sbin")


class Ssh:
    """A server, and one connection to it that all commands share (ControlMaster).

    Args:
        directory: an empty one, for keys and sockets.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._started: list[subprocess.Popen[bytes]] = []
        self._mounted: Path | None = None
        self._base = ["ssh", "-F", os.devnull, "-S", os.fspath(directory / "master")]

    def start(self) -> None:
        """Start the server and the master. Raises OneOSError; `close` undoes what was begun."""
        directory = self.directory
        directory.mkdir(mode=0o700)
        for name in ("host", "user"):
            make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{directory}/{name}"]
            subprocess.run(make, check=True)
        port = free_ports()
        (directory / "sshd_config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {directory}/host\n"
            f"AuthorizedKeysFile {directory}/user.pub\nPidFile none\nStrictModes no\n"
            "PermitRootLogin yes\nPasswordAuthentication no\nUsePAM no\nUseDNS no\n"
            # Bash under sshd reads ~/.bashrc: what the user has in there is no cost of ssh.
            f"SetEnv HOME={directory}\nSubsystem sftp internal-sftp\n"
        )
        if os.geteuid() == 0:
            # Where Debian's sshd separates its privileges; at boot it would be there.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        server = _find("sshd") or "sshd"
        self._begin([server, "-D", "-e", "-f", os.fspath(directory / "sshd_config")])
        self._options = [
            *("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"),
            *("-o", f"UserKnownHostsFile={os.devnull}", "-o", "LogLevel=ERROR"),
            *("-o", f"IdentityFile={directory}/user", "-o", "IdentitiesOnly=yes"),
            *("-o", f"Port={port}"),
        ]
        deadline = time.monotonic() + START_S
        while True:
            master = self._begin([*self._base, "-M", "-N", *self._options, "127.0.0.1"])
            while master.poll() is None:
                if self._answers():
                    return
                time.sleep(0.05)
            if time.monotonic() > deadline:
                raise OneOSError(f"sshd did not start: {self._last_words()}")
            time.sleep(0.1)

    def _begin(self, words: Sequence[str]) -> subprocess.Popen[bytes]:
        with open(self.directory / "errors", "ab") as errors:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=errors)
        self._started.append(process)
        return process

    def _answers(self) -> bool:
        check = [*self._base, "-O", "check", "127.0.0.1"]
        return subprocess.run(check, check=False, stderr=subprocess.DEVNULL).returncode == 0

    def _last_words(self) -> str:
        lines = (self.directory / "errors").read_text(errors="replace").splitlines()
        return lines[-1] if lines else "it said nothing"

    def command(self, words: Sequence[str]) -> list[str]:
        """The words that run others on the far side, over the connection that is there."""
        quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in words)
        return [*self._base, "127.0.0.1", quoted]

    def shell(self) -> list[str]:
        """The words for a shell on a terminal on the far side."""
        return [*self._base, "-tt", "127.0.0.1", "exec sh -i"]

    def mount(self, source: Path, target: Path) -> None:
        """Mount a directory by sshfs, coherent: it caches no attributes and no names."""
        options = ["dir_cache=no", "attr_timeout=0", "entry_timeout=0", "negative_timeout=0"]
        words = ["sshfs", f"127.0.0.1:{source}", os.fspath(target), "-o", ",".join(options)]
        done = subprocess.run([*words, *self._options], check=False, stdout=sys.stderr)
        if done.returncode:
            raise OneOSError(f"sshfs ended with {done.returncode}")
        self._mounted = target

    def close(self) -> None:
        """Unmount, and end what was started."""
        if self._mounted is not None:
            subprocess.run(["fusermount3", "-u", "-z", self._mounted], check=False)
        for process in reversed(self._started):
            process.terminate()
            process.wait()
