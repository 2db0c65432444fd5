"""Finds the node of a USB device by what sysfs says of it: vendor, product, serial number.

It is looked for each time the device is opened, so it does not matter into which port it was
plugged, nor what the kernel calls it this time.
"""

from __future__ import annotations

import errno
import os

from oneos.config_hardware import Match
from oneos.errors import FileError

SYSFS = "/sys"


def find(match: Match, shown: str, sysfs: str = SYSFS) -> str:
    """The path of the one node that fits.

    Args:
        match: what it has to be.
        shown: the device's name in the tree, for messages.
        sysfs: where the kernel shows its devices.

    Raises:
        FileError: ENXIO, when none fits or several do.
    """
    found = sorted(candidates(match, sysfs))
    if len(found) == 1:
        return found[0]
    wanted = ", ".join(
        f"{key} {value}"
        for key in ("vendor", "product", "serial")
        if (value := getattr(match, key)) is not None
    )
    if not found:
        hint = f"its host has no {match.subsystem} device with {wanted}: is it plugged in?"
    else:
        hint = f"{', '.join(found)} have {wanted}: add the serial number to match"
    raise FileError(errno.ENXIO, shown, hint=hint)


def candidates(match: Match, sysfs: str = SYSFS) -> list[str]:
    """The paths of all nodes that fit."""
    group = os.path.join(sysfs, "class", match.subsystem)
    try:
        names = os.listdir(group)
    except OSError:
        return []
    found = []
    for name in names:
        node = os.path.join(group, name)
        # What is no hardware, such as a virtual console, has no device above it.
        above = os.path.realpath(os.path.join(node, "device"))
        if os.path.isdir(above) and _fits(match, above, os.path.realpath(sysfs)):
            found.append(os.path.join("/dev", _node_name(node) or name))
    return found


def _fits(match: Match, place: str, top: str) -> bool:
    """Whether the USB device that something is part of is the one."""
    while place.startswith(top + "/"):
        vendor = _read(place, "idVendor")
        if vendor is not None:
            return (
                _same(match.vendor, vendor)
                and _same(match.product, _read(place, "idProduct"))
                and (match.serial is None or match.serial == _read(place, "serial"))
            )
        place = os.path.dirname(place)
    return False


def _same(wanted: str | None, there: str | None) -> bool:
    return wanted is None or (there is not None and wanted.lower() == there.lower())


def _node_name(node: str) -> str | None:
    """Below /dev, as the kernel has it; udev may show it by more names."""
    for line in (_read(node, "uevent") or "").splitlines():
        if line.startswith("DEVNAME="):
            return line.removeprefix("DEVNAME=")
    return None


def _read(place: str, name: str) -> str | None:
    try:
        with open(os.path.join(place, name), encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None
