"""dataclasses, enums, named tuples, subclasses of built-ins."""

import collections
import dataclasses
import enum
import typing


@dataclasses.dataclass(order=True)
class Item:
    name: str
    price: float = 1.0
    tags: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Key:
    a: int
    b: str = "b"


class Color(enum.Enum):
    RED = 1
    GREEN = 2

    def shout(self):
        return self.name + "!"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 5


class Access(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


Pair = collections.namedtuple("Pair", "left right")


class Named(typing.NamedTuple):
    x: int
    y: int = 5


class Stack(list):
    limit = 3

    def push(self, x):
        self.append(x)
        return len(self)


class Table(dict):
    def __missing__(self, key):
        self[key] = key * 2
        return self[key]


class Number(int):
    def __add__(self, other):
        return Number(int(self) + int(other) + 1)


items = [Item("b", 2.0), Item("a", 3.0, ["x"])]
seen = {Color.RED: 0, Level.HIGH: 1, Key(1): 2}
stack, table = Stack(), Table()
stack.owner = "me"
number = Number(1)
for turn in range(3):
    print(sorted(items)[0], seen[Color.RED], seen[Level.HIGH], seen[Key(1)], seen[5])
    print(stack.push(turn), stack, stack.owner, table[turn], number)
    number = number + turn
    items[0].tags.append(turn)
print(
    Color(2) is Color.GREEN, Color.RED.shout(), Level.HIGH > Level.LOW, Access.READ | Access.WRITE
)
print(Pair(1, 2)._replace(left=5), Named(1), Named(1) == (1, 5), type(number).__name__)
print(dataclasses.asdict(items[1]), dataclasses.replace(Key(4), b="c"))
