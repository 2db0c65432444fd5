"""MQTT topics as devices, with a true broker: nats-server's MQTT listener."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from oneos.config_devices import DeviceConfig
from oneos.config_hardware import MqttSettings
from oneos.errors import FileError
from oneos.files.device_openings import OpenDevice
from oneos.files.devices import Devices
from oneos.limits import DEVICE_MESSAGE_BYTES_MAX
from tests.support.broker import Broker

DEADLINE_S = 60.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    yield broker
    broker.kill()


@pytest.fixture
async def made() -> AsyncIterator[list[Devices]]:
    made: list[Devices] = []
    yield made
    for devices in made:
        await devices.close()


def devices_at(
    broker: Broker, made: list[Devices], mode: str = "rw", framing: str = "line", **settings: Any
) -> Devices:
    """The device `d`, a topic of the broker."""
    mqtt = MqttSettings(broker="127.0.0.1", port=broker.port, **{"topic": "lab/t", **settings})
    table: dict[str, Any] = {"mode": mode, "framing": framing, "mqtt": mqtt}
    directory = str(broker.directory)
    made.append(
        Devices([DeviceConfig(name="d", kind="mqtt", shared=True, directory=directory, **table)])
    )
    return made[-1]


async def some(opened: OpenDevice, size: int = 65536) -> bytes:
    return await asyncio.wait_for(asyncio.to_thread(os.read, opened.fd, size), DEADLINE_S)


async def exactly(opened: OpenDevice, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += (block := await some(opened, size - len(data)))
        assert block
    return data


async def refused(devices: Devices) -> FileError:
    with pytest.raises(FileError) as raised:
        await devices.open("d", os.O_RDONLY)
    return raised.value


async def test_a_line_is_a_message_and_reaches_every_reader(
    broker: Broker, made: list[Devices]
) -> None:
    devices = devices_at(broker, made)
    readers = [await devices.open("d", os.O_RDONLY) for _ in range(2)]
    # Another host, with a connection of its own.
    readers.append(await devices_at(broker, made, mode="r").open("d", os.O_RDONLY))
    writer = await devices.open("d", os.O_WRONLY)
    lines = b"".join(b"%d\n" % n for n in range(100)) + b"last"
    os.write(writer.fd, lines)
    await writer.close()
    for reader in readers:
        assert await exactly(reader, len(lines) + 1) == lines + b"\n"
    assert devices.state("d").readings == 101


async def test_a_filter_says_of_which_topic_a_message_is(
    broker: Broker, made: list[Devices]
) -> None:
    reader = await devices_at(broker, made, mode="r", topic="lab/+/t").open("d", os.O_RDONLY)
    writer = await devices_at(broker, made, mode="w", topic="lab/1/t").open("d", os.O_WRONLY)
    os.write(writer.fd, b"20.5\n")
    await writer.close()
    assert await exactly(reader, 13) == b"lab/1/t 20.5\n"


async def test_what_is_retained_comes_to_who_subscribes_later(
    broker: Broker, made: list[Devices]
) -> None:
    writer = await devices_at(broker, made, mode="w", retain=True).open("d", os.O_WRONLY)
    os.write(writer.fd, b"kept\n")
    await writer.close()
    reader = await devices_at(broker, made, mode="r").open("d", os.O_RDONLY)
    assert await exactly(reader, 5) == b"kept\n"


async def test_a_raw_topic_gives_the_bytes_of_its_messages(
    broker: Broker, made: list[Devices]
) -> None:
    devices = devices_at(broker, made, framing="raw")
    opened = await devices.open("d", os.O_RDWR)
    os.write(opened.fd, b"\x00\n\xff")
    assert await exactly(opened, 3) == b"\x00\n\xff"


async def test_readers_and_writers_outlive_a_broker_that_restarts(
    broker: Broker, made: list[Devices]
) -> None:
    devices = devices_at(broker, made)
    reader = await devices.open("d", os.O_RDONLY)
    writer = await devices.open("d", os.O_WRONLY)
    os.write(writer.fd, b"before\n")
    assert await exactly(reader, 7) == b"before\n"
    broker.kill()
    # It waits with its writer until the broker is there again.
    os.write(writer.fd, b"while away\n")
    await asyncio.to_thread(broker.start)
    await writer.close()

    # The reader's subscription is renewed; another connection shows when.
    async def publish() -> None:
        while True:
            again = await devices.open("d", os.O_WRONLY)
            os.write(again.fd, b"after\n")
            await again.close()
            await asyncio.sleep(0.05)

    publishing = asyncio.create_task(publish())
    data = b""
    async with asyncio.timeout(DEADLINE_S):
        while b"after\n" not in data:
            data += await some(reader)
    publishing.cancel()
    await asyncio.wait((publishing,))


async def test_a_message_that_is_too_large_is_counted_as_lost(
    broker: Broker, made: list[Devices], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneos.files.device_mqtt.DEVICE_MESSAGE_BYTES_MAX", 100)
    devices = devices_at(broker, made)
    reader = await devices.open("d", os.O_RDONLY)
    writer = await devices.open("d", os.O_WRONLY)
    os.write(writer.fd, b"1\n" + b"x" * 200 + b"\n2\n")
    await writer.close()
    assert await exactly(reader, 4) == b"1\n2\n"
    assert [x.lost for x in devices.state("d").readers] == [1]
    assert DEVICE_MESSAGE_BYTES_MAX >= 65536


async def test_a_broker_that_is_away_is_enxio(broker: Broker, made: list[Devices]) -> None:
    broker.kill()
    error = await refused(devices_at(broker, made))
    assert error.errno == errno.ENXIO
    assert error.hint == f"broker 127.0.0.1:{broker.port}: Connection refused"


async def test_who_is_not_let_in_is_eacces(tmp_path: Path, made: list[Devices]) -> None:
    broker = Broker(tmp_path, user="oneos", password="secret")
    try:
        secret = tmp_path / "password"
        secret.write_text("wrong\n")
        secret.chmod(0o600)
        given = {"user": "oneos", "password_file": "password"}
        error = await refused(devices_at(broker, made, **given))
        assert error.errno == errno.EACCES and "refuses" in error.hint
        secret.write_text("secret\nnothing else counts\n")
        reader = await devices_at(broker, made, **given).open("d", os.O_RDONLY)
        await reader.close()
        secret.chmod(0o644)
        error = await refused(devices_at(broker, made, **given))
        assert error.errno == errno.EACCES and "chmod 600" in error.hint
        secret.unlink()
        assert (await refused(devices_at(broker, made, **given))).errno == errno.EACCES
    finally:
        broker.kill()


async def test_a_broker_has_to_show_its_certificate(tmp_path: Path, made: list[Devices]) -> None:
    broker = Broker(tmp_path, tls=True)
    try:
        devices = devices_at(broker, made, tls=True, ca_file=broker.ca.name)
        opened = await devices.open("d", os.O_RDWR)
        os.write(opened.fd, b"secret\n")
        assert await exactly(opened, 7) == b"secret\n"
        # Nobody that this host trusts has signed it.
        error = await refused(devices_at(broker, made, tls=True))
        assert error.errno == errno.ENXIO and "certificate verify failed" in error.hint.lower()
    finally:
        broker.kill()
