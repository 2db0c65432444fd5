"""One line of a GPIO chip, by gpiod (libgpiod 2), which is imported when the first is opened.

Reading gives a line of text for each edge, `1 SECONDS` or `0 SECONDS` (the value after it and the
kernel's monotonic clock), or the bare value at a rate. Writing `1` or `0` sets the line. A line
that was set stays requested until the Runtime ends: a driver may let go of what nobody holds.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from oneos.config_hardware import GpioSettings
from oneos.errors import FileError
from oneos.files.device_paths import unusable
from oneos.files.device_source import Publish, missing
from oneos.files.line_pacer import readable
from oneos.limits import GPIO_EVENTS_MAX

_VALUES = {b"0": 0, b"1": 1}


class GpioSource:
    """See the module. Make it with `open`."""

    def __init__(self, shown: str, settings: GpioSettings, gpiod: Any, request: Any) -> None:
        self._shown = shown
        self._settings = settings
        self._gpiod = gpiod
        self._request = request
        self._line = request.offsets[0]
        self.lasting = False

    @classmethod
    async def open(cls, settings: GpioSettings, shown: str, writing: bool) -> GpioSource:
        """Request the line.

        Raises:
            FileError: ENXIO when the chip or line is not there or gpiod is not installed, EBUSY
                when another program of the host has the line.
        """
        try:
            import gpiod
        except ImportError:
            raise missing("gpiod", "oneos[gpio]", shown) from None
        chip = settings.chip
        try:
            request = gpiod.request_lines(
                chip,
                consumer="oneos",
                config={settings.line: _line_settings(gpiod, settings, writing)},
                event_buffer_size=GPIO_EVENTS_MAX,
            )
        except ValueError as error:
            raise FileError(errno.ENXIO, shown, hint=f"{chip}: {error}") from None
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise FileError(
                    errno.EBUSY, shown, hint=f"another program of its host has this line of {chip}"
                ) from None
            if error.errno in (errno.ENOTTY, errno.ENODEV, errno.EINVAL):
                hint = f"{chip} is no GPIO chip, or has no line {settings.line}"
                raise FileError(errno.ENXIO, shown, hint=hint) from None
            raise unusable(error, chip, shown) from None
        return cls(shown, settings, gpiod, request)

    async def run(self, publish: Publish, wanted: asyncio.Event) -> None:
        if self._settings.rate_hz:
            await self._values(publish, wanted)
        os.set_blocking(self._request.fd, False)
        rising = self._gpiod.EdgeEvent.Type.RISING_EDGE
        while True:
            await wanted.wait()
            await readable(self._request.fd)
            events = self._request.read_edge_events()
            await publish(
                (0, b"%d %.9f\n" % (event.event_type is rising, event.timestamp_ns / 1e9))
                for event in events
            )

    async def _values(self, publish: Publish, wanted: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await wanted.wait()
            active = self._request.get_value(self._line) is self._gpiod.line.Value.ACTIVE
            await publish([(0, b"%d\n" % active)])
            # What a busy loop was late for is not made up for in a burst.
            due = max(due + 1 / self._settings.rate_hz, loop.time())
            await asyncio.sleep(due - loop.time())

    async def write(self, pieces: Sequence[bytes]) -> None:
        for piece in pieces:
            value = _VALUES.get(piece.strip())
            if value is None:
                raise FileError(errno.EINVAL, self._shown, hint="a line is set by 0 or 1")
            values = self._gpiod.line.Value
            self._request.set_value(self._line, values.ACTIVE if value else values.INACTIVE)
            self.lasting = True

    async def close(self) -> None:
        self._request.release()


def _line_settings(gpiod: Any, settings: GpioSettings, writing: bool) -> Any:
    words = gpiod.line
    if writing:
        return gpiod.LineSettings(
            direction=words.Direction.OUTPUT,
            active_low=settings.active_low,
            bias=_bias(words, settings),
        )
    edge = words.Edge.NONE if settings.rate_hz else words.Edge[settings.edge.upper()]
    return gpiod.LineSettings(
        direction=words.Direction.INPUT,
        edge_detection=edge,
        bias=_bias(words, settings),
        active_low=settings.active_low,
        debounce_period=timedelta(milliseconds=settings.debounce_ms),
    )


def _bias(words: Any, settings: GpioSettings) -> Any:
    return words.Bias[settings.bias.upper().replace("-", "_")]
