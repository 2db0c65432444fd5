"""Containers made of generators: list, tuple, set, frozenset, dict, join, extend, update, `in`."""

import collections
import heapq
import re


def letters(count):
    for number in range(count):
        letter = chr(97 + number % 26)
        yield letter


class Words:
    def __init__(self, *words):
        self.words = words

    def __iter__(self):
        for word in self.words:
            yield word.upper()

    def __len__(self):
        print("asked for its length")
        return len(self.words)


class Steps:
    def __init__(self, left):
        self.left = left

    def __iter__(self):
        return self

    def __next__(self):
        self.left -= 1
        if self.left < 0:
            raise StopIteration
        return self.left * 3


def pairs(text):
    for place, letter in enumerate(text):
        yield letter, place


def spread(*args):
    return args


def tree(depth):
    return tuple(tree(depth - 1) for _ in range(2)) if depth else 1


print(list(letters(5)), tuple(letters(4)), sorted(set(letters(6))), list(Steps(4)))
print(frozenset(letters(1)), hash(frozenset(Steps(5))) == hash(frozenset([0, 3, 6, 9, 12])))
print(list(Words("a", "b")), tuple(Words("c")), ", ".join(Words("d", "e")), set(Words("f")))
print(dict(pairs("xyz")), dict((n, n * n) for n in range(4)), ", ".join(letters(6)))
print(b"-".join(letter.encode() for letter in letters(4)), "".join(letter for letter in "ab"))
grown = [0]
grown.extend(letters(4))
grown.extend(Steps(3))
print(
    grown, [*letters(3), *Steps(2)], spread(*letters(2), 1), {*letters(2), "z"} == {"a", "b", "z"}
)
seen = {"a"}
seen.update(letters(3))
counted = collections.Counter(letters(30))
queue = collections.deque([1])
queue.extend(letters(3))
queue.extendleft(Steps(2))
table = {"x": 0}
table.update(pairs("xy"))
print(sorted(seen), counted.most_common(2), queue, table, heapq.nsmallest(2, letters(3)))
print("c" in letters(9), 99 in Steps(5), 6 not in Steps(5))
method = [1].extend
method(letters(2))
print(method.__self__, tree(3))
for _ in range(12):
    made = tuple(letter for letter in letters(2))
print(made, tuple(tuple(letters(n)) for n in range(3)), list(list(Steps(n)) for n in range(3)))
try:
    print(list(letters(1) for _ in Steps(1))[0].throw(ValueError("thrown")))
except ValueError as error:
    print(error)
try:
    print(dict(letters(2)))
except ValueError as error:
    print(error)


class Kept(list):
    pass


class Unique(set):
    pass


class Table(dict):
    pass


print(
    Kept(letters(3)),
    sorted(Unique(letters(2))),
    Table(pairs("ab")),
    Kept(Steps(2)),
    Kept(Words("k")),
)
print(
    collections.deque(letters(3)),
    collections.deque(Steps(5), 2),
    collections.deque(letters(9), maxlen=3),
)
print(collections.defaultdict(list, pairs("xy")), Kept([1, 2]), Kept(), Table(a=1), Unique({5}))


def shout(match):
    found = match.group()
    return found.upper()


print(re.sub("[aeiou]", shout, "one two three"), re.subn("o", shout, "foo boo", count=3))
print(re.compile("t(.)").sub(lambda match: match[1] * 2, "tatbtc"), re.sub("a", "b", "aa"))
try:
    re.sub("a", lambda match: 1 // 0, "xa")
except ZeroDivisionError as error:
    print(error)
