"""Iterators of C over generators and functions: in loops, comprehensions, next and containers."""

import functools
import itertools


def count(stop):
    for number in range(stop):
        step = number + 1
        yield step


def double(number):
    twice = number * 2
    return twice


def odd(number):
    rest = number % 2
    return rest


class Evens:
    def __init__(self):
        self.at = 0

    def __iter__(self):
        return self

    def __next__(self):
        self.at += 2
        if self.at > 8:
            raise StopIteration
        return self.at


class Scaled:
    def __init__(self, by):
        self.by = by

    def __call__(self, number):
        return number * self.by


def pair(a, b):
    return a, b


for number in map(double, count(4)):
    print(number, end=" ")
print(
    [n for n in map(pair, count(3), Evens())],
    list(map(double, range(4))),
    list(map(Scaled(3), "ab")),
)
print(
    list(filter(odd, count(6))), [n for n in filter(None, Evens())], next(filter(odd, Evens()), 0)
)
print(list(zip(count(3), Evens(), "xyz")), [a + b for a, b in zip(Evens(), count(9))])
print(list(zip(*[count(6)] * 2)), list(zip(count(2), Evens(), strict=False)))
print(list(enumerate(count(3), 5)), [n for n in enumerate(Evens())], dict(enumerate(count(2))))
print(list(itertools.islice(count(9), 1, 6, 2)), list(itertools.chain(count(2), Evens(), [0])))
print(list(itertools.chain.from_iterable(count(n) for n in range(4))))
print(
    list(itertools.takewhile(lambda n: n < 4, count(9))),
    list(itertools.starmap(pair, zip(count(2), "ab"))),
)
print(
    list(itertools.dropwhile(lambda n: n < 4, count(6))), list(itertools.filterfalse(odd, count(6)))
)
print(list(itertools.accumulate(count(5))), list(itertools.accumulate(count(4), pair)))
print(list(itertools.islice(itertools.cycle(count(3)), 7)), list(itertools.pairwise(count(4))))
print(next(map(double, count(3))), next(map(double, ()), "none"), 6 in map(double, count(5)))
print(sum(map(double, map(double, count(3)))), max(map(double, filter(odd, count(7)))))
print(
    list(map(functools.partial(pair, 0), count(2))),
    list(map(functools.lru_cache(double), count(3))),
)


def delegating():
    yield from map(double, count(3))
    yield from itertools.islice(Evens(), 2)


print(list(delegating()), sorted(map(double, count(4)), key=lambda n: -n))
print(tuple(map(double, count(3))), [*map(double, count(2)), *zip(count(1), Evens())])
first, second, *others = map(double, count(5))
print(first, second, others)
exec("def inner(n):\n    return n * 2\nprint([inner(n) for n in count(3)])")
print(eval("sum(count(4)) + double(1)"))
left = [3, 1, 2]


def take():
    last = left.pop()
    return last


print(list(iter(take, 3)), [n for n in iter(functools.partial(next, count(9)), 4)])
for letter in iter(iter("abc").__next__, "c"):
    print(letter)
