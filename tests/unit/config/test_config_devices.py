"""What the `[[device]]` tables of a configuration may say, and how it is refused."""

from pathlib import Path

import pytest

from oneos.config_devices import DeviceConfig, parse_devices
from oneos.errors import ConfigError
from oneos.toml_table import parse_toml

BASE = Path("/base")


def parse(text: str) -> list[DeviceConfig]:
    return parse_devices(parse_toml(text, "host.toml"), BASE)


def test_every_key_arrives() -> None:
    text = """
        [[device]]
        name = "sensor/1"
        kind = "command"
        command = ["cat", "seattle-temps.csv"]
        rate_hz = 5
        mode = "r"
        description = "temperatures"

        [[device]]
        name = "ttyUSB0"
        kind = "char"
        path = "/dev/ttyUSB0"
        mode = "rw"
    """
    assert parse(text) == [
        DeviceConfig(
            name="sensor/1",
            kind="command",
            command=["cat", "seattle-temps.csv"],
            rate_hz=5.0,
            mode="r",
            description="temperatures",
            directory="/base",
        ),
        DeviceConfig(
            name="ttyUSB0",
            kind="char",
            path="/dev/ttyUSB0",
            mode="rw",
            directory="/base",
            shared=True,
            framing="raw",
        ),
    ]


def test_no_device_is_a_configuration() -> None:
    assert parse("") == []


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('kind = "file"\npath = "x"', "device[1].name: missing"),
        ('name = "s"', 'device "s".kind: missing'),
        ('name = "s"\nkind = "usb"', 'device "s".kind: "usb" is none of'),
        ('name = "s"\nkind = "file"', 'device "s".path: missing'),
        ('name = "s"\nkind = "command"', 'device "s".command: missing'),
        ('name = "s"\nkind = "command"\ncommand = "cat x"', 'device "s".command: expected a list'),
        ('name = "s"\nkind = "command"\ncommand = [""]', 'device "s".command: its first word'),
        (
            'name = "s"\nkind = "command"\ncommand = ["a"]\npath = "b"',
            'device "s".path: kind "command" has none',
        ),
        (
            'name = "s"\nkind = "fifo"\npath = "p"\ncommand = ["a"]',
            'device "s".command: kind "fifo" has none',
        ),
        (
            'name = "s"\nkind = "command"\ncommand = ["a"]\nmode = "rw"',
            'device "s".mode: a command is read or written',
        ),
        ('name = "s"\nkind = "char"\npath = "p"\nrate_hz = 1', 'device "s".rate_hz: only for'),
        ('name = "s"\nkind = "file"\npath = "p"\nrate_hz = -1', 'device "s".rate_hz: expected a'),
        ('name = "s"\nkind = "file"\npath = "p"\nrate_hz = nan', 'device "s".rate_hz: expected a'),
        ('name = "s"\nkind = "file"\npath = "p"\nrate_hz = true', 'device "s".rate_hz: expected a'),
        ('name = "s"\nkind = "file"\npath = "p"\nmode = "x"', 'device "s".mode: "x" is none of'),
        ('name = "s"\nkind = "file"\npath = "p"\nrate = 5', "unknown key, did you mean rate_hz?"),
        ('name = "a/../b"\nkind = "file"\npath = "p"', "cannot be a name under /dev"),
        ('name = "/a"\nkind = "file"\npath = "p"', "cannot be a name under /dev"),
        ('name = "a b"\nkind = "file"\npath = "p"', "cannot be a name under /dev"),
        ('name = "null"\nkind = "file"\npath = "p"', "/dev/null is every host's own"),
    ],
)
def test_a_wrong_device_is_refused_with_its_name_and_key(body: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse("[[device]]\n" + body)
    assert raised.value.message.startswith("host.toml: ")
    assert message in raised.value.message


def test_two_devices_cannot_share_a_place() -> None:
    one = '[[device]]\nname = "a/b"\nkind = "file"\npath = "p"\n'
    with pytest.raises(ConfigError, match="declared twice"):
        parse(one + one)
    with pytest.raises(ConfigError, match="one would be in the other"):
        parse(one + one.replace("a/b", "a"))


def test_a_single_table_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected tables \[\[device\]\]"):
        parse('[device]\nname = "s"')
