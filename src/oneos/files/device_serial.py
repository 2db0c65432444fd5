"""Opens a serial port by pyserial, which is imported when the first one is opened.

What comes out is a descriptor of the port, set as configured: from then on bytes move without
pyserial. The port is locked (flock(2)) while it is open, so other programs of its host that ask
for the lock, as pyserial's do when told to, do not come in between.
"""

from __future__ import annotations

import errno
import os
import termios

from oneos.config_hardware import SerialSettings
from oneos.errors import FileError
from oneos.files.device_paths import aside, unusable
from oneos.files.device_source import missing

_VMIN, _VTIME = termios.VMIN, termios.VTIME


async def open_serial(path: str, shown: str, settings: SerialSettings) -> int:
    """A descriptor of the port that does not block.

    Raises:
        FileError: ENXIO when it is not there or pyserial is not installed, EBUSY when another
            program of its host has locked it, EINVAL when it cannot be set so.
    """
    # In a thread: some drivers take their time to set a port.
    return await aside(lambda: _open(path, shown, settings))


def _open(path: str, shown: str, settings: SerialSettings) -> int:
    try:
        import serial
    except ImportError:
        raise missing("pyserial", "pyserial>=3.5", shown) from None
    try:
        port = serial.Serial(
            path,
            baudrate=settings.baud,
            bytesize=settings.bytesize,
            parity=settings.parity[0].upper(),
            stopbits=settings.stopbits,
            rtscts=settings.flow == "rtscts",
            xonxoff=settings.flow == "xonxoff",
            dsrdtr=settings.flow == "dsrdtr",
            exclusive=True,
        )
    except serial.SerialException as error:
        raise _why(error, path, shown) from None
    except ValueError as error:
        raise FileError(errno.EINVAL, shown, hint=f"{path} cannot be set so: {error}") from None
    except termios.error as error:
        raise FileError(int(error.args[0]), shown, hint=f"{path} is no serial port") from None
    try:
        # pyserial has a read return at once with nothing; here nothing means that the port is gone.
        modes = termios.tcgetattr(port.fd)
        modes[6][_VMIN], modes[6][_VTIME] = 1, 0
        termios.tcsetattr(port.fd, termios.TCSANOW, modes)
        return os.dup(port.fd)
    finally:
        # The lock belongs to the open file, which the copy shares.
        port.close()


def _why(error: OSError, path: str, shown: str) -> FileError:
    # pyserial keeps the number of some errors only in what it was raised from.
    cause = error.__context__
    code = error.errno
    if code is None and isinstance(cause, termios.error | OSError):
        code = cause.args[0]
    if code in (errno.EAGAIN, errno.EBUSY):
        return FileError(errno.EBUSY, shown, hint=f"another program of its host uses {path}")
    if code in (errno.ENOTTY, errno.EINVAL):
        return FileError(errno.ENXIO, shown, hint=f"{path} is no serial port: correct the path")
    return unusable(OSError(code or errno.EIO, str(error)), path, shown)
