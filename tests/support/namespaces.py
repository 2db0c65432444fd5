"""Whether this machine lets us have a name space: some that have /dev/fuse allow no mount."""

import functools
import subprocess
import sys
import tempfile

from oneos.runtime.namespace import NameSpace

_TRY = """
import ctypes, os, sys
NEW_NAMES, NEW_USER, PRIVATE = 0x20000, 0x10000000, 0x4000 | 0x40000
libc = ctypes.CDLL(None, use_errno=True)
def call(name, *arguments):
    if getattr(libc, name)(*arguments):
        sys.exit(f"{name}: {os.strerror(ctypes.get_errno())}")
if os.getuid():
    call("unshare", NEW_NAMES | NEW_USER)
else:
    call("unshare", NEW_NAMES)
    call("mount", b"none", b"/", None, PRIVATE, None)
    fuse = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fuse},rootmode=40000,user_id=0,group_id=0".encode()
    call("mount", b"none", os.fsencode(sys.argv[1]), b"fuse", 0, options)
"""


@functools.cache
def no_name_space() -> str:
    """Why there can be none here; empty: there can."""
    if why := NameSpace.why():
        return why
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, "-c", _TRY, place]
        tried = subprocess.run(command, capture_output=True, text=True, check=False)
    return tried.stderr.strip() if tried.returncode else ""
