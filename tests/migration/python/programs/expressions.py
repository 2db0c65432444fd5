"""Calls in the middle of expressions, and containers under construction."""


def f(x):
    return x + 1


def g(x, *rest, scale=2, **named):
    total = x * scale + sum(rest)
    return total + len(named)


def h(n):
    return n if n < 2 else h(n - 1) + h(n - 2)


print(f(1) + g(h(7), 2, 3, scale=f(1), a=1) * f(h(5)) - [f(2), f(3)][f(-1)])
print({f(1): g(1), f(2): [g(2), g(3)]}, (f(1), f(2)), {f(5), f(5)})
print(f"{f(1)} and {g(2):>5} and {h(6)!r:*^8}")
args = [1, 2]
named = {"scale": 3}
print(g(*args, f(3), **named, other=f(4)))
print([f(x) for x in range(4) if f(x) % 2], {x: f(int(x)) for x in "12" if f(0)} if f(0) else None)
a, (b, *c) = f(1), (f(2), f(3), f(4))
print(a, b, c, f(1) < f(2) < f(3), f(1) and f(0) or f(5), not f(-1))
text = "abc" * f(1)
print(text[f(0) : f(3)], text[:: f(1)])
x = y = f(10)
x += f(y)
x //= f(1)
print(x, y, -f(1), ~f(1), f(2) ** f(1), f(7) % f(3), (lambda v: f(v) * 2)(f(1)))
