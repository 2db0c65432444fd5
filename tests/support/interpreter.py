"""A Python that starts as fast as one can: without what is installed for this machine's users.

What lies in an interpreter's `site-packages` may run at each of its starts, and take three times as
long as the start itself; tests start thousands. A virtual environment of one's own has nothing of
it; what `.pth` files do has tests that bring their own.
"""

import atexit
import os
import shutil
import sys
import tempfile
from functools import cache


@cache
def bare_python() -> str:
    """The path of this process's interpreter in an empty virtual environment."""
    # Short, and the same length each time: programs may show it.
    place = tempfile.mkdtemp(prefix="oneos-py-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    real = os.path.realpath(sys.executable)
    name = f"python3.{sys.version_info[1]}"
    os.makedirs(f"{place}/bin")
    os.makedirs(f"{place}/lib/{name}/site-packages")
    with open(f"{place}/pyvenv.cfg", "w", encoding="utf-8") as file:
        file.write(f"home = {os.path.dirname(real)}\n")
    for link in (name, "python3", "python"):
        os.symlink(real, f"{place}/bin/{link}")
    return f"{place}/bin/{name}"
