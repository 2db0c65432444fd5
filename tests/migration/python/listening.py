"""A program that listens for requests to capture: started by `test_serving.py`.

listening.py EXTENSION PACKAGES DESCRIPTOR (FILE|--lines)
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


def lines() -> None:
    for line in sys.stdin:
        print(line, end="", flush=True)


if __name__ == "__main__":
    sys.path[0] = sys.argv[2]
    from moving import extension

    extension.load(sys.argv[1])
    import oneos_moving as native
    from moving import entry, serving

    door = serving.Door(int(sys.argv[3]))
    native.listen(int(sys.argv[3]), door.serve)
    name = "program()"
    if sys.argv[4] == "--lines":
        import plain

        name = "lines()"
        plain.read_input(native)
    entry.run(compile(name, "<start>", "exec"), globals())
