"""What all tests begin with."""

import compileall
import os
import signal
import sys
from pathlib import Path

from hypothesis import settings

import tests.support.examples  # noqa: F401  Makes the profiles.

# Where the tests run in the background of a script, Ctrl-C is ignored, and so it would be in all
# that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Likewise a mask of rights that is tighter than most people's.
os.umask(0o022)

# Where PYTHONDONTWRITEBYTECODE is set, each of the hundreds of processes that tests start would
# compile the source anew, and each run of pytest rewrite all assertions.
sys.dont_write_bytecode = False
compileall.compile_dir(Path(__file__).parents[1] / "src", quiet=2)

# `./do nightly` names the other one.
settings.load_profile("quick")
