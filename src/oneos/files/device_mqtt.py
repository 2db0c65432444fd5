"""A topic of an MQTT broker as a device, by paho-mqtt, which is imported when the first is opened.

Each message is a reading, each line that is written a message. paho's own thread holds the
connection and makes it anew with a growing pause when it breaks; readers stay meanwhile, and
writers wait. What the broker sent to nobody while the connection was down is not counted as lost:
nobody here knows of it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import secrets
import ssl
import stat
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from oneos.config_hardware import MqttSettings
from oneos.errors import FileError
from oneos.files.device_source import Publish, missing
from oneos.limits import (
    DEVICE_BACKLOG_BYTES,
    DEVICE_BACKLOG_READINGS,
    DEVICE_MESSAGE_BYTES_MAX,
    MQTT_BACKOFF_MAX_S,
    MQTT_BACKOFF_MIN_S,
    MQTT_CONNECT_S,
    MQTT_KEEPALIVE_S,
)

log = logging.getLogger(__name__)

_REFUSED = ("not authorized", "bad user name or password", "not authorised")


class _Socket(ssl.SSLSocket):
    """Closes itself when its handshake fails: paho leaves that to the collector of garbage."""

    def do_handshake(self, block: bool = False) -> None:
        try:
            super().do_handshake(block)
        except BaseException:
            self.close()
            raise


class MqttSource:
    """See the module. Make it with `open`."""

    lasting = False

    def __init__(self, settings: MqttSettings, shown: str, lines: bool, reading: bool) -> None:
        self._settings = settings
        self._shown = shown
        self._lines = lines
        self._reading = reading
        self._loop = asyncio.get_running_loop()
        self._client: Any = None
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._connected = asyncio.Event()
        self._unconfirmed: dict[int, asyncio.Future[None]] = {}
        self._lock = threading.Lock()
        self._arrived: deque[tuple[int, bytes]] = deque()
        self._arrived_bytes = 0
        self._lost = 0
        self._some = asyncio.Event()

    @classmethod
    async def open(
        cls, settings: MqttSettings, shown: str, lines: bool, reading: bool, directory: str
    ) -> MqttSource:
        """Connect, and subscribe where it is to be read.

        Args:
            reading: whether messages are wanted.
            directory: where the relative paths of the settings start.

        Raises:
            FileError: ENXIO when the broker cannot be reached, does not show that it is the one
                (TLS), or paho-mqtt is not installed; EACCES when it refuses us.
        """
        self = cls(settings, shown, lines, reading)
        client = self._client = self._new_client(directory)
        where = f"{settings.broker}:{settings.port}"
        try:
            try:
                async with asyncio.timeout(MQTT_CONNECT_S):
                    await asyncio.to_thread(
                        client.connect, settings.broker, settings.port, MQTT_KEEPALIVE_S
                    )
                    client.loop_start()
                    await self._ready
            except TimeoutError:
                raise FileError(errno.ENXIO, shown, hint=f"broker {where}: no answer") from None
            except (OSError, ValueError) as error:
                why = getattr(error, "strerror", None) or error
                raise FileError(errno.ENXIO, shown, hint=f"broker {where}: {why}") from None
        except BaseException:
            await self.close()
            raise
        return self

    def _new_client(self, directory: str) -> Any:
        try:
            from paho.mqtt import client as mqtt
            from paho.mqtt.enums import CallbackAPIVersion
        except ImportError:
            raise missing("paho-mqtt", "paho-mqtt>=2.1", self._shown) from None
        settings = self._settings
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"oneos{secrets.token_hex(8)}",
            protocol=mqtt.MQTTv311,
        )
        client.reconnect_delay_set(MQTT_BACKOFF_MIN_S, MQTT_BACKOFF_MAX_S)
        if settings.user is not None:
            client.username_pw_set(settings.user, self._password(directory))
        if settings.tls:
            ca = settings.ca_file and os.path.join(directory, settings.ca_file)
            try:
                context = ssl.create_default_context(cafile=ca)
            except OSError as error:
                hint = f"certificates of {ca}: {error.strerror or error}"
                raise FileError(errno.ENXIO, self._shown, hint=hint) from None
            context.sslsocket_class = _Socket
            client.tls_set_context(context)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    def _password(self, directory: str) -> str | None:
        if self._settings.password_file is None:
            return None
        path = os.path.join(directory, self._settings.password_file)
        try:
            with open(path, encoding="utf-8") as file:
                if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                    hint = f"others may read {path}: chmod 600 {path}"
                    raise FileError(errno.EACCES, self._shown, hint=hint)
                return file.readline().rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            hint = f"its password file {path} cannot be read"
            raise FileError(errno.EACCES, self._shown, hint=hint) from None

    # --- in paho's thread -----------------------------------------------------------------------
    def _tell(self, what: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *arguments)
        except RuntimeError:
            pass  # The Runtime has ended.

    def _on_connect(self, client: Any, _: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._tell(self._refused, str(reason))
        elif self._reading:
            client.subscribe(self._settings.topic, self._settings.qos)
        else:
            self._tell(self._up)

    def _on_subscribe(self, client: Any, _: Any, mid: int, reasons: Any, properties: Any) -> None:
        failed = [str(reason) for reason in reasons if reason.is_failure]
        if failed:
            self._tell(self._refused, failed[0])
        else:
            self._tell(self._up)

    def _on_disconnect(self, client: Any, _: Any, flags: Any, reason: Any, more: Any) -> None:
        self._tell(self._down, str(reason))

    def _on_publish(self, client: Any, _: Any, mid: int, reason: Any, properties: Any) -> None:
        self._tell(self._confirmed, mid)

    def _on_message(self, client: Any, _: Any, message: Any) -> None:
        payload = bytes(message.payload)
        if self._settings.is_filter:
            payload = message.topic.encode("utf-8", "replace") + b" " + payload
        if self._lines and not payload.endswith(b"\n"):
            payload += b"\n"
        with self._lock:
            if len(payload) > DEVICE_MESSAGE_BYTES_MAX:
                self._lost += 1
                return
            first = not self._arrived
            self._arrived.append((self._lost, payload))
            self._arrived_bytes += len(payload)
            self._lost = 0
            while len(self._arrived) > 1 and (
                len(self._arrived) > DEVICE_BACKLOG_READINGS
                or self._arrived_bytes > DEVICE_BACKLOG_BYTES
            ):
                lost, oldest = self._arrived.popleft()
                self._arrived_bytes -= len(oldest)
                following, kept = self._arrived[0]
                self._arrived[0] = (following + lost + 1, kept)
        if first:
            self._tell(self._some.set)

    # --- in the loop ----------------------------------------------------------------------------
    def _up(self) -> None:
        self._connected.set()
        if not self._ready.done():
            self._ready.set_result(None)

    def _refused(self, reason: str) -> None:
        if not self._ready.done():
            code = errno.EACCES if reason.lower() in _REFUSED else errno.ENXIO
            where = f"{self._settings.broker}:{self._settings.port}"
            error = FileError(code, self._shown, hint=f"broker {where} refuses: {reason}")
            self._ready.set_exception(error)
        else:
            log.warning("%s: its broker refuses: %s", self._shown, reason)

    def _down(self, reason: str) -> None:
        if self._connected.is_set():
            log.warning("%s: its broker is away: %s", self._shown, reason)
        self._connected.clear()

    def _confirmed(self, mid: int) -> None:
        waiting = self._unconfirmed.pop(mid, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    async def run(self, publish: Publish, wanted: asyncio.Event) -> None:
        while True:
            await self._some.wait()
            unread = not wanted.is_set()
            # Without readers the newest wait for the first, as in the driver of a port; so does
            # what the broker had retained, which is here before the reader.
            await wanted.wait()
            self._some.clear()
            with self._lock:
                arrived = list(self._arrived)
                self._arrived.clear()
                self._arrived_bytes = 0
            if unread and arrived:
                arrived[0] = (0, arrived[0][1])
            await publish(arrived)

    async def write(self, pieces: Sequence[bytes]) -> None:
        settings = self._settings
        waiting: list[asyncio.Future[None]] = []
        for piece in pieces:
            payload = piece.removesuffix(b"\n") if self._lines else piece
            await self._connected.wait()
            sent = self._client.publish(settings.topic, payload, settings.qos, settings.retain)
            if settings.qos:
                # It is kept until the broker has it, over broken connections, too.
                waiting.append(self._loop.create_future())
                self._unconfirmed[sent.mid] = waiting[-1]
        if waiting:
            await asyncio.wait(waiting)

    async def close(self) -> None:
        client = self._client
        if self._ready.done() and not self._ready.cancelled():
            # Looked at here, or asyncio complains of an error that nobody has seen.
            self._ready.exception()
        if client is not None:
            client.disconnect()
            await asyncio.to_thread(client.loop_stop)
