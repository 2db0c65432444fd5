"""Cells shared by closures, nonlocal, decorators, functions with attributes."""

import functools


def counter():
    count = 0

    def up(by=1):
        nonlocal count
        count += by
        return count

    def read():
        return count

    return up, read


up, read = counter()
for by in range(4):
    up(by)
    print(read(), up.__closure__[0] is read.__closure__[0])


def traced(function):
    @functools.wraps(function)
    def wrapper(*args, **named):
        wrapper.calls += 1
        return function(*args, **named)

    wrapper.calls = 0
    return wrapper


@traced
def fact(n):
    return 1 if n <= 1 else n * fact(n - 1)


print(fact(6), fact.calls, fact.__name__, fact.__wrapped__.__name__)
makers = [lambda x, n=n: x + n for n in range(3)]
print([make(10) for make in makers])


def late():
    def inner():
        return value

    value = 1
    first = inner()
    value = 2
    return first, inner()


print(late())


@functools.lru_cache(maxsize=None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


print(fib(15), fib.cache_parameters())
add = functools.partial(lambda a, b, c=0: (a, b, c), 1, c=5)
print(add(2), add.func.__name__)
