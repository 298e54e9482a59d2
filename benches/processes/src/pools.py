"""A job that does nothing, on Python's pools: nanoseconds per job, one after the other and all in flight."""

import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor


def nothing(n):
    return n


def measure(pool, serial, flight):
    pool.submit(nothing, 0).result()
    start = time.perf_counter_ns()
    for n in range(serial):
        assert pool.submit(nothing, n).result() == n
    one = (time.perf_counter_ns() - start) / serial
    start = time.perf_counter_ns()
    jobs = [pool.submit(nothing, n) for n in range(flight)]
    assert sum(job.result() for job in jobs) == flight * (flight - 1) // 2
    print(one, (time.perf_counter_ns() - start) / flight)


if __name__ == "__main__":
    kind = {"threads": ThreadPoolExecutor, "processes": ProcessPoolExecutor}[sys.argv[1]]
    with kind(max_workers=2) as pool:
        measure(pool, int(sys.argv[2]), int(sys.argv[3]))
