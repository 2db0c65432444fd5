"""Ports for servers of tests."""

import random
import socket

# Below those that the kernel gives to clients: between the look and the server's start nobody's
# connection takes one. Above those of the clusters of system tests.
_RANGE = range(30_000, 32_700)

# The generator of hypothesis's is the same in each process.
_random = random.SystemRandom()


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that are free now, one after the other."""
    while True:
        first = _random.choice(_RANGE)
        held: list[socket.socket] = []
        try:
            for port in range(first, first + count):
                held.append(socket.socket())
                held[-1].bind(("127.0.0.1", port))
            return [first + n for n in range(count)]
        except OSError:
            continue
        finally:
            for one in held:
                one.close()
