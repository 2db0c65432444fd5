"""Generators in each state: new, suspended, running, delegating, closed; send and throw."""


def numbers(limit):
    n = 0
    while n < limit:
        got = yield n
        n += got or 1
    return "done"


def delegating():
    result = yield from numbers(3)
    print("delegate got", result)
    yield "after"


def careful():
    try:
        while True:
            try:
                value = yield
                print("value", value)
            except ValueError as error:
                print("thrown", error)
                yield "handled"
    finally:
        print("closed")


def tree(depth):
    if depth:
        yield from tree(depth - 1)
        yield depth
        yield from tree(depth - 1)


new = numbers(2)
held = numbers(10)
print(next(held), held.send(3))
for one in delegating():
    print("one", one)
both = zip(numbers(3), numbers(9))
print(next(both))
care = careful()
next(care)
care.send(1)
print(care.throw(ValueError("bad")))
care.close()
print(list(tree(3)), list(both), held.send(2), next(new))
ended = numbers(0)
print(next(ended, "default"), ended.gi_frame)
squares = (x * x for x in range(5) if x % 2)
for square in squares:
    print(square, next(held, None))
