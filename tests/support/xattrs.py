"""Whether files of this machine can have extended attributes, to compare ours with."""

import os
import tempfile


def has_xattrs(directory: str) -> bool:
    """Whether files in a directory can have such of the class `user.`."""
    with tempfile.NamedTemporaryFile(dir=directory) as file:
        try:
            os.setxattr(file.name, "user.oneos", b"")
        except OSError:
            return False
    return True


HAS_XATTRS = has_xattrs(tempfile.gettempdir())
