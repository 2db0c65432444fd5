"""What all tests begin with."""

import signal

# Where the tests run in the background of a script, Ctrl-C is ignored, and so it would be in all
# that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
