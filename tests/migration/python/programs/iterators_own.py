"""Iterators of the program's own, and the protocol's ends."""


class Count:
    def __init__(self, limit):
        self.at, self.limit = 0, limit

    def __iter__(self):
        return self

    def __next__(self):
        self.at += 1
        if self.at > self.limit:
            raise StopIteration("over")
        return self.at


class Sequence:
    def __getitem__(self, at):
        if at > 2:
            raise IndexError
        return at * 10


def through(of):
    result = yield from of
    print("result", result)


for one in Count(3):
    print(one)
print(next(Count(1)), next(Count(0), "none"))
for one in Sequence():
    print(one)
for one in through(Count(2)):
    print(one)
first, *rest = Count(4)
print(first, rest, max(Count(3)), list(map(lambda x: x + 1, Count(2))))
it = iter(Count(5))
for one in it:
    if one == 2:
        break
print(next(it), list(it))
