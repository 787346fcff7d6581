"""Who waits for whom, and who of them will wait for ever: an engine that knows nothing of tasks and locks.

A node waits until any, or all, of certain others have gone on. What waits for nothing, or is not known at all, goes on
sooner or later, and lets go of what waits for it. What remains is stuck:

    A waits for a lock of B, B for a lock of A                both are stuck
    A waits for any of B and C, B is stuck, C is not known    C may let A go on: A is not stuck

A node that is stuck need not be to blame: it may wait for one that is. Those to blame wait in a circle.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple, TypeVar

N = TypeVar("N", bound=Hashable)


class Need(NamedTuple):
    """What a node waits for: `options`, nodes, of which it takes one to go on, or every one (`every`)."""

    options: frozenset[Hashable]
    every: bool = False


def stuck(needs: Mapping[N, Need]) -> set[N]:
    """Returns the nodes that will never go on. One that waits for nobody is not among them."""
    waiters: dict[Hashable, list[N]] = {}
    missing: dict[N, int] = {}
    free: list[Hashable] = []
    for node, need in needs.items():
        missing[node] = len(need.options) if need.every else 1
        if not need.options:
            free.append(node)
        for option in need.options:
            waiters.setdefault(option, []).append(node)
    free.extend(option for option in waiters if option not in needs)
    gone: set[Hashable] = set(free)
    while free:
        for node in waiters.get(free.pop(), ()):
            if node in gone:
                continue
            missing[node] -= 1
            if missing[node] == 0:
                gone.add(node)
                free.append(node)
    return {node for node in needs if node not in gone}


def circles(needs: Mapping[N, Need]) -> list[list[N]]:
    """Returns those that are stuck because they wait for each other: groups in which every node waits for every one,
    directly or over others. Each group is in an order in which one waits for the next, as far as there is one."""
    known: dict[Hashable, N] = {node: node for node in stuck(needs)}
    following = {
        node: [known[option] for option in needs[node].options if option in known]
        for node in needs
        if node in known
    }
    return rings(following)


def rings(following: Mapping[N, Sequence[N]]) -> list[list[N]]:
    """Returns the groups in which every node leads to every one, in an order as above."""
    return [
        _in_order(group, following)
        for group in _components(following)
        if len(group) > 1 or group[0] in following[group[0]]
    ]


def _components(following: Mapping[N, Sequence[N]]) -> list[list[N]]:
    """Returns the strongly connected components (Tarjan's algorithm, without recursion)."""
    index: dict[N, int] = {}
    lowest: dict[N, int] = {}
    path: list[N] = []
    #: Of those on the path, where there.
    places: dict[N, int] = {}
    found: list[list[N]] = []
    for root in following:
        if root in index:
            continue
        work = [(root, iter(following[root]))]
        index[root] = lowest[root] = len(index)
        places[root] = len(path)
        path.append(root)
        while work:
            node, rest = work[-1]
            for other in rest:
                if other not in index:
                    index[other] = lowest[other] = len(index)
                    places[other] = len(path)
                    path.append(other)
                    work.append((other, iter(following[other])))
                    break
                if other in places:
                    lowest[node] = min(lowest[node], index[other])
            else:
                work.pop()
                if work:
                    above = work[-1][0]
                    lowest[above] = min(lowest[above], lowest[node])
                if lowest[node] == index[node]:
                    group = path[places[node] :]
                    found.append(group)
                    del path[places[node] :]
                    for each in group:
                        del places[each]
    return found


def _in_order(group: list[N], following: Mapping[N, Sequence[N]]) -> list[N]:
    left = dict.fromkeys(group)
    ordered: list[N] = []
    while left:
        node = next(iter(left))
        while node in left:
            del left[node]
            ordered.append(node)
            node = next((other for other in following[node] if other in left), node)
    return ordered
