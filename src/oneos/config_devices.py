"""The `[[device]]` tables of a host's configuration: what it shows under /dev.

Says what a device's table may hold and what fits together; a table that does not is refused with
the file, the device and the key in one line. Whether the thing behind a device is there is found
when somebody opens it (`files.devices`): a sensor may be plugged in later.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from msgspec import Struct

from oneos.config_hardware import (
    GpioSettings,
    Match,
    MqttSettings,
    SerialSettings,
    parse_gpio,
    parse_match,
    parse_mqtt,
    parse_serial,
)
from oneos.limits import DEVICE_RATE_HZ_MAX, DEVICES_MAX, NAME_BYTES_MAX
from oneos.toml_table import Table

Kind = Literal["file", "char", "serial", "gpio", "fifo", "command", "mqtt"]
Mode = Literal["r", "w", "rw"]
Framing = Literal["line", "raw"]

KINDS: tuple[Kind, ...] = ("file", "char", "serial", "gpio", "fifo", "command", "mqtt")
MODES: tuple[Mode, ...] = ("r", "w", "rw")

# Every host's kernel serves these itself; a device of that name could never be opened.
TAKEN_NAMES = frozenset(
    ("null", "zero", "full", "random", "urandom", "tty", "stdin", "stdout", "stderr", "fd", "ptmx")
)

_BYTES = ("char", "fifo")
"""Nothing says that these give lines, so they are raw unless they are declared otherwise."""

_SHARED_ALWAYS = ("serial", "gpio", "mqtt")
_SHARED = ("char", "fifo", *_SHARED_ALWAYS)

_PART = re.compile(r"[A-Za-z0-9_.:+@-]+")
_NAME_HINT = 'letters, digits, _ . : + @ - and /, as in "sensor/1"'


class DeviceConfig(Struct, frozen=True, kw_only=True):
    """One device of a host.

    Args:
        name: below /dev, such as `sensor/1`.
        kind: what is behind it.
        path: the file, device, port or FIFO; absolute, or from `directory`.
        match: instead of a path: which USB device it is.
        command: the program and its arguments; run in `directory`.
        rate_hz: lines a second at most, for reading a file or a command; 0 is as fast as it comes.
        mode: what openers may do.
        shared: whether one opening of what is behind it serves all openers, and each reader gets
            each reading; otherwise each opener has an opening of his own.
        exclusive: whether one program at a time may have it open.
        framing: whether its readings are lines, or bytes as they come.
        serial, gpio, mqtt: for these kinds.
        description: for people.
        directory: where relative paths start: the configuration file's own.
    """

    name: str
    kind: Kind
    path: str | None = None
    command: list[str] | None = None
    rate_hz: float = 0.0
    mode: Mode = "r"
    description: str = ""
    directory: str = ""
    match: Match | None = None
    shared: bool = False
    exclusive: bool = False
    framing: Framing = "line"
    serial: SerialSettings | None = None
    gpio: GpioSettings | None = None
    mqtt: MqttSettings | None = None


def parse_devices(table: Table, base: Path) -> list[DeviceConfig]:
    """The devices of a configuration.

    Args:
        table: the top table of the file; its key `device` is read.
        base: where relative paths start: the file's directory.

    Raises:
        ConfigError: a device is wrong; the message names the file, the device and the key.
    """
    rows = table.array("device")
    if len(rows) > DEVICES_MAX:
        raise table.error("device", f"{len(rows)} devices; at most {DEVICES_MAX} on one host")
    devices: list[DeviceConfig] = []
    names: set[str] = set()
    for row in rows:
        device = _device(row, base)
        _check_name(row, device.name, names)
        names.add(device.name)
        devices.append(device)
    return devices


def _device(row: Table, base: Path) -> DeviceConfig:
    name = row.string("name", "")
    if not name:
        raise row.error("name", "missing", 'every device has one: name = "sensor/1"')
    # From here on messages call the device by its name, not by its number in the file.
    row.name = f'device "{name}"'
    if not row.has("kind"):
        raise row.error("kind", "missing", f"one of {', '.join(KINDS)}")
    kind = next(known for known in KINDS if known == row.choice("kind", "", KINDS))
    mode = next(known for known in MODES if known == row.choice("mode", "r", MODES))
    framing = row.choice("framing", "raw" if kind in _BYTES else "line", ("line", "raw"))
    device = DeviceConfig(
        name=name,
        kind=kind,
        path=row.string("path", "") or None,
        command=row.strings("command") or None,
        rate_hz=0.0 if kind == "gpio" else row.number("rate_hz", 0.0, 0.0, DEVICE_RATE_HZ_MAX),
        mode=mode,
        description=row.string("description", " ").strip(),
        directory=str(base),
        match=parse_match(row),
        shared=row.boolean("shared", kind in _SHARED),
        exclusive=row.boolean("exclusive", False),
        framing="raw" if framing == "raw" else "line",
        serial=parse_serial(row) if kind == "serial" else None,
        gpio=parse_gpio(row, mode) if kind == "gpio" else None,
        mqtt=parse_mqtt(row, mode) if kind == "mqtt" else None,
    )
    row.close()
    _check_source(row, device)
    _check_sharing(row, device)
    return device


def _check_source(row: Table, device: DeviceConfig) -> None:
    """Refuse a path where a command belongs, and what no kind of device can do."""
    if device.command is not None and device.kind != "command":
        raise row.error("command", f'kind "{device.kind}" has none', 'use kind = "command"')
    if device.match is not None:
        if device.kind not in ("char", "serial"):
            raise row.error("match", f'kind "{device.kind}" has none', "only serial and char have")
        if device.path is not None:
            raise row.error("match", "it is found by match or by path, not both")
    elif device.kind in ("gpio", "mqtt"):
        if device.path is not None:
            instead = "chip" if device.kind == "gpio" else "broker"
            raise row.error("path", f'kind "{device.kind}" has none', f"it has {instead}")
    elif device.kind == "command":
        if device.command is None:
            raise row.error("command", "missing", 'the program to run: command = ["cat", "x.csv"]')
        if device.path is not None:
            raise row.error("path", 'kind "command" has none', "put it among the command's words")
        if not device.command[0] or any("\0" in word for word in device.command):
            raise row.error("command", "its first word has to name a program")
        if device.mode == "rw":
            raise row.error(
                "mode", 'a command is read or written, not both: "r" or "w"', "declare two devices"
            )
    elif device.path is None or "\0" in device.path:
        raise row.error("path", "missing", f'where the {device.kind} is: path = "..."')
    if device.rate_hz and (device.kind not in ("file", "command") or device.mode != "r"):
        raise row.error(
            "rate_hz",
            'only for reading a file or a command: kind "file" or "command", mode "r"',
            "leave it out: a device gives its readings when it has them",
        )


def _check_sharing(row: Table, device: DeviceConfig) -> None:
    """Refuse to share what has no readings of its own, and not to share what has one opening."""
    if device.shared:
        if device.kind == "file" and not device.rate_hz:
            raise row.error("shared", "a file is shared only when it is played: set rate_hz")
        if device.kind == "command" and device.mode != "r":
            raise row.error("shared", "a command that is written runs for each writer")
        if device.kind == "gpio" and device.framing == "raw":
            raise row.error("framing", "a GPIO line has lines", "leave it out")
    elif device.kind in _SHARED_ALWAYS:
        raise row.error("shared", f'kind "{device.kind}" is always shared', "leave it out")
    elif row.has("framing"):
        raise row.error("framing", "only for what is shared", "leave it out, or set shared = true")


def _check_name(row: Table, name: str, names: set[str]) -> None:
    """Refuse a name that cannot stand under /dev beside the others."""
    parts = name.split("/")
    for part in parts:
        if not _PART.fullmatch(part) or part in (".", ".."):
            raise row.error("name", f'"{name}" cannot be a name under /dev', _NAME_HINT)
        if len(part) > NAME_BYTES_MAX:
            raise row.error("name", f"a part is longer than {NAME_BYTES_MAX} bytes")
    if parts[0] in TAKEN_NAMES:
        raise row.error("name", f"/dev/{parts[0]} is every host's own", "choose another name")
    if name in names:
        raise row.error("name", "declared twice", "each device has a name of its own")
    for other in names:
        if other.startswith(name + "/") or name.startswith(other + "/"):
            raise row.error(
                "name", f'"{other}" is a device, too: one would be in the other', "rename one"
            )
