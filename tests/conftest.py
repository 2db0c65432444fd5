"""What all tests begin with."""

import signal

from hypothesis import settings

import tests.support.examples  # noqa: F401  Makes the profiles.

# Where the tests run in the background of a script, Ctrl-C is ignored, and so it would be in all
# that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

# `./do nightly` names the other one.
settings.load_profile("quick")
