"""Random operations on one file, each held against a copy in memory, in the manner of fsx.

`exercise.py FILE SEED COUNT [SHARE]`: reads, writes, truncates, maps, syncs, closes and opens
anew; after each it looks at the size, and where it read at every byte. It prints `whole` in the
end, or what differs. With SHARE (`0/2`, `1/2`) several may work on one file at once, on any hosts,
each on the blocks that are its own: without maps, and the file's size stays.
"""

import mmap
import os
import random
import sys

LENGTH_MAX = 256 * 1024
PIECE_MAX = 64 * 1024
BLOCK = 4096


class Exercise:
    def __init__(self, path: str, seed: int, share: str) -> None:
        self.path = path
        self.random = random.Random(seed)
        self.own, self.sharers = (int(part) for part in share.split("/"))
        self.model = bytearray(LENGTH_MAX if self.sharers > 1 else 0)
        flags = os.O_RDWR | (os.O_CREAT if self.sharers == 1 else 0)
        self.fd = os.open(path, flags, 0o644)
        self.did: list[str] = []

    def place(self, limit: int) -> tuple[int, int]:
        """Where to work: offset and length, in bytes."""
        if self.sharers > 1:
            block = self.random.randrange(LENGTH_MAX // BLOCK // self.sharers)
            start = (block * self.sharers + self.own) * BLOCK
            at = self.random.randrange(BLOCK)
            return start + at, self.random.randint(1, BLOCK - at)
        at = self.random.randrange(limit)
        return at, self.random.randint(1, min(PIECE_MAX, limit - at))

    def read(self) -> None:
        at, count = self.place(LENGTH_MAX)
        self.check("read", at, os.pread(self.fd, count, at), count)

    def write(self) -> None:
        at, count = self.place(LENGTH_MAX)
        data = self.random.randbytes(count)
        assert os.pwrite(self.fd, data, at) == count
        self.put(at, data)

    def append_by_seek(self) -> None:
        if len(self.model) + 100 > LENGTH_MAX:
            return
        at = os.lseek(self.fd, 0, os.SEEK_END)
        assert at == len(self.model), f"the end is at {at}"
        data = self.random.randbytes(100)
        os.write(self.fd, data)
        self.put(at, data)

    def truncate(self) -> None:
        length = self.random.randrange(LENGTH_MAX)
        by_name = self.random.random() < 0.5
        os.truncate(self.path if by_name else self.fd, length)
        del self.model[length:]
        self.model += bytes(length - len(self.model))

    def map_and_read(self) -> None:
        if not self.model:
            return
        at, count = self.place(len(self.model))
        with mmap.mmap(self.fd, 0, mmap.MAP_SHARED, mmap.PROT_READ) as view:
            self.check("mapped read", at, view[at : at + count], count)

    def map_and_write(self) -> None:
        if not self.model:
            return
        at, count = self.place(len(self.model))
        data = self.random.randbytes(count)
        with mmap.mmap(self.fd, len(self.model)) as view:
            view[at : at + count] = data
            view.flush()
        self.put(at, data)

    def sync(self) -> None:
        os.fsync(self.fd)

    def reopen(self) -> None:
        os.close(self.fd)
        self.fd = os.open(self.path, os.O_RDWR)

    def by_another_descriptor(self) -> None:
        at, count = self.place(LENGTH_MAX)
        fd = os.open(self.path, os.O_RDONLY)
        self.check("read by another", at, os.pread(fd, count, at), count)
        os.close(fd)

    def put(self, at: int, data: bytes) -> None:
        self.model += bytes(max(0, at - len(self.model)))
        self.model[at : at + len(data)] = data

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
        if self.sharers == 1:
            actions += [self.append_by_seek, self.truncate, self.map_and_read, self.map_and_write]
        for _ in range(count):
            action = self.random.choice(actions)
            self.did = [*self.did[-9:], action.__name__]
            action()
            size = os.stat(self.path).st_size
            assert size == os.fstat(self.fd).st_size == len(self.model), (
                f"it has {size} bytes, not {len(self.model)}"
            )
        os.close(self.fd)


def main() -> None:
    path, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    exercise = Exercise(path, seed, sys.argv[4] if len(sys.argv) > 4 else "0/1")
    try:
        exercise.run(count)
    except (AssertionError, OSError, ValueError) as error:
        print(f"seed {seed}: {error}, after {exercise.did}")
        sys.exit(1)
    print("whole")


main()
