import asyncio


async def numbers(count):
    try:
        for n in range(count):
            await asyncio.sleep(0)
            got = yield n
            if got is not None:
                print("got", got)
    finally:
        await asyncio.sleep(0)
        print("numbers closed")


async def doubled(of):
    async for n in of:
        yield n * 2


class Countdown:
    def __init__(self, start):
        self.left = start

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self.left == 0:
            raise StopAsyncIteration
        self.left -= 1
        await asyncio.sleep(0)
        return self.left


class Manager:
    async def __aenter__(self):
        await asyncio.sleep(0)
        print("entered")
        return self

    async def __aexit__(self, kind, error, trace):
        await asyncio.sleep(0)
        print("left", kind and kind.__name__)
        return kind is KeyError


async def catches():
    while True:
        try:
            yield "ready"
        except ValueError as error:
            yield f"caught {error}"


async def main():
    print([n async for n in doubled(numbers(4))])
    print({n: n * n async for n in Countdown(3)})
    one = numbers(10)
    print(await anext(one), await one.asend("hello"), await one.__anext__())
    await one.aclose()
    print(await anext(one, "over"))
    two = catches()
    print(await anext(two), await two.athrow(ValueError("this")), await anext(two))
    await two.aclose()
    async with Manager(), Manager():
        raise KeyError("inside")
    try:
        async for n in numbers(5):
            if n == 2:
                raise RuntimeError(n)
    except RuntimeError as error:
        print("left the loop", error)
    for _ in range(8):  # What is left of it ends by itself.
        await asyncio.sleep(0)
    print("the end")


asyncio.run(main())
