"""The workloads on asyncio.

python3 asyncio_futures.py WORKLOAD SIZE WARM_UP_MS MEASURE_MS; prints nanoseconds per operation (or bytes) of each run.
Asyncio has no `then`: a link is a task that awaits the one before, and a request of doxbee is a coroutine in a task.
"""

import asyncio
import gc
import os
import resource
import sys
import time


def below(count):
    """0 + 1 + .. without `count` itself."""
    return count * (count - 1) // 2


async def link(before, step):
    return await before + step


async def chains_of_10(links):
    loop = asyncio.get_running_loop()
    total = 0
    for start in range(links // 10):
        last = loop.create_future()
        last.set_result(start)
        for step in range(10):
            last = loop.create_task(link(last, step))
        total += await last
    return total


async def long_chain(links):
    loop = asyncio.get_running_loop()
    first = last = loop.create_future()
    for _ in range(links):
        last = loop.create_task(link(last, 1))
    first.set_result(0)
    return await last


async def settle(count):
    loop = asyncio.get_running_loop()
    total = 0
    for n in range(count):
        future = loop.create_future()
        future.set_result(n)
        total += await future
    return total


async def fan_out(count):
    loop = asyncio.get_running_loop()
    run = 0

    def add(future):
        nonlocal run
        run += future.result()

    future = loop.create_future()
    for _ in range(count):
        future.add_done_callback(add)
    last = loop.create_future()
    future.add_done_callback(lambda _: last.set_result(run))
    future.set_result(1)
    return await last


async def all_(count):
    loop = asyncio.get_running_loop()
    futures = [loop.create_future() for _ in range(count)]
    gathered = asyncio.gather(*futures)
    for n, future in enumerate(futures):
        future.set_result(n)
    return sum(await gathered)


async def trivial(n):
    return n


async def spawn(count):
    loop = asyncio.get_running_loop()
    calls = [loop.create_task(trivial(n)) for n in range(count)]
    total = 0
    for call in calls:
        total += await call
    return total


QUERIES = 25


# A database, a blob store: every operation answers with what it was given, at once or after a timer.
def at_once(answer):
    future = asyncio.get_running_loop().create_future()
    future.set_result(answer)
    return future


def after_timer(answer):
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_later(0.001, future.set_result, answer)
    return future


async def upload(request, ask):
    """put blob, get file, insert version, create query, execute it, insert file version, update file, commit."""
    try:
        version = await ask(request) + 1
        file = await ask(None)
        await ask(version)
        if file is None:
            query = await ask(version + 1)
            file = await ask(query)
        await ask(None)
        total = await ask(file + version)
        return await ask(total)
    except Exception:
        await ask(None)
        raise


async def doxbee(requests, ask):
    return sum(await asyncio.gather(*[upload(request, ask) for request in range(requests)]))


def uploaded(requests):
    return 2 * below(requests) + 3 * requests


async def insert(request, ask):
    rows = await asyncio.gather(*[ask(query + request) for query in range(QUERIES)])
    return await ask(sum(rows))


async def parallel(requests, ask):
    return sum(await asyncio.gather(*[insert(request, ask) for request in range(requests)]))


def inserted(requests):
    return QUERIES * below(requests) + requests * QUERIES * (QUERIES - 1) // 2


async def timers(count):
    loop = asyncio.get_running_loop()
    delays = []
    for n in range(count):
        future = loop.create_future()
        loop.call_later(n * 1000 // count / 1000, future.set_result, None)
        delays.append(future)
    fired = 0
    for delay in delays:
        await delay
        fired += 1
    return fired


async def memory(count, make):
    """How much the resident memory grows per item, the list that holds it included."""
    def resident():
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()

    gc.collect()
    before = resident()
    kept = [make() for _ in range(count)]
    await asyncio.sleep(0)
    grown = resident() - before
    assert len(kept) == count
    print(grown / count, flush=True)
    # Cancelling a million tasks is not part of the answer.
    os._exit(0)


def pending():
    return asyncio.get_running_loop().create_future()


def with_then():
    return asyncio.get_running_loop().create_task(link(pending(), 1))


def wall(size, work, expected):
    start = time.perf_counter_ns()
    outcome = asyncio.run(work())
    took = time.perf_counter_ns() - start
    assert outcome == expected, f"{outcome} instead of {expected}"
    return took / size


def cpu(size, work, expected):
    start = time.process_time_ns()
    outcome = asyncio.run(work())
    took = time.process_time_ns() - start
    assert outcome == expected, f"{outcome} instead of {expected}"
    return took / size


def main(workload, size, warm_up, measure):
    size = int(size)
    if workload in ("memory", "memory_then"):
        asyncio.run(memory(size, pending if workload == "memory" else with_then))
    run = {
        "chains_of_10": lambda: wall(size, lambda: chains_of_10(size), below(size // 10) + size // 10 * 45),
        "long_chain": lambda: wall(size, lambda: long_chain(size), size),
        "settle": lambda: wall(size, lambda: settle(size), below(size)),
        "fan_out": lambda: wall(size, lambda: fan_out(size), size),
        "all": lambda: wall(size, lambda: all_(size), below(size)),
        "spawn": lambda: wall(size, lambda: spawn(size), below(size)),
        "doxbee_async": lambda: wall(size, lambda: doxbee(size, at_once), uploaded(size)),
        "parallel": lambda: wall(size, lambda: parallel(size, at_once), inserted(size)),
        "doxbee_timers": lambda: wall(size, lambda: doxbee(size, after_timer), uploaded(size)),
        "parallel_timers": lambda: wall(size, lambda: parallel(size, after_timer), inserted(size)),
        "timers": lambda: cpu(size, lambda: timers(size), size),
    }[workload]
    start = time.perf_counter()
    while (time.perf_counter() - start) * 1000 < float(warm_up):
        run()
    start = time.perf_counter()
    while (time.perf_counter() - start) * 1000 < float(measure):
        print(run(), flush=True)


main(*sys.argv[1:])
