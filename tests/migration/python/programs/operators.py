"""Dunder methods that C code calls: the program stops inside of them."""


class Value:
    def __init__(self, n):
        self.n = n

    def __add__(self, other):
        return Value(self.n + get(other))

    def __radd__(self, other):
        return Value(other + self.n)

    def __iadd__(self, other):
        self.n += get(other)
        return self

    def __mul__(self, other):
        return NotImplemented

    def __rmul__(self, other):
        return Value(get(other) * self.n)

    def __neg__(self):
        return Value(-self.n)

    def __eq__(self, other):
        if not isinstance(other, Value):
            return NotImplemented
        return self.n == other.n

    def __lt__(self, other):
        return self.n < get(other)

    __hash__ = None

    def __bool__(self):
        flag = self.n != 0
        return flag

    def __len__(self):
        return abs(self.n)

    def __getitem__(self, key):
        if isinstance(key, int) and key >= 3:
            raise IndexError(key)
        return (self.n, key)

    def __setitem__(self, key, value):
        self.n = key * value

    def __delitem__(self, key):
        self.n -= key

    def __contains__(self, x):
        found = x == self.n
        return found

    def __call__(self, *args):
        return self.n, args

    def __str__(self):
        return f"<{self.n}>"

    def __repr__(self):
        return "Value(%d)" % self.n

    def __format__(self, spec):
        return f"{self.n}/{spec}"

    def __index__(self):
        return self.n

    def __getattr__(self, name):
        if name.startswith("x"):
            return name * 2
        raise AttributeError(name)

    def __iter__(self):
        return iter([self.n, self.n + 1])


def get(x):
    return x.n if isinstance(x, Value) else x


a, b = Value(3), Value(4)
print((a + b).n, (1 + a).n, (a + 1).n, (2 * b).n, (-a).n)
a += b
print(a.n, a == b, a == 7, a != b, a < b, b < 9, a > b)
print(bool(a), not a, len(a), a[1], a[1:2], 7 in a, 8 not in a, a(1, 2))
a[2] = 5
del a[1]
print(a, repr(a), f"{a} {a!r} {a:>3}", "%s" % a, str(a), a.xy, getattr(a, "q", "default"))
print(list(range(20))[a], [*b], a if a else b, hasattr(a, "nope"))
if a and not Value(0):
    print("true")
while b:
    b = 0
try:
    a * a
except TypeError as error:
    print(error)
try:
    Value(1) @ 2
except TypeError as error:
    print(error)
for one in a:
    print("iterated", one)
for one in Value(1):
    print(one)
