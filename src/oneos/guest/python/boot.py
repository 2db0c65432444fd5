"""Started by the Runtime as `python -S boot.py FLAGS [program arguments]`; see `launch_python`.

Brings in the package under a name of its own, so that no module of a program can be mistaken for
one of ours, and hands over. It runs in the module `__main__`, which becomes the program's: so it
keeps nothing here, and lets the program's exception go on without a frame of its own.
"""

try:
    __import__("sys").modules["_oneos"] = type(__import__("sys"))("_oneos")
    __import__("sys").modules["_oneos"].__path__ = [__file__.rpartition("/")[0]]
    __import__("_oneos.start").start.main()
except BaseException:
    __import__("sys").modules["_oneos.failure"].strip()
    raise
