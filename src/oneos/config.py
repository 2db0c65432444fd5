"""A Runtime's configuration: TOML to one frozen record, checked before anything starts.

What a host is called, where it listens, where its data lies, what it offers. Every key has a
default, so an empty file is a configuration; docs/config.md lists them. What a device's table may
say is decided in `config_devices`; what the network as a whole runs stands in the manifest
(`kernel.manifest`), since it is agreed on and no host's own business.
"""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import force_setattr

from oneos.config_devices import DeviceConfig, parse_devices
from oneos.config_exports import ExportConfig, parse_exports
from oneos.errors import ConfigError
from oneos.ids import HostName
from oneos.limits import (
    COPIES_DEFAULT,
    COPIES_MAX,
    PORT_DEFAULT,
    SCRUB_DAYS_DEFAULT,
    SCRUB_DAYS_MAX,
)
from oneos.toml_table import Table, parse_toml

# The same as `net.identity` demands of a name in a certificate.
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")

PORT_MAX = 65531
"""Of `port`: up to four ports behind it are used too."""

CONTEXTS = ("auto", "namespace", "instrumented")
"""What `context` may be; docs/context.md says which program each is for."""

_NAME_HINT = "1 to 63 letters, digits and hyphens, with no hyphen at an end"


class RuntimeConfig(Struct, frozen=True, kw_only=True):
    """What one Runtime is told.

    Args:
        name: the host's name, unique in its network.
        directory: where this Runtime keeps everything; nobody else writes there.
        listen: the address the public ports listen at.
        port: the one port others must be able to reach to join and to exchange streams.
        advertise: the address others reach this host at; None means the one it has towards them.
        engine_port: where the engine's clients connect; `port` + 1 unless given.
        cluster_port: where the engine's voters talk to each other; `port` + 2 unless given.
        tags: what `on tag:NAME` and the manifest may choose this host by.
        core: whether Kernel Agents and a voter may run here.
        python: the interpreter for programs; None means the Runtime's own or the host's.
        node: the same for JavaScript; None means the one on PATH or of the package.
        context: how programs here are made to see the tree: "auto", "namespace" or "instrumented".
        copies: hosts that hold each chunk of a file, where there are that many.
        scrub_days: in which each chunk on this host's disk is read again; 0 means never.
        devices: what this host shows under /dev.
        exports: what it shows of its own files under /host.
    """

    name: HostName
    directory: Path
    listen: str = "0.0.0.0"
    port: int = PORT_DEFAULT
    advertise: str | None = None
    engine_port: int = 0
    cluster_port: int = 0
    tags: list[str] = field(default_factory=list)
    core: bool = True
    python: str | None = None
    node: str | None = None
    context: str = CONTEXTS[0]
    copies: int = COPIES_DEFAULT
    scrub_days: float = SCRUB_DAYS_DEFAULT
    devices: list[DeviceConfig] = field(default_factory=list)
    exports: list[ExportConfig] = field(default_factory=list)

    def __post_init__(self) -> None:
        # A frozen record fills in what depends on another field only here.
        if not self.engine_port:
            force_setattr(self, "engine_port", self.port + 1)
        if not self.cluster_port:
            force_setattr(self, "cluster_port", self.port + 2)


def load_config(path: str | os.PathLike[str], directory: Path | None = None) -> RuntimeConfig:
    """Read a configuration file.

    Args:
        path: the file. Relative paths in it start at its own directory, or at what its key
            `relative_to` says.
        directory: where the Runtime's data lies unless the file says it; None means the default.

    Raises:
        ConfigError: it cannot be read, or is wrong; the message names the file and the line or
            key.
    """
    source = os.fspath(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{source}: {error.strerror}", errno=error.errno) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(f"{source}: line {line}: not UTF-8 text") from None
    return parse_config(text, source, Path(path).resolve().parent, directory)


def parse_config(
    text: str, source: str, base: Path, directory: Path | None = None
) -> RuntimeConfig:
    """The configuration in a TOML text.

    Args:
        text: the whole file.
        source: its name, for messages.
        base: where relative paths in it start.
        directory: as for `load_config`.

    Raises:
        ConfigError: it is wrong; the message names the source and the line or key.
    """
    table = parse_toml(text, source)
    if relative_to := table.string("relative_to", ""):
        if not os.path.isabs(relative_to):
            raise table.error("relative_to", f'"{relative_to}" is not an absolute path')
        base = Path(relative_to)
    name = table.string("name", default_name())
    if not _NAME.fullmatch(name):
        raise table.error("name", f'"{name}" cannot name a host', _NAME_HINT)
    own = table.string("directory", "")
    data = base / os.path.expanduser(own) if own else directory or default_directory()
    port = table.integer("port", PORT_DEFAULT, 1, PORT_MAX)
    config = RuntimeConfig(
        name=HostName(name),
        directory=data,
        listen=table.string("listen", "0.0.0.0"),
        port=port,
        advertise=table.string("advertise", "") or None,
        engine_port=table.integer("engine_port", port + 1, 1, PORT_MAX + 2),
        cluster_port=table.integer("cluster_port", port + 2, 1, PORT_MAX + 2),
        tags=table.strings("tags"),
        core=table.boolean("core", True),
        python=_program(table, "python", base),
        node=_program(table, "node", base),
        context=table.string("context", CONTEXTS[0]),
        copies=table.integer("copies", COPIES_DEFAULT, 1, COPIES_MAX),
        scrub_days=table.number("scrub_days", SCRUB_DAYS_DEFAULT, 0.0, SCRUB_DAYS_MAX),
        devices=parse_devices(table, base),
        exports=parse_exports(table, base),
    )
    table.close()
    if config.context not in CONTEXTS:
        choices = ", ".join(f'"{name}"' for name in CONTEXTS)
        raise table.error("context", f'"{config.context}" is not one of {choices}')
    for tag in config.tags:
        if not _NAME.fullmatch(tag):
            raise table.error("tags", f'"{tag}" cannot be a tag', _NAME_HINT)
    if len(set(ports_of(config))) < 5:
        raise table.error(
            "port",
            "port, engine_port and cluster_port have to differ, also when 2 is added to the latter",
            "leave engine_port and cluster_port out: then they are port + 1 and port + 2",
        )
    return config


def ports_of(config: RuntimeConfig) -> list[int]:
    """The ports a host may listen at: its public one, and the engine's two pairs.

    Two generations of the engine's servers run side by side while the voters change, so every
    second one uses the pair behind the first.
    """
    engine = [config.engine_port, config.cluster_port]
    return [config.port, *engine, *(port + 2 for port in engine)]


def default_name() -> str:
    """This computer's name, as far as it can be a host's name."""
    short = socket.gethostname().split(".")[0].lower()
    return re.sub(r"[^a-z0-9-]", "-", short)[:63].strip("-") or "host"


def default_directory() -> Path:
    """Where a Runtime keeps its data unless told: `$ONEOS_DIR`, else `~/.oneos`.

    The same rule finds its local socket, see `local.address`.
    """
    return Path(os.environ.get("ONEOS_DIR") or os.path.expanduser("~/.oneos")).absolute()


def _program(table: Table, key: str, base: Path) -> str | None:
    """An interpreter: a command's name as it is, a path made absolute."""
    value = table.string(key, "")
    if "/" not in value and not value.startswith("~"):
        return value or None
    path = base / os.path.expanduser(value)
    if not path.is_file() or not os.access(path, os.X_OK):
        raise table.error(key, f"{path} is not there or not executable")
    return str(path)
