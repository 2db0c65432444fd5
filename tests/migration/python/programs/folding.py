"""sum, any, all, min, max and reduce over generators and functions of the program."""

import fractions
import functools


class Vector:
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __add__(self, other):
        x = self.x + other.x
        return Vector(x, self.y + other.y)

    def __radd__(self, other):
        return Vector(self.x + other, self.y)

    def __lt__(self, other):
        mine, theirs = self.x * 7 % 10, other.x * 7 % 10
        return mine < theirs

    def __repr__(self):
        return f"<{self.x} {self.y}>"


class Countdown:
    def __init__(self, start):
        self.left = start

    def __iter__(self):
        return self

    def __next__(self):
        if not self.left:
            raise StopIteration
        self.left -= 1
        return self.left


def tenths(count):
    for number in range(count):
        part = number / 10
        yield part


def failing(count):
    for number in range(count):
        yield number
    raise KeyError(count)


def add(a, b):
    total = a * 3 + b
    return total


def smallest_first(a):
    key = (a * 37) % 11
    return -key


print(sum(n * n for n in range(8)), sum(tenths(9)), sum((n for n in (1, 2**62, 2**62)), 5))
print(sum((n for n in (1, True, 0.1, 0.2, 7, 1e16)), start=0.5), sum(Countdown(6)))
print(sum(fractions.Fraction(1, n) for n in (2, 3)), sum(Vector(n, 1) for n in range(3)))
print(sum((Vector(n, 2) for n in range(3)), Vector(5, 5)))
print(any(n > 5 for n in range(9)), all(n < 5 for n in tenths(20)), any(n < 0 for n in tenths(4)))
print(max(n % 7 for n in range(12)), min(Countdown(5)), max(tenths(5), default="none"))
print(max(range(14), key=smallest_first), min(3, 1, 2, key=smallest_first))
print(min(Vector(n, 0) for n in range(6)), max([Vector(n, n) for n in range(5)]))
print(max((n for n in ()), default="none"), functools.reduce(add, tenths(4)))
print(functools.reduce(add, range(6), 100), functools.reduce(max, Countdown(4)))
try:
    print(sum(failing(4)))
except KeyError as error:
    print("failed", error)
try:
    print(max(failing(0)))
except KeyError as error:
    print("failed", error)
print(sum(sum(m for m in range(n)) for n in range(5)), sum(map(sum, (tenths(n) for n in range(3)))))
