"""Python for AArch64 on this machine, if it can be had: Debian's, under an emulator.

Everything is downloaded and unpacked below one directory, with a package list of its own, so
nothing of the machine is changed: the interpreter and its libraries for arm64, `qemu-user-static`,
and a cross compiler for the extension. It is there for good once it was made.
"""

import functools
import os
import platform
import shutil
import subprocess
from pathlib import Path

from oneos.runtime import extensions

CACHE = Path(__file__).parents[3] / ".venv" / "cache" / "aarch64"
VERSION = "3.11"
"""What Debian 12 has; there must be one of this minor version here too."""

PYTHON = (
    *(f"python{VERSION}", f"python{VERSION}-minimal", f"libpython{VERSION}-minimal"),
    *(f"libpython{VERSION}-stdlib", f"libpython{VERSION}-dev", "libc6", "zlib1g", "libexpat1"),
    *("libssl3", "libffi8", "libbz2-1.0", "liblzma5", "libsqlite3-0", "libuuid1", "libcrypt1"),
    "libgcc-s1",
)
TOOLS = (
    *("qemu-user-static", "gcc-12-aarch64-linux-gnu", "cpp-12-aarch64-linux-gnu"),
    "binutils-aarch64-linux-gnu",
)
LIBRARIES = (
    *("libc6-dev-arm64-cross", "libc6-arm64-cross", "libgcc-12-dev-arm64-cross"),
    *("linux-libc-dev-arm64-cross", "libgcc-s1-arm64-cross"),
)
DOWNLOAD_S = 600
"""Also for what takes seconds."""


class NotHere(Exception):
    """It cannot be had on this machine, for the reason in the text."""


def prepare() -> tuple[list[str], Path]:
    """The words that start the interpreter, and the extension for it.

    Raises:
        NotHere: see its text.
    """
    if platform.machine() != "x86_64":
        raise NotHere("this machine is no x86-64")
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise NotHere(f"there is no {tool}: only Debian's packages are known")
    root = CACHE / "root"
    if not root.exists():
        unpack(root)
    python = [str(root / "usr/bin/qemu-aarch64-static"), "-L", str(root)]
    python.append(str(root / f"usr/bin/python{VERSION}"))
    run(*python, "-c", "import json, decimal, ctypes")
    return python, compiled(root)


def unpack(root: Path) -> None:
    CACHE.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(CACHE / "new", ignore_errors=True)
    state, cache, new = CACHE / "apt/state", CACHE / "apt/cache", CACHE / "new"
    for folder in (state / "lists/partial", cache / "archives/partial", new, CACHE / "packages"):
        folder.mkdir(parents=True, exist_ok=True)
    options = {
        "Dir::State": state,
        "Dir::State::status": os.devnull,
        "Dir::Cache": cache,
        "APT::Architecture": "arm64",
        "APT::Architectures::": "arm64",
        "APT::Sandbox::User": "root",
    }
    words = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    apt = ["apt-get", "-qq", *words, "-o", "APT::Architectures::=amd64"]
    run(*apt, "update")
    tools = [f"{name}:amd64" for name in TOOLS]
    wanted = [*PYTHON, *tools, *(f"{name}:all" for name in LIBRARIES)]
    run(*apt, "download", *wanted, directory=CACHE / "packages")
    for package in (CACHE / "packages").glob("*.deb"):
        run("dpkg-deb", "-x", str(package), str(new))
    shutil.rmtree(CACHE / "apt")
    shutil.rmtree(CACHE / "packages")
    new.rename(root)


def compiled(root: Path) -> Path:
    """The extension, of the sources as they are now."""
    facts: dict[str, object] = {"whole": VERSION, "platform": "aarch64", "include": str(root)}
    target = CACHE / f"oneos_moving-{extensions.key(facts)}.so"
    if target.exists():
        return target
    tools = root / "usr/bin"
    library = root / "usr/lib/x86_64-linux-gnu"
    python = root / f"usr/include/python{VERSION}"
    folders = [python, python / "internal", root / "usr/include"]
    folders.append(root / "usr/aarch64-linux-gnu/include")
    headers = [word for folder in folders for word in ("-isystem", str(folder))]
    command = [f"{tools}/aarch64-linux-gnu-gcc-12", f"-B{tools}/aarch64-linux-gnu-"]
    command += [f"--sysroot={root}", *extensions.FLAGS, *headers]
    command += sorted(map(str, extensions.SOURCES.glob("*.c")))
    partial = target.with_suffix(f".{os.getpid()}")
    run(*command, "-o", str(partial), LD_LIBRARY_PATH=str(library))
    partial.rename(target)
    return target


def run(*command: str, directory: Path | None = None, **more: str) -> None:
    try:
        subprocess.run(
            command,
            cwd=directory,
            env={**os.environ, **more},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=DOWNLOAD_S,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise NotHere(f"{Path(command[0]).name} failed: {said[-1:]}") from error
    except (OSError, subprocess.SubprocessError) as error:
        raise NotHere(f"{Path(command[0]).name} failed: {error}") from error


@functools.cache
def foreign() -> "tuple[list[str], Path] | str":
    """As `prepare`; the reason where there is none."""
    try:
        return prepare()
    except NotHere as error:
        return str(error)
