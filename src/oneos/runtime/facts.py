"""What a host says of itself when it arrives."""

from __future__ import annotations

import os
import socket
from importlib.metadata import version

import psutil

from oneos.config import RuntimeConfig
from oneos.state.control_types import Device, Facts


def facts_of(
    config: RuntimeConfig, devices: list[Device], interpreters: dict[str, str], key_pin: str
) -> Facts:
    """The facts of this host, from its configuration and what was found on it."""
    return Facts(
        address=config.advertise or _address(config.listen),
        port=config.port,
        engine_port=config.engine_port,
        cluster_port=config.cluster_port,
        core=config.core,
        tags=list(config.tags),
        cores=os.cpu_count() or 1,
        memory_bytes=int(psutil.virtual_memory().total),
        version=version("oneos"),
        key_pin=key_pin,
        interpreters=interpreters,
        devices=devices,
        context=config.context,
    )


def _address(listen: str) -> str:
    """The address others reach this host at, as far as it can be known from here."""
    if listen not in ("0.0.0.0", "::", ""):
        return listen
    # Connecting a datagram socket sends nothing: the kernel only picks the source address. The
    # destination is of the block kept for documentation (RFC 5737).
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
