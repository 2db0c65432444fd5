"""The settings that `up` and `join` take, and the configuration file they leave."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from oneos.config import RuntimeConfig, load_config, parse_config
from oneos.errors import UserError

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--config", type=click.Path(), help="Take the settings from this file instead."),
    click.option("--name", help="This host's name in the network. Default: the computer's name."),
    click.option("--port", type=click.IntRange(1, 65531), help="The public port. Default: 4100."),
    click.option("--listen", help="The address to listen at. Default: all."),
    click.option("--advertise", help="The address others reach this host at."),
    click.option("--tag", "tags", multiple=True, help="A tag for `on tag:NAME`; repeatable."),
    click.option("--edge", is_flag=True, help="Run no Kernel Agents and no voter here."),
)


def configuration_options(function: F) -> F:
    """Adds the options by which a host is told what it is."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def is_member(directory: Path) -> bool:
    """Whether the directory holds a host of a network."""
    return (directory / "identity" / "host.pem").exists()


def write_config(directory: Path, settings: dict[str, Any]) -> RuntimeConfig:
    """Check the settings and leave them as DIR/oneos.toml.

    Raises:
        ConfigError: a setting, or the file given, is wrong; then nothing is left.
        UserError: both a file and settings were given.
    """
    path = directory / "oneos.toml"
    given = settings.get("config")
    others = {k: v for k, v in settings.items() if k != "config" and v not in (None, (), False)}
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if given:
        if others:
            raise UserError(
                f"--config and --{next(iter(others)).rstrip('s')} do not go together",
                hint="write the setting into the file",
            )
        source = Path(given).resolve()
        config = load_config(source)
        if source != path.resolve():
            shutil.copyfile(source, path)
        return _in(config, directory)
    lines = [f"directory = {json.dumps(str(directory))}"]
    for key, value in others.items():
        if key == "edge":
            lines.append("core = false")
        elif key == "tags":
            lines.append(f"tags = {json.dumps(list(value))}")
        else:
            lines.append(f"{key} = {json.dumps(value)}")
    text = "\n".join(lines) + "\n"
    if path.exists():
        # Left by hand before the first start: then it says what this host is.
        if not others:
            return _in(load_config(path), directory)
        raise UserError(
            f"{path} is there already", errno=17, hint="write the settings into it, or remove it"
        )
    config = parse_config(text, "the options", directory)
    path.write_text(text, encoding="utf-8")
    return config


def _in(config: RuntimeConfig, directory: Path) -> RuntimeConfig:
    if Path(config.directory).resolve() != directory.resolve():
        raise UserError(
            f"the configuration says directory = {config.directory}, not {directory}",
            hint=f"write directory = {json.dumps(str(directory))} into it, or leave the key out",
        )
    return config
