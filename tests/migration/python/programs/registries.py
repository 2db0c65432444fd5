"""What a program has registered with the standard library: finalizers, reductions, abstract bases."""

import atexit  # noqa: F401
import collections.abc
import copy
import copyreg
import functools
import typing  # noqa: F401
import weakref


class Pair:
    def __init__(self, left, right):
        self.left, self.right = left, right

    def __len__(self):
        return 2


class Resource:
    pass


def remade(left, right):
    made = Pair(left, right)
    made.remade = True
    return made


@functools.singledispatch
def describe(value):
    return "something"


@describe.register
def _(value: int):
    return f"the number {value}"


@describe.register(Pair)
def _(value):
    return f"a pair of {describe(value.left)} and {describe(value.right)}"


def ended(name, *, how):
    print("ended", name, how)


copyreg.pickle(Pair, lambda pair: (remade, (pair.left, pair.right)))
collections.abc.Sequence.register(Pair)
first, second, third = Resource(), Resource(), Resource()
ends = [
    weakref.finalize(one, ended, name, how="well") for one, name in ((first, "a"), (second, "b"))
]
last = weakref.finalize(third, ended, "c", how="at the end")
for number in range(3):
    print(describe(Pair(number, "x")), isinstance(Pair(1, 2), collections.abc.Sequence))
    print(hasattr(copy.copy(Pair(1, 2)), "remade"), [end.alive for end in ends], last.alive)
del first
print([end.alive for end in ends])
print(ends[1](), ends[1].alive, last.peek()[2:])
