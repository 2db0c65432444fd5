"""Building the extension that lets Python programs move, once for each interpreter of a host.

It is C (`guest/python/moving/native`), compiled by the host's own compiler for one minor version,
into a cache named by all that it depends on. Without a compiler or the interpreter's headers
programs run as ever and do not move; the reason is kept for whoever asks.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "guest/python/moving/native"
FLAGS = ("-std=c11", "-D_GNU_SOURCE", "-O2", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror")
BUILD_S = 180.0
"""A few seconds on a usual host; a Raspberry Pi that is busy takes a minute."""

ASK_S = 20.0
COMPILERS = ("cc", "gcc", "clang")
NEWEST = (3, 14)
OLDEST = (3, 11)

ASK = """
import json, sys, sysconfig
get = sysconfig.get_config_var
print(json.dumps({
    "name": sys.implementation.name,
    "version": sys.version_info[:2],
    "whole": sys.version,
    "platform": sysconfig.get_platform(),
    "include": sysconfig.get_paths()["include"],
    "free": bool(get("Py_GIL_DISABLED")),
    "jit": "experimental-jit" in (get("CONFIG_ARGS") or ""),
    "debug": hasattr(sys, "gettotalrefcount"),
}))
"""


@dataclass(frozen=True)
class Extension:
    """The extension for one interpreter, or why there is none."""

    path: Path | None
    reason: str = ""


def build(python: str, cache: Path) -> Extension:
    """The extension for an interpreter; it is built if it is not in the cache.

    Blocks for as long as a compiler takes. Two processes that build the same end with the same
    file: it is renamed into place when it is whole.

    Args:
        python: the interpreter.
        cache: a directory of this host's state.
    """
    facts = ask(python)
    if isinstance(facts, str):
        return Extension(None, facts)
    reason = unfit(facts)
    if reason:
        return Extension(None, reason)
    target = cache / f"oneos_moving-{key(facts)}.so"
    if target.exists():
        return Extension(target)
    compiler = next((found for name in COMPILERS if (found := shutil.which(name))), None)
    if compiler is None:
        return Extension(None, "this host has no C compiler (cc)")
    return compile_to(target, compiler, str(facts["include"]))


def ask(python: str) -> "dict[str, object] | str":
    """What an interpreter is, or why it cannot say."""
    command = [python, "-I", "-S", "-c", ASK]
    try:
        done = subprocess.run(command, capture_output=True, timeout=ASK_S, check=True)
        facts = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        return f"{python} does not run: {error}"
    return facts if isinstance(facts, dict) else f"{python} does not say what it is"


def unfit(facts: "dict[str, object]") -> str:
    """Why programs of an interpreter cannot move, whatever the host; empty if they can."""
    major, minor = facts["version"]  # type: ignore[misc]
    version = (int(major), int(minor))  # type: ignore[has-type]
    name = f"Python {version[0]}.{version[1]}"
    if facts["name"] != "cpython":
        return f"{facts['name']} is not CPython"
    if not OLDEST <= version <= NEWEST:
        return f"{name} is not one of 3.11 to 3.14"
    if facts["free"]:
        return f"this {name} has no lock of its own (free-threaded)"
    if facts["jit"]:
        return f"this {name} compiles to machine code (JIT)"
    if facts["debug"]:
        return f"this {name} is a debug build"
    if not (Path(str(facts["include"])) / "internal/pycore_frame.h").exists():
        return f"the headers of {name} are not installed (python3-dev)"
    return ""


def key(facts: "dict[str, object]") -> str:
    """A name for all that the extension depends on."""
    digest = hashlib.sha256()
    for name in ("whole", "platform", "include"):
        digest.update(str(facts[name]).encode() + b"\0")
    for source in sorted(SOURCES.glob("*.[ch]")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    digest.update(" ".join(FLAGS).encode())
    return digest.hexdigest()[:24]


def compile_to(target: Path, compiler: str, include: str) -> Extension:
    target.parent.mkdir(parents=True, exist_ok=True)
    fd, partial = tempfile.mkstemp(prefix=".building-", dir=target.parent)
    os.close(fd)
    # As system headers: their warnings are not ours.
    headers = ["-isystem", include, "-isystem", f"{include}/internal"]
    sources = sorted(map(str, SOURCES.glob("*.c")))
    command = [compiler, *FLAGS, *headers, *sources, "-o", partial]
    try:
        subprocess.run(command, capture_output=True, timeout=BUILD_S, check=True)
        os.chmod(partial, 0o755)
        os.rename(partial, target)
    except subprocess.CalledProcessError as error:
        lines = error.stderr.decode(errors="replace").splitlines()
        first = next((line for line in lines if "error" in line), "it said nothing")
        return Extension(None, f"the extension does not compile: {first.strip()}")
    except (OSError, subprocess.SubprocessError) as error:
        return Extension(None, f"the extension cannot be built: {error}")
    finally:
        if os.path.exists(partial):
            os.unlink(partial)
    return Extension(target)
