"""Structural matching, walrus, chained conditions, unpacking, global state."""


class Point:
    __match_args__ = ("x", "y")

    def __init__(self, x, y):
        self.x, self.y = x, y


def describe(value):
    match value:
        case 0:
            return "zero"
        case [first, *rest] if len(rest) > 1:
            return f"long {first} {rest}"
        case [a, b]:
            return f"pair {a} {b}"
        case {"kind": kind, **others}:
            return f"dict {kind} {sorted(others)}"
        case Point(x=0, y=y):
            return f"on axis {y}"
        case Point(x, y):
            return f"point {x} {y}"
        case str() as text:
            return f"text {text}"
        case int() | float():
            return "number"
    return "other"


for one in (0, [1, 2], [1, 2, 3], {"kind": "k", "z": 1}, Point(0, 2), Point(1, 2), "s", 1.5, None):
    print(describe(one))
data = iter([3, 1, 0, 5])
while (n := next(data)) > 0:
    print("n", n)
print([y for x in range(4) if (y := x * x) > 1], 1 < 2 < 3 > 0)
