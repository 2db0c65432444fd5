"""Several write one file at once, on any hosts, each its own blocks: no byte of them is lost.

`exercise.py FILE SEED COUNT SHARE`: reads, writes, syncs, closes and opens anew in the blocks that
are its own (SHARE is `0/2`, `1/2`), against a copy in memory; after each it looks at the size,
which stays, and where it read at every byte. It prints `whole` in the end, or what differs.
"""

import os
import random
import sys

LENGTH = 256 * 1024
BLOCK = 4096


class Exercise:
    def __init__(self, path: str, seed: int, share: str) -> None:
        self.path = path
        self.random = random.Random(seed)
        self.own, self.sharers = (int(part) for part in share.split("/"))
        self.model = bytearray(LENGTH)
        self.fd = os.open(path, os.O_RDWR)
        self.did: list[str] = []

    def place(self) -> tuple[int, int]:
        """Where to work: offset and length, in bytes."""
        block = self.random.randrange(LENGTH // BLOCK // self.sharers)
        at = self.random.randrange(BLOCK)
        start = (block * self.sharers + self.own) * BLOCK + at
        return start, self.random.randint(1, BLOCK - at)

    def read(self) -> None:
        at, count = self.place()
        self.check("read", at, os.pread(self.fd, count, at), count)

    def write(self) -> None:
        at, count = self.place()
        data = self.random.randbytes(count)
        assert os.pwrite(self.fd, data, at) == count
        self.model[at : at + count] = data

    def sync(self) -> None:
        os.fsync(self.fd)

    def reopen(self) -> None:
        os.close(self.fd)
        self.fd = os.open(self.path, os.O_RDWR)

    def by_another_descriptor(self) -> None:
        at, count = self.place()
        fd = os.open(self.path, os.O_RDONLY)
        self.check("read by another", at, os.pread(fd, count, at), count)
        os.close(fd)

    def check(self, what: str, at: int, got: bytes, count: int) -> None:
        want = bytes(self.model[at : at + count])
        if got != want:
            bad = next(i for i in range(len(want) + 1) if got[i : i + 1] != want[i : i + 1])
            raise AssertionError(
                f"{what} of {count} at {at}: differs at {at + bad}, {len(got)} of {len(want)} bytes"
            )

    def run(self, count: int) -> None:
        actions = [self.read] * 5 + [self.write] * 5 + [self.by_another_descriptor] * 2
        actions += [self.sync, self.reopen] * 2
        for _ in range(count):
            action = self.random.choice(actions)
            self.did = [*self.did[-9:], action.__name__]
            action()
            size = os.stat(self.path).st_size
            assert size == os.fstat(self.fd).st_size == LENGTH, f"it has {size} bytes"
        os.close(self.fd)


def main() -> None:
    path, seed, count, share = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    exercise = Exercise(path, seed, share)
    try:
        exercise.run(count)
    except (AssertionError, OSError) as error:
        print(f"seed {seed}: {error}, after {exercise.did}")
        sys.exit(1)
    print("whole")


main()
