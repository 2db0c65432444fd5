"""What a `[[device]]` table says of serial ports, GPIO lines, MQTT topics and found hardware.

Each kind has a frozen record and the function that reads its keys from the device's table; keys of
other kinds are left for the table to refuse. Whether the hardware or the broker is there is found
when somebody opens the device.
"""

from __future__ import annotations

import re
from typing import Literal, TypeVar, get_args

from msgspec import Struct

from oneos.limits import DEVICE_RATE_HZ_MAX
from oneos.toml_table import Table

Parity = Literal["none", "even", "odd", "mark", "space"]
Flow = Literal["none", "rtscts", "xonxoff", "dsrdtr"]
Edge = Literal["both", "rising", "falling"]
Bias = Literal["as-is", "disabled", "pull-up", "pull-down"]

Word = TypeVar("Word", bound=str)

BAUD_MAX = 16_000_000
"""Above what any port does; a port that cannot do a rate says so when it is opened."""

_HEX = re.compile(r"[0-9a-fA-F]{4}")
_MATCH_HINT = (
    'as lsusb shows it: match = { vendor = "0403", product = "6001", serial = "A50285BI" }'
)


class Match(Struct, frozen=True, kw_only=True):
    """Which USB device is meant, by what sysfs says of it; None fits any.

    Args:
        vendor, product: four hexadecimal digits.
        serial: its serial number.
        subsystem: the class of its node: "tty" for serial ports, "hidraw", "usbmisc", ...
    """

    vendor: str | None = None
    product: str | None = None
    serial: str | None = None
    subsystem: str = "tty"


class SerialSettings(Struct, frozen=True, kw_only=True):
    """How a serial port is set; the names are pyserial's, `baud` in bits a second."""

    baud: int = 9600
    bytesize: int = 8
    parity: Parity = "none"
    stopbits: float = 1.0
    flow: Flow = "none"


class GpioSettings(Struct, frozen=True, kw_only=True):
    """One line of a GPIO chip.

    Args:
        chip: the path of the chip, /dev/gpiochip0.
        line: its offset, or its name.
        edge: which changes are readings, where no rate is set.
        rate_hz: the value so often instead; 0: each edge.
        debounce_ms: changes shorter than this are none.
    """

    chip: str
    line: int | str
    edge: Edge = "both"
    rate_hz: float = 0.0
    bias: Bias = "as-is"
    active_low: bool = False
    debounce_ms: int = 0


class MqttSettings(Struct, frozen=True, kw_only=True):
    """A topic of an MQTT broker (3.1.1).

    Args:
        broker, port: where it is.
        topic: the topic; for reading a filter with + and #, too.
        user, password_file: who we are there; the file's first line is the password.
        tls: whether the connection is encrypted and the broker's certificate checked.
        ca_file: whose certificates count; None: those the system trusts.
        qos: 0, 1 or 2.
        retain: whether the broker keeps what is written for those who subscribe later.
    """

    broker: str
    port: int
    topic: str
    user: str | None = None
    password_file: str | None = None
    tls: bool = False
    ca_file: str | None = None
    qos: int = 1
    retain: bool = False

    @property
    def is_filter(self) -> bool:
        """Whether it stands for more topics than one."""
        return any(part in ("+", "#") for part in self.topic.split("/"))


def parse_match(row: Table) -> Match | None:
    """The key `match` of a device. Raises ConfigError."""
    table = row.inner("match")
    if table is None:
        return None
    match = Match(
        vendor=table.string("vendor", "") or None,
        product=table.string("product", "") or None,
        serial=table.string("serial", "") or None,
        subsystem=table.string("subsystem", "tty"),
    )
    table.close()
    for key, value in (("vendor", match.vendor), ("product", match.product)):
        if value is not None and not _HEX.fullmatch(value):
            raise row.error("match", f"{key} has to be four hexadecimal digits", _MATCH_HINT)
    if "/" in match.subsystem or match.subsystem in (".", ".."):
        raise row.error("match", f'"{match.subsystem}" is no subsystem', "see: ls /sys/class")
    if match.vendor is None and match.product is None and match.serial is None:
        raise row.error("match", "needs vendor, product or serial", _MATCH_HINT)
    return match


