"""Installs packages into a directory of this host, with the installer that the host has.

For Python that is uv (the extra `oneos[envs]`, or on PATH) and else pip; for JavaScript the npm of
the host's Node. Where packages come from is the installer's own configuration. Only what is
finished is installed: wheels, and packages without their install scripts. What a package would run
while it is built runs outside of every context, with the rights of the Runtime.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sys
from importlib.util import find_spec

from oneos.errors import OneOSError, UserError
from oneos.limits import ENVIRONMENT_LOG_BYTES_MAX, ENVIRONMENT_MAKE_S, INTERPRETER_PROBE_S
from oneos.runtime.interpreters import Interpreter
from oneos.runtime.requirements import Requirements

SITE = "site"
"""Where Python's packages lie in an environment."""

MODULES = "node_modules"
"""Where JavaScript's lie."""


async def install(wanted: Requirements, interpreter: Interpreter, directory: str) -> str:
    """Install what is wanted.

    Args:
        interpreter: for which it is to be.
        directory: empty; the files of `wanted` are put into it as well.

    Returns:
        The directory in it that programs search.

    Raises:
        UserError: it could not be installed; the message says why, in the installer's words.
        OSError: the disk refuses.
    """
    for name, content in wanted.files.items():
        with open(os.path.join(directory, name), "wb") as file:
            file.write(content)
    if wanted.kind == "node":
        place = os.path.join(directory, MODULES)
        command = _npm(interpreter, "package-lock.json" in wanted.files)
    else:
        place = os.path.join(directory, SITE)
        command = await _python(interpreter, place)
    os.makedirs(place, exist_ok=True)
    await _run(command, directory, wanted, interpreter)
    return place


async def _python(interpreter: Interpreter, place: str) -> list[str]:
    uv = _uv()
    if uv:
        tail = ["--no-build", "--compile-bytecode", "--quiet"]
        head = [uv, "pip", "install", "--python", interpreter.path]
    else:
        tail = ["--only-binary", ":all:", "--no-warn-script-location", "--quiet"]
        if await _succeeds(interpreter.path, "-c", "import pip"):
            head = [interpreter.path, "-m", "pip", "install"]
        elif find_spec("pip") is not None:
            head = [sys.executable, "-m", "pip", "--python", interpreter.path, "install"]
        else:
            raise UserError(
                "this host has neither uv nor pip to install packages with",
                hint="install one there: pip install 'oneos[envs]'",
            )
    return [*head, "--target", place, "--requirement", "requirements.txt", *tail]


def _uv() -> str | None:
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    return beside if os.access(beside, os.X_OK) else shutil.which("uv")


def _npm(interpreter: Interpreter, locked: bool) -> list[str]:
    prefix = os.path.dirname(os.path.dirname(os.path.realpath(interpreter.path)))
    known = [
        os.path.join(prefix, "lib", "node_modules", "npm", "bin", "npm-cli.js"),
        os.path.join(prefix, "share", "nodejs", "npm", "bin", "npm-cli.js"),
        os.path.realpath(shutil.which("npm") or ""),
    ]
    script = next((path for path in known if path.endswith(".js") and os.path.exists(path)), None)
    if script is None:
        raise UserError(
            "this host's node has no npm to install packages with", hint="install npm there"
        )
    return [
        interpreter.path, script, "ci" if locked else "install",
        "--omit=dev", "--ignore-scripts", "--install-links", "--no-audit", "--no-fund",
        "--no-update-notifier", "--loglevel=error",
    ]  # fmt: skip


async def _run(
    command: list[str], directory: str, wanted: Requirements, interpreter: Interpreter
) -> None:
    path = os.pathsep.join([os.path.dirname(interpreter.path), os.environ.get("PATH", os.defpath)])
    environment = os.environ | {
        "PATH": path,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        # Settings for a person at a shell, with which pip would refuse `--target`.
        "PIP_USER": "0",
        "PIP_REQUIRE_VIRTUALENV": "0",
        "NO_COLOR": "1",
    }
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=directory,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        # A group of its own, to be ended with all it has started. (uvloop knows no process_group.)
        start_new_session=True,
    )
    said = bytearray()
    try:
        async with asyncio.timeout(ENVIRONMENT_MAKE_S):
            assert process.stdout is not None
            while part := await process.stdout.read(64 * 1024):
                said += part
                del said[:-ENVIRONMENT_LOG_BYTES_MAX]
            status = await process.wait()
    except TimeoutError:
        raise _failure(wanted, f"not done after {ENVIRONMENT_MAKE_S:g} s") from None
    finally:
        if process.returncode is None:
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            await process.wait()
    if status:
        raise _failure(wanted, reason(said.decode("utf-8", "replace")) or f"status {status}")


def _failure(wanted: Requirements, why: str) -> OneOSError:
    return UserError(
        f"cannot install what {wanted.source} asks for: {why}",
        hint="correct it there, or see whether this host reaches where packages come from",
    )


def reason(said: str) -> str:
    """What an installer said of its failure, in one line."""
    lines = [
        # uv draws a tree with lines before the text.
        re.sub(r"^[\s\u00d7\u2570\u2500\u25b6\u2502\u251c]+", "", line).strip()
        for line in said.splitlines()
    ]
    lines = [line for line in lines if line]
    if any(line.startswith("npm error") for line in lines):
        lines = [line.removeprefix("npm error").strip() for line in lines]
        plain = [
            line for line in lines if line and not re.match(r"code |A complete log|\S+\.log", line)
        ]
        return plain[0] if plain else ""
    errors = [line.partition(":")[2].strip() for line in lines if line.startswith("ERROR:")]
    if errors:
        return errors[-1]
    # uv says what in the first line, and why in those that follow.
    return " ".join(line.removeprefix("error: ") for line in lines[:2])


async def _succeeds(*command: str) -> bool:
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(INTERPRETER_PROBE_S):
            return await process.wait() == 0
    except TimeoutError:
        return False
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
