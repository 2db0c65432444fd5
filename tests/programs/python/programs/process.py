# ruff: noqa: SIM115, E402, E501
"""The process itself: environment, threads, fork, signals, standard streams; prints what happened."""

import os
import signal
import sys
import threading

print(sys.argv, [k for k in os.environ if k.startswith("ONEOS")], os.environ["GREETING"])
print(os.getcwd(), os.getpid() == os.getpid(), os.getpid() > 0)
print(input(), sys.stdin.readline(), repr(sys.stdin.read()))
print(
    type(sys.stdout.buffer.raw).__name__, sys.stdout.name, sys.stdin.fileno(), sys.stderr.fileno()
)


sys.stdout.flush()
child = os.fork()
if child == 0:
    status = 1
    try:
        with open("from-child", "w") as f:
            f.write("child")
        status = 7
    finally:
        os._exit(status)
print(os.waitpid(child, 0)[1] >> 8, open("from-child").read())
child = os.fork()
if child == 0:
    signal.pause()
os.kill(child, signal.SIGTERM)
print(os.waitpid(child, 0)[1])


def work(number):
    for turn in range(20):
        name = f"thread-{number}-{turn}"
        with open(name, "w") as f:
            f.write(name * 10)
        with open(name) as f:
            assert f.read() == name * 10
        os.remove(name)


threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(os.listdir("."))

caught = []
signal.signal(signal.SIGUSR1, lambda number, frame: caught.append(open("from-child").read()))
os.kill(os.getpid(), signal.SIGUSR1)
print(caught)
try:
    os.kill(999_999, 0)
except ProcessLookupError as error:
    print(error)


class Leaves:
    def __del__(self):
        with open("from-del", "w") as f:
            f.write("collected")


Leaves()
print(open("from-del").read())
import atexit

atexit.register(lambda: print("atexit", open("from-child").read()))
print("stderr", file=sys.stderr)
unclosed = open("unclosed", "w")
unclosed.write("written at exit")
sys.exit(3)
for descriptor in (12345, os.open("from-child", os.O_RDONLY)):
    try:
        os.tcsetpgrp(descriptor, 0)
    except OSError as error:
        print(error)
