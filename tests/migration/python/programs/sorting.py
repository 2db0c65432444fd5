"""sorted and list.sort with keys and comparisons of the program."""

import dataclasses
import functools


@dataclasses.dataclass(order=True)
class Entry:
    weight: int
    name: str


class Word:
    def __init__(self, text):
        self.text = text

    def __lt__(self, other):
        mine, theirs = len(self.text), len(other.text)
        return mine < theirs

    def __repr__(self):
        return self.text


@functools.total_ordering
class Number:
    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return self.value == other.value

    def __gt__(self, other):
        return self.value > other.value


def key(number):
    digits = [int(digit) for digit in str(number)]
    return sum(digits)


def compare(a, b):
    left, right = a % 5, b % 5
    return left - right


def numbers(count):
    for number in range(count):
        yield number * 7 % 23


print(sorted(range(20), key=key), sorted(numbers(9)), sorted(numbers(7), key=key, reverse=True))
words = [Word(text) for text in "the quick brown fox jumps over a lazy dog".split()]
print(sorted(words), sorted(words, reverse=True))
words.sort(key=lambda word: word.text[::-1])
print(words)
words.sort()
print(words, sorted(Entry(n % 3, str(n)) for n in range(7))[::3])
print(sorted(range(9), key=functools.cmp_to_key(compare)))
print([one.value for one in sorted(map(Number, (3, 1, 2)), reverse=True)])
print(sorted(words, key=lambda word: Word(word.text * 2))[:3])
changed = [3, 1, 2]


def change(number):
    changed.append(number)
    return number


try:
    changed.sort(key=change)
except ValueError as error:
    print(error, changed)
watched = [2, 0, 1]
watched.sort(key=lambda number: (number, len(watched)))
print(watched)
try:
    watched.sort(key=lambda number: 1 // number)
except ZeroDivisionError as error:
    print(error, watched)
empty = []
empty.sort(key=key)
empty.append(1)
print(empty, sorted([Word("b"), Word("aa"), Word("c")], key=str))
