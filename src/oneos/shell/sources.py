"""Where scripts come from: files of the tree, read whole."""

import os

from oneos.errors import FileError, OneOSError
from oneos.limits import SCRIPT_BYTES_MAX, STREAM_BUFFER_BYTES
from oneos.shell.control import ShellError
from oneos.shell.descriptors import open_in_tree
from oneos.shell.state import Shell, decode, explain


def read_script(shell: Shell, name: str) -> str:
    """The text of a script that `.` names.

    Args:
        shell: for the current directory.
        name: with a slash, a path; else looked for here, as there is no search path.

    Raises:
        ShellError: it cannot be read, or is too large to be a script.
    """
    try:
        held = open_in_tree(shell.client, shell.path(name), os.O_RDONLY, 0)
    except FileError as error:
        raise ShellError(f"cannot open {name}: {os.strerror(error.errno)}") from error
    except OneOSError as error:
        raise ShellError(f"cannot open {name}: {explain(error)}") from error
    data = bytearray()
    try:
        while piece := os.read(held.fd, STREAM_BUFFER_BYTES):
            data += piece
            if len(data) > SCRIPT_BYTES_MAX:
                raise ShellError(f"{name}: over {SCRIPT_BYTES_MAX} bytes: no script")
    finally:
        shell.release([held])
    return decode(bytes(data))
