"""Stands in for pyperf beside a benchmark: runs it a fixed number of times and prints its results.

What it prints depends on nothing but what was computed: no times. `REPEATED` says how often, and
`NOTED` which functions of the program have what they return noted as well, since most
benchmarks return how long they took.
"""

import argparse
import os
import sys
import zlib
from time import perf_counter

__all__ = ["Runner", "perf_counter"]

LOOPS = int(os.environ.get("REPEATED", "1"))
NOTED = os.environ.get("NOTED", "").split()
DEPTH = 12


def shape(value, depth=DEPTH):
    """A value as text, without addresses."""
    if depth == 0:
        return "..."
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return repr(value)
    if isinstance(value, (list, tuple)) or type(value).__name__ == "array":
        return f"{type(value).__name__}({','.join(shape(one, depth - 1) for one in value)})"
    if isinstance(value, (set, frozenset)):
        return f"{type(value).__name__}({','.join(sorted(shape(one, depth - 1) for one in value))})"
    if isinstance(value, dict):
        pairs = (f"{shape(k, depth - 1)}:{shape(v, depth - 1)}" for k, v in value.items())
        return f"{type(value).__name__}({','.join(pairs)})"
    own = getattr(value, "__dict__", None)
    name = type(value).__qualname__
    return name if own is None or callable(value) else f"{name}{shape(own, depth - 3)}"


class Runner:
    def __init__(self, add_cmdline_args=None, **_):
        self.argparser = argparse.ArgumentParser()
        self.metadata = {}
        self.args = None
        self._digest = 0
        main = sys.modules["__main__"].__dict__
        for name in NOTED:
            place, _, last = name.rpartition(".")
            owner = main[place] if place else None
            plain = getattr(owner, last) if place else main[last]
            noted = self._noting(plain)
            if place:
                setattr(owner, last, noted)
            else:
                main[last] = noted

    def _noting(self, plain):
        def noted(*args, **named):
            result = plain(*args, **named)
            self._note(result)
            return result

        return noted

    def _note(self, result):
        self._digest = zlib.crc32(shape(result).encode(), self._digest)

    def _say(self, name, loop):
        print(name, loop, self._digest, flush=True)

    def parse_args(self, args=None):
        self.args = self.argparser.parse_args(args)
        return self.args

    def bench_func(self, name, function, *args, **_):
        for loop in range(LOOPS):
            self._note(function(*args))
            self._say(name, loop)

    def bench_time_func(self, name, function, *args, **_):
        for loop in range(LOOPS):
            function(1, *args)
            self._say(name, loop)

    def bench_async_func(self, name, function, *args, **_):
        import asyncio

        for loop in range(LOOPS):
            self._note(asyncio.run(function(*args)))
            self._say(name, loop)
