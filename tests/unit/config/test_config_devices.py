"""What the `[[device]]` tables of a configuration may say, and how it is refused."""

from pathlib import Path

import pytest

from oneos.config_devices import KINDS, DeviceConfig, parse_devices
from oneos.config_hardware import GpioSettings, Match, SerialSettings
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


def test_the_example_of_each_kind_in_the_documentation_is_taken() -> None:
    docs = (Path(__file__).parents[3] / "docs" / "config.md").read_text(encoding="utf-8")
    section = docs.partition("## Devices")[2].partition("| key |")[0]
    example = "\n".join(line[4:] for line in section.splitlines() if line.startswith("    "))
    devices = parse(example)
    assert {device.kind for device in devices} == set(KINDS)
    by_name = {device.name: device for device in devices}
    assert by_name["modem"].match == Match(vendor="2c7c", product="0125")
    assert by_name["modem"].exclusive and by_name["modem"].shared
    assert by_name["scale"].serial == SerialSettings(baud=19200, parity="even")
    assert by_name["door"].gpio == GpioSettings(
        chip="/dev/gpiochip0", line=17, bias="pull-up", debounce_ms=20
    )
    lamp = by_name["lamp"].gpio
    assert lamp is not None and lamp.line == "GPIO27"
    mqtt = by_name["lab/temperature"].mqtt
    assert mqtt is not None and (mqtt.port, mqtt.tls, mqtt.qos) == (8883, True, 1)
    assert not by_name["sensor/1"].shared and by_name["load"].shared
    assert (by_name["rng"].framing, by_name["queue"].framing) == ("raw", "line")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('kind = "serial"', 'device "s".path: missing'),
        ('kind = "serial"\npath = "p"\nbaud = 10', 'device "s".baud: expected a whole number'),
        ('kind = "serial"\npath = "p"\nparity = "x"', 'device "s".parity: "x" is none of'),
        ('kind = "serial"\npath = "p"\nstopbits = 1.2', 'device "s".stopbits: 1.2 is none of'),
        ('kind = "serial"\npath = "p"\nshared = false', 'device "s".shared: kind "serial" is'),
        ('kind = "char"\npath = "p"\nbaud = 9600', 'device "s".baud: unknown key'),
        ('kind = "char"\npath = "p"\nmatch = {vendor = "0403"}', 'device "s".match: it is found'),
        ('kind = "char"\nmatch = {vendor = "403"}', 'device "s".match: vendor has to be four'),
        ('kind = "char"\nmatch = {}', 'device "s".match: needs vendor, product or serial'),
        ('kind = "char"\nmatch = {vender = "0403"}', 'device "s".match.vender: unknown key'),
        ('kind = "char"\nmatch = "0403"', 'device "s".match: expected a table'),
        ('kind = "fifo"\nmatch = {serial = "1"}', 'device "s".match: kind "fifo" has none'),
        ('kind = "char"\nmatch = {serial = "1", subsystem = "../x"}', 'device "s".match: "../x"'),
        ('kind = "gpio"\nline = 1', 'device "s".chip: missing'),
        ('kind = "gpio"\nchip = "c"', 'device "s".line: missing'),
        ('kind = "gpio"\nchip = "c"\nline = -1', 'device "s".line: expected a whole number'),
        ('kind = "gpio"\nchip = "c"\nline = 1\nmode = "rw"', 'device "s".mode: a line is read or'),
        (
            'kind = "gpio"\nchip = "c"\nline = 1\nrate_hz = 1\nedge = "both"',
            'device "s".edge: only',
        ),
        (
            'kind = "gpio"\nchip = "c"\nline = 1\npath = "p"',
            'device "s".path: kind "gpio" has none',
        ),
        ('kind = "mqtt"\ntopic = "t"', 'device "s".broker: missing'),
        ('kind = "mqtt"\nbroker = "b"', 'device "s".topic: missing'),
        ('kind = "mqtt"\nbroker = "b"\ntopic = "a/b#"', 'device "s".topic: "a/b#" is no topic'),
        ('kind = "mqtt"\nbroker = "b"\ntopic = "#/a"', 'device "s".topic: "#/a" is no topic'),
        ('kind = "mqtt"\nbroker = "b"\ntopic = "+"\nmode = "w"', 'device "s".topic: a filter can'),
        ('kind = "mqtt"\nbroker = "b"\ntopic = "t"\nqos = 3', 'device "s".qos: expected a whole'),
        (
            'kind = "mqtt"\nbroker = "b"\ntopic = "t"\nca_file = "f"',
            'device "s".ca_file: only with',
        ),
        (
            'kind = "mqtt"\nbroker = "b"\ntopic = "t"\npassword_file = "f"',
            'device "s".password_file: needs a user',
        ),
        ('kind = "file"\npath = "p"\nshared = true', 'device "s".shared: a file is shared only'),
        (
            'kind = "command"\ncommand = ["a"]\nmode = "w"\nshared = true',
            'device "s".shared: a command that is written',
        ),
        ('kind = "file"\npath = "p"\nframing = "raw"', 'device "s".framing: only for what is'),
    ],
)
def test_what_does_not_fit_a_kind_is_refused(body: str, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(f'[[device]]\nname = "s"\n{body}\n')
    assert message in raised.value.message, raised.value.message
