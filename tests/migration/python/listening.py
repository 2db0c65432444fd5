"""A program that listens for requests to capture: started by `test_dormant.py`.

listening.py EXTENSION PACKAGES DESCRIPTOR
"""

import sys


def program() -> None:
    import os
    import time

    print(os.read(0, 1).decode(), flush=True)
    while True:
        time.sleep(0.005)
        if os.path.exists(sys.argv[4]):
            break
    if os.fork() == 0:
        os._exit(0)
    os.wait()
    print("end", flush=True)


if __name__ == "__main__":
    sys.path[0] = sys.argv[2]
    from moving import extension

    extension.load(sys.argv[1])
    from moving import dormant, entry, reopening

    adapter = reopening.ByPath()
    adapter.ignored = frozenset([int(sys.argv[3])])
    adapter.takes = lambda one: True
    dormant.listen(int(sys.argv[3]), 5.0, adapter)
    entry.run(compile("program()", "<start>", "exec"), globals())