def parse_serial(row: Table) -> SerialSettings:
    """The keys of a serial port. Raises ConfigError."""
    stopbits = row.number("stopbits", 1.0, 1.0, 2.0)
    if stopbits not in (1.0, 1.5, 2.0):
        raise row.error("stopbits", f"{stopbits:g} is none of 1, 1.5, 2")
    return SerialSettings(
        baud=row.integer("baud", 9600, 50, BAUD_MAX),
        bytesize=row.integer("bytesize", 8, 5, 8),
        parity=_word(row, "parity", "none", get_args(Parity)),
        stopbits=stopbits,
        flow=_word(row, "flow", "none", get_args(Flow)),
    )


def parse_gpio(row: Table, mode: str) -> GpioSettings:
    """The keys of a GPIO line. Raises ConfigError."""
    if mode == "rw":
        raise row.error("mode", 'a line is read or set, not both: "r" or "w"')
    rate_hz = row.number("rate_hz", 0.0, 0.0, DEVICE_RATE_HZ_MAX)
    if row.has("edge") and (rate_hz or mode == "w"):
        raise row.error("edge", "only for reading without rate_hz", "leave one of the two out")
    if rate_hz and mode == "w":
        raise row.error("rate_hz", "only for reading", "leave it out: a line is set when written")
    chip = row.string("chip", "")
    if not chip:
        raise row.error("chip", "missing", 'where the line is: chip = "/dev/gpiochip0"')
    if not row.has("line"):
        raise row.error("line", "missing", 'which line: line = 17, or its name: line = "GPIO17"')
    line = row.string_or_integer("line", 0, 65535)
    return GpioSettings(
        chip=chip,
        line=line,
        edge=_word(row, "edge", "both", get_args(Edge)),
        rate_hz=rate_hz,
        bias=_word(row, "bias", "as-is", get_args(Bias)),
        active_low=row.boolean("active_low", False),
        debounce_ms=row.integer("debounce_ms", 0, 0, 60_000),
    )


def parse_mqtt(row: Table, mode: str) -> MqttSettings:
    """The keys of an MQTT topic. Raises ConfigError."""
    tls = row.boolean("tls", False)
    mqtt = MqttSettings(
        broker=row.string("broker", ""),
        port=row.integer("port", 8883 if tls else 1883, 1, 65535),
        topic=row.string("topic", ""),
        user=row.string("user", "") or None,
        password_file=row.string("password_file", "") or None,
        tls=tls,
        ca_file=row.string("ca_file", "") or None,
        qos=row.integer("qos", 1, 0, 2),
        retain=row.boolean("retain", False),
    )
    if not mqtt.broker:
        raise row.error("broker", "missing", 'where the broker is: broker = "mqtt.example.org"')
    if not mqtt.topic:
        raise row.error("topic", "missing", 'what is read or written: topic = "lab/temperature"')
    parts = mqtt.topic.split("/")
    if (
        "\0" in mqtt.topic
        or any(part not in ("+", "#") and ("+" in part or "#" in part) for part in parts)
        or "#" in parts[:-1]
    ):
        raise row.error("topic", f'"{mqtt.topic}" is no topic', "+ is one level, # the last ones")
    if mqtt.is_filter and mode != "r":
        raise row.error("topic", "a filter can only be read", 'mode = "r", or one topic')
    if mqtt.ca_file is not None and not tls:
        raise row.error("ca_file", "only with tls = true", "without it nothing is checked")
    if mqtt.password_file is not None and mqtt.user is None:
        raise row.error("password_file", "needs a user", 'user = "..."')
    return mqtt


def _word(row: Table, key: str, default: Word, words: tuple[Word, ...]) -> Word:
    chosen = row.choice(key, default, words)
    return next(word for word in words if word == chosen)
