"""A signal handler of the program, and one that it sends itself."""

import signal

got = []


def handler(number, frame):
    got.append(number)


signal.signal(signal.SIGUSR1, handler)
for n in range(3):
    signal.raise_signal(signal.SIGUSR1)
    print(n, len(got) >= n)
print(signal.getsignal(signal.SIGUSR1) is handler, signal.getsignal(signal.SIGTERM))
print(got == [signal.SIGUSR1] * 3)
