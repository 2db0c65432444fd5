"""Containers and values of the standard library, in C and in Python."""

import array
import collections
import datetime
import decimal
import fractions
import functools
import heapq
import io
import operator
import pathlib
import random
import re
import string
import types
import uuid

queue = collections.deque([1, 2, 3], maxlen=4)
order = collections.OrderedDict(a=1, b=2)
groups = collections.defaultdict(list)
counts = collections.Counter("abracadabra")
chain = collections.ChainMap({"x": 1}, {"y": 2})
numbers = array.array("d", [1.5, 2.5])
moment = datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc)
price = decimal.Decimal("1.10")
third = fractions.Fraction(1, 3)
text, raw = io.StringIO("one\ntwo\nthree\n"), io.BytesIO(b"abcdef")
pattern = re.compile(r"(?P<word>\w+)-(\d+)", re.I)
match = pattern.search("see abc-123 and")
space = types.SimpleNamespace(a=1, b=[2])
path = pathlib.PurePosixPath("/a/b/c.txt")
item = operator.itemgetter(1)
heap = []
dice = random.Random(7)
random.seed(5)
view = memoryview(bytearray(b"0123456789"))[2:8]
template = string.Template("$who")
proxy = types.MappingProxyType({"k": 1})
for turn in range(3):
    queue.append(turn)
    order.move_to_end("a")
    groups[turn % 2].append(turn)
    counts.update("ab")
    numbers.append(turn)
    moment += datetime.timedelta(days=1)
    price += decimal.Decimal("0.01")
    third += fractions.Fraction(1, 6)
    heapq.heappush(heap, -turn)
    space.b.append(turn)
    print(queue, order, dict(groups), counts.most_common(2), chain["y"], numbers)
    print(moment, price, third, text.readline().strip(), raw.read(2), heap, space)
    print(match["word"], match.span(2), pattern.flags, path.stem, item([5, 6]))
    print(
        dice.randint(0, 99), random.random(), bytes(view), template.substitute(who=turn), proxy["k"]
    )
print(uuid.UUID(int=5), functools.reduce(operator.add, [1, 2]), range(10)[2:7:2], slice(1, 2))
