"""Functions for the end, and a status."""

import atexit
import sys

atexit.register(print, "first registered", "runs last")


@atexit.register
def last():
    print("last registered runs first")


for n in range(3):
    print(n)
sys.exit(7)
