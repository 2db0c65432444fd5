"""Where this host's Runtime listens for programs and clients.

Everything on a host that talks to its Runtime finds the socket by this one rule, so that
`oneos sh`, the CLI and the Runtime itself never disagree. Whether somebody answers there is
the client's business (see client.py).
"""

import os

SOCKET_NAME = os.path.join("run", "local.sock")
SYSTEM_DIRECTORY = "/var/lib/oneos"


def default_socket() -> str:
    """The path of the Runtime's local socket.

    The first of: `$ONEOS_SOCKET`; `run/local.sock` in `$ONEOS_DIR`; the same in `~/.oneos`
    when it is there; for root, the same in `/var/lib/oneos` when it is there. Where none
    is there yet, the one in `~/.oneos`, which is where `oneos up` would make it.
    """
    if socket_path := os.environ.get("ONEOS_SOCKET"):
        return socket_path
    if directory := os.environ.get("ONEOS_DIR"):
        return os.path.join(directory, SOCKET_NAME)
    own = os.path.join(os.path.expanduser("~/.oneos"), SOCKET_NAME)
    if os.path.exists(own) or os.geteuid() != 0:
        return own
    system = os.path.join(SYSTEM_DIRECTORY, SOCKET_NAME)
    return system if os.path.exists(system) else own
