"""Coroutines by hand, in each state."""

import types


@types.coroutine
def pause(value):
    got = yield value
    return got


class Awaitable:
    def __await__(self):
        got = yield "awaitable"
        return got


async def inner(n):
    total = 0
    for one in range(n):
        total += await pause(one)
    return total


async def outer():
    try:
        first = await inner(3)
        second = await Awaitable()
        async with Manager() as m:
            print("in", m)
            await pause("body")
        return first, second
    finally:
        print("outer ends")


class Manager:
    async def __aenter__(self):
        return await pause("enter")

    async def __aexit__(self, *error):
        await pause("exit")


coroutine, value = outer(), None
while True:
    try:
        asked = coroutine.send(value)
    except StopIteration as end:
        print("result", end.value)
        break
    print("asked", asked)
    value = 5
other = outer()
other.send(None)
other.close()
