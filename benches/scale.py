#!/usr/bin/env python3
"""How many watched datasets one Google user carries, by simulation: scale.py [POLL_SECONDS].

Each dataset has a sheet on one side. A look costs one read call; one that finds changes costs four more and two writes, as
src/replica/tests/race.rs asserts. Polls slow down as in src/watch/timing.rs, four looks go on at once as in
src/watch/worker.rs, and background work has 57 of 60 calls of each kind in any 60.5 s, as in crates/google/src/quota.rs.
Assumed: a call takes CALL seconds, changes come at random and alone, nobody else uses the quota, and nothing but the poll
tells of a change. docs/scaling.md has a table.
"""
import heapq, random, sys
from collections import deque

CALL = 0.5                                      # seconds a call takes: assumed, never measured against Google
LIMIT, WINDOW, WORKERS = 57, 60.5, 4
SLOWER, SLOWEST, LONGEST = 1.5, 10.0, 300.0
COMPARE, BEFORE_WRITE, WRITES = 1, 4, 2
HOURS, WARM_UP = 6, 1


def simulate(datasets, per_hour, asked, seed=1):
    """Returns reads and writes a minute, and the sorted seconds from a change to the end of its write."""
    chance, end, start = random.Random(seed), HOURS * 3600.0, WARM_UP * 3600.0
    slowest = min(asked * SLOWEST, max(LONGEST, asked))
    gap = lambda: chance.expovariate(per_hour / 3600) if per_hour else float("inf")
    changes = [gap() for _ in range(datasets)]  # when each dataset's next change comes
    interval = [asked] * datasets
    due = [(chance.uniform(0, slowest), at) for at in range(datasets)]
    heapq.heapify(due)
    sent, delays = {"read": deque(), "write": deque()}, []
    counted = {"read": 0, "write": 0}
    # A worker is idle (None), or at a call of a look: dataset, calls left, changes found.
    events = [(0.0, number, None) for number in range(WORKERS)]
    heapq.heapify(events)
    number = WORKERS
    while events:
        now, _, look = heapq.heappop(events)
        if now > end:
            break
        number += 1
        if look is None:
            if due[0][0] > now:
                heapq.heappush(events, (due[0][0], number, None))
                continue
            _, at = heapq.heappop(due)
            look = (at, deque(["read"] * COMPARE), None)
        at, left, found = look
        if left:
            calls = sent[left[0]]
            while calls and calls[0] + WINDOW <= now:
                calls.popleft()
            if len(calls) >= LIMIT:
                heapq.heappush(events, (calls[0] + WINDOW, number, look))
                continue
            calls.append(now)
            counted[left.popleft()] += now >= start
            heapq.heappush(events, (now + CALL, number, (at, left, found)))
            continue
        if found is None:
            found = []
            while changes[at] <= now - CALL:    # what came while the sheet was read is found by the next look
                found.append(changes[at])
                changes[at] += gap()
            if found:
                left.extend(["read"] * BEFORE_WRITE + ["write"] * WRITES)
                heapq.heappush(events, (now, number, (at, left, found)))
                continue
        delays.extend(now - change for change in found if change >= start)
        interval[at] = asked if found else min(interval[at] * SLOWER, slowest)
        heapq.heappush(due, (now + interval[at], at))
        heapq.heappush(events, (now, number, None))
    minutes = (end - start) / 60
    return counted["read"] / minutes, counted["write"] / minutes, sorted(delays)


def main():
    asked = float(sys.argv[1]) if len(sys.argv) > 1 else 30.0
    print(f"pollSeconds {asked:g}, {HOURS - WARM_UP} hours after a first one; limit {LIMIT} reads and {LIMIT} writes a minute")
    print("datasets  changes/h each  reads/min  writes/min  delay p50  p95")
    for datasets in (10, 25, 50, 100, 150, 200, 285, 400):
        for per_hour in (0, 1, 6, 60):
            reads, writes, delays = simulate(datasets, per_hour, asked)
            at = lambda share: f"{delays[int(len(delays) * share)]:7.0f} s" if delays else "        -"
            print(f"{datasets:8} {per_hour:15} {reads:10.1f} {writes:11.1f}  {at(0.5)} {at(0.95)}", flush=True)


if __name__ == "__main__":
    main()
