"""The settings that `up` and `join` take, and the configuration file they leave.

Both either succeed or leave the directory as they found it, so that a second try starts as the
first did: the settings and the ports are checked before anything is made.
"""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from oneos.config import PORT_MAX, RuntimeConfig, load_config, parse_config, ports_of
from oneos.errors import UserError
from oneos.net.ports import require_free

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--config",
        metavar="FILE",
        type=click.Path(),
        help="Take the settings and devices from this file instead.",
    ),
    click.option(
        "--name", metavar="NAME", help="This host's name in the network. Default: the computer's."
    ),
    click.option(
        "--port",
        metavar="PORT",
        type=click.IntRange(1, PORT_MAX),
        help="The public port. The next four are the engine's. Default: 4100.",
    ),
    click.option("--listen", metavar="ADDRESS", help="The address to listen at. Default: all."),
    click.option("--advertise", metavar="ADDRESS", help="The address others reach this host at."),
    click.option(
        "--tag", "tags", metavar="TAG", multiple=True, help="A tag for `on tag:TAG`; repeatable."
    ),
    click.option("--edge", is_flag=True, help="Run no Kernel Agents and no voter here."),
)

KEPT = ("runtime.log", "start.err")
"""What stays of a host that could not be made: it says why."""


def configuration_options(function: F) -> F:
    """Adds the options by which a host is told what it is."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def is_member(directory: Path) -> bool:
    """Whether the directory holds a host of a network."""
    return (directory / "identity" / "host.pem").exists()


class Directory:
    """A Runtime's directory while a host is made in it.

    Args:
        path: the directory; made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made = not path.exists()
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._before = {entry.name for entry in path.iterdir()}

    def undo(self) -> None:
        """Remove what was made since; what lay there before, and the log, stays."""
        for entry in list(self.path.iterdir()):
            if entry.name in self._before or entry.name in KEPT:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        if self._made and not any(self.path.iterdir()):
            self.path.rmdir()


def write_config(directory: Path, settings: dict[str, Any]) -> RuntimeConfig:
    """Check the settings and the ports, and leave the settings as DIR/oneos.toml.

    Raises:
        ConfigError: a setting, or the file given, is wrong; then nothing is left.
        UserError: both a file and settings were given, or a port is in use.
    """
    path = directory / "oneos.toml"
    given = settings.get("config")
    others = {k: v for k, v in settings.items() if k != "config" and v not in (None, (), False)}
    text = ""
    if given:
        if others:
            raise UserError(
                f"--config and --{next(iter(others)).rstrip('s')} do not go together",
                hint="write the setting into the file",
            )
        source = Path(given).resolve()
        config = load_config(source, directory)
        if source != path.resolve():
            text = copied_config(source.read_text(encoding="utf-8"), source)
    elif path.exists():
        # Left by hand before the first start: then it says what this host is.
        if others:
            raise UserError(
                f"{path} is there already",
                errno=errno.EEXIST,
                hint="write the settings into it, or remove it",
            )
        config = load_config(path, directory)
    else:
        text = _config_text(directory, others)
        config = parse_config(text, "the options", directory)
    if Path(config.directory).resolve() != directory.resolve():
        raise UserError(
            f"the configuration says directory = {config.directory}, not {directory}",
            hint=f"leave the key out, or give --dir {config.directory}",
        )
    # An edge host carries no log, and has no server of the engine.
    require_free(config.listen, ports_of(config) if config.core else [config.port])
    if text:
        path.write_text(text, encoding="utf-8")
    return config


def copied_config(text: str, source: Path) -> str:
    """The text of a configuration that is to lie elsewhere: its paths mean the same there."""
    if "relative_to" in text:
        return text
    return f"relative_to = {json.dumps(str(source.parent))}\n{text}"


def _config_text(directory: Path, settings: dict[str, Any]) -> str:
    lines = [f"directory = {json.dumps(str(directory))}"]
    for key, value in settings.items():
        if key == "edge":
            lines.append("core = false")
        elif key == "tags":
            lines.append(f"tags = {json.dumps(list(value))}")
        else:
            lines.append(f"{key} = {json.dumps(value)}")
    return "\n".join(lines) + "\n"
