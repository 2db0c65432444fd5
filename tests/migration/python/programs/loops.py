"""Loops over each kind of built-in iterator, stopped in the middle."""

total = 0
for number in range(5):
    total += number
    print("range", number, total)
for letter in "abc":
    print("str", letter)
for item in [1, 2, 3]:
    print("list", item)
for item in (4, 5, 6):
    print("tuple", item)
for key in {"x": 1, "y": 2}:
    print("dict", key)
for key, value in {"x": 1, "y": 2, "z": 3}.items():
    print("items", key, value)
for value in {"x": 1, "y": 2}.values():
    print("values", value)
for at, one in enumerate("pq", 7):
    print("enumerate", at, one)
for pair in zip([1, 2], "ab", strict=True):
    print("zip", pair)
for one in reversed([1, 2, 3]):
    print("reversed", one)
for one in map(str, [1, 2, 3]):
    print("map", one)
for one in filter(None, [0, 1, 0, 2]):
    print("filter", one)
for one in sorted({"d", "e", "f"}):
    print("sorted", one)
for one in {"s", "t", "u", "v"}:
    print("set", one)
for one in frozenset(range(6)):
    print("frozenset", one)
for byte in b"xyz":
    print("bytes", byte)
for one in iter([3, 2, 1, 0].pop, 3):
    print("callable", one)
while total > 5:
    total -= 2
    print("while", total)
print("end", total)
