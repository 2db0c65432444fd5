"""asyncio: tasks, queues, timers, gather, cancellation."""
import asyncio


async def produce(queue, n):
    for one in range(n):
        await queue.put(one)
        await asyncio.sleep(0.001)
    await queue.put(None)


async def consume(queue):
    total = 0
    while (one := await queue.get()) is not None:
        total += one
        print("got", one)
    return total


async def slow():
    try:
        await asyncio.sleep(100)
    finally:
        print("cancelled")


async def main():
    queue = asyncio.Queue(maxsize=2)
    task = asyncio.create_task(slow())
    _, total = await asyncio.gather(produce(queue, 4), consume(queue))
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("total", total)
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 0.01)
    except asyncio.TimeoutError:
        print("timed out")
    async for one in numbers(3):
        print("number", one)


async def numbers(n):
    for one in range(n):
        await asyncio.sleep(0)
        yield one


asyncio.run(main())
print("end")
