"""Where the layers of a graph stand: one below the other, by the longest path that leads to them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SWEEPS = 12
STRAIGHTENINGS = 4
HEAVY = 1000.0
"""How much more a box weighs than the bend of an edge: the edge goes around the box."""

FAR = 0.001
"""How little an edge that passes by boxes draws those at its ends towards it."""


@dataclass
class Layout:
    """Points on the way of each edge, in ranks from the top.

    Args:
        ranks: The points of each rank from left to right. Those below ``count`` are the layers.
        x: The middle of each point, in the unit of the widths.
        rank_of: The rank of each point.
        paths: The points on each edge's way from its upper to its lower layer.
    """

    ranks: list[list[int]]
    x: NDArray[np.float64]
    rank_of: list[int]
    paths: dict[tuple[int, int], list[int]] = field(default_factory=dict)


def lay_out(count: int, edges: Sequence[tuple[int, int]], width: float, gap: float, lane: float) -> Layout:
    """Give every node a rank and a place in it (Sugiyama, Tagawa and Toda 1981).

    Args:
        count: The number of nodes.
        edges: From a node to one with a greater number.
        width: Of a node.
        gap: Between nodes.
        lane: The width of an edge that passes by nodes.
    """
    rank_of = _ranks(count, edges)
    neighbours: dict[int, tuple[list[int], list[int]]] = {node: ([], []) for node in range(count)}
    paths: dict[tuple[int, int], list[int]] = {}
    for start, end in edges:
        path = [start]
        for rank in range(rank_of[start] + 1, rank_of[end]):
            path.append(len(rank_of))
            neighbours[len(rank_of)] = ([], [])
            rank_of.append(rank)
        path.append(end)
        paths[start, end] = path
        for upper, lower in itertools.pairwise(path):
            neighbours[upper][1].append(lower)
            neighbours[lower][0].append(upper)
    ranks: list[list[int]] = [[] for _ in range(max(rank_of) + 1)]
    for point, rank in enumerate(rank_of):
        ranks[rank].append(point)
    _order(ranks, neighbours)
    widths = np.array([width + gap if point < count else lane for point in range(len(rank_of))])
    x = _place(ranks, neighbours, widths, count)
    _straighten(ranks, paths.values(), x, widths, count)
    return Layout(ranks, x - x.min(), rank_of, paths)


def _ranks(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The length of the longest path to each node; a node that nothing leads to stands right above the next one."""
    ranks = [0] * count
    for start, end in sorted(edges):
        ranks[end] = max(ranks[end], ranks[start] + 1)
    for node in set(range(count)) - {end for _, end in edges}:
        below = [ranks[end] for start, end in edges if start == node]
        ranks[node] = min(below, default=1) - 1
    return ranks


def _order(ranks: list[list[int]], neighbours: dict[int, tuple[list[int], list[int]]]) -> None:
    """Sort each rank by the mean place of its neighbours, from above and from below in turn: few edges cross."""
    for sweep in range(SWEEPS):
        is_down = sweep % 2 == 0
        for rank in range(1, len(ranks)) if is_down else range(len(ranks) - 2, -1, -1):
            other = ranks[rank - 1 if is_down else rank + 1]
            place = {point: index for index, point in enumerate(other)}
            own = {point: index for index, point in enumerate(ranks[rank])}

            def middle(
                point: int,
                place: dict[int, int] = place,
                own: dict[int, int] = own,
                side: int = int(not is_down),
            ) -> float:
                near = neighbours[point][side]
                return sum(place[other] for other in near) / len(near) if near else own[point]

            ranks[rank].sort(key=middle)


def _place(
    ranks: list[list[int]],
    neighbours: dict[int, tuple[list[int], list[int]]],
    widths: NDArray[np.float64],
    count: int,
) -> NDArray[np.float64]:
    """Move each point towards its neighbours as far as the others of its rank let it."""
    x = np.zeros(len(widths))
    for rank in ranks:
        steps = widths[rank]
        x[rank] = np.cumsum(steps) - steps / 2 - steps.sum() / 2
    weights = _weights(len(widths), count)
    for sweep in range(4 * SWEEPS):
        side = (0, 1, 2, 2)[sweep % 4]  # neighbours above, below, on both sides
        for rank in ranks if sweep % 2 == 0 else ranks[::-1]:
            if len(rank) == 1:  # all goes through it: such layers stand below each other, at 0
                continue
            wanted = np.array([_wanted(point, neighbours[point], side, x, count) for point in rank])
            x[rank] = _apart(wanted, widths[rank], weights[rank])
    return x


def _straighten(
    ranks: list[list[int]],
    paths: Iterable[list[int]],
    x: NDArray[np.float64],
    widths: NDArray[np.float64],
    count: int,
) -> None:
    """Draw each edge that passes by boxes as far out everywhere as it has to be anywhere."""
    weights = _weights(len(x), count)
    for _ in range(STRAIGHTENINGS):
        for start, *bends, end in paths:
            if bends:
                is_right = x[bends].mean() >= (x[start] + x[end]) / 2
                x[bends] = x[bends].max() if is_right else x[bends].min()
        for rank in ranks:
            x[rank] = _apart(x[rank], widths[rank], weights[rank])


def _weights(points: int, count: int) -> NDArray[np.float64]:
    return np.where(np.arange(points) < count, HEAVY, 1.0)


def _wanted(
    point: int, near: tuple[list[int], list[int]], side: int, x: NDArray[np.float64], count: int
) -> float:
    """The mean place of a point's neighbours; a box hardly goes by the one edge that passes by other boxes."""
    places: list[int] = []
    weights: list[float] = []
    for points in near if side == 2 else (near[side],):
        passing = sum(other >= count for other in points)
        is_skip = point < count and passing == 1 and len(points) == 2
        places += points
        weights += [FAR if is_skip and other >= count else 1.0 for other in points]
    return float(np.average(x[places], weights=weights)) if places else float(x[point])


def _apart(
    wanted: NDArray[np.float64], widths: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The places nearest to those wanted that keep the order and the distances: pooled neighbours."""
    offsets = np.cumsum(np.append(0, (widths[1:] + widths[:-1]) / 2))
    pools: list[tuple[float, float, int]] = []  # mean, weight, size
    for value, weight in zip(wanted - offsets, weights, strict=True):
        mean, total, size = float(value), float(weight), 1
        while pools and pools[-1][0] > mean:
            other, other_weight, other_size = pools.pop()
            mean = (mean * total + other * other_weight) / (total + other_weight)
            total, size = total + other_weight, size + other_size
        pools.append((mean, total, size))
    places: NDArray[np.float64] = np.repeat([pool[0] for pool in pools], [pool[2] for pool in pools])
    return np.asarray(places + offsets)
