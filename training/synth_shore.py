"""The shore of a terminal: oil banks, cargo quays and basins, what is built there, where ships lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge.detections import Kind
from training.synth_chance import maybe
from training.synth_parts import choose
from training.synth_site import Site, rectangle
from training.synth_terminal import CONCRETE, GRASS, apron, container_yard, jetty, road, sheds, tank_farm
from training.synth_works import pontoons

if TYPE_CHECKING:
    from edge.geometry import Floats

_APRON_M = 46.0
_DRY = ("bulker", "cargo", "bulker", "cargo", "roro", "car_carrier", "reefer", "passenger", "naval", "pipe_barge")


@dataclass(frozen=True, slots=True)
class Berth:
    """A line along which one or more vessels can lie, on the side of greater v."""

    u: tuple[float, float]
    """From and to, metres along the shore."""
    v: float
    """The fender line."""
    kind: Kind
    """Which vessels it is for; UNKNOWN: any small craft."""
    types: tuple[str, ...] = ()
    """Types that use it; empty: any of the kind."""
    side: int = 1
    """+1: ships lie towards the sea of the line; -1: towards the land."""


@dataclass(slots=True)
class Shore:
    """What was built."""

    berths: list[Berth] = field(default_factory=list)
    """Where vessels can lie."""
    cranes: list[tuple[float, float]] = field(default_factory=list)
    """Feet (u, v) of quay cranes, to be drawn over the ships."""
    seaward_v: float = 0.0
    """Beyond this line the water is open."""
    line_v: float = 0.0
    """Where land ends and water begins."""


def _bank_edge(rng: np.random.Generator, u: tuple[float, float], v: float) -> Floats:
    """A natural edge (k, 2) between two stations."""
    count = max(int((u[1] - u[0]) / 25), 2)
    stations = np.linspace(*u, count)
    return np.stack([stations, v - np.abs(np.cumsum(rng.normal(0, 3, count))) % 22], 1)


def _oil_bank(site: Site, rng: np.random.Generator, u: tuple[float, float], v: float, shore: Shore) -> None:
    """Jetties off a bank, a tank farm behind it."""
    room = u[1] - u[0]
    count = max(1, int(room / 390))
    back = -site.extent_m[1] / 2
    road(site, rng, u, (v - 52, v - 42))
    site.area(rng, rectangle(u[0], u[1], v - 42, v - 36), choose(rng, [(150, 130, 104), (126, 120, 112)]))
    inner = (u[0] + u[1]) / 2 + float(rng.uniform(-0.15, 0.15)) * room
    tank_farm(site, rng, (u[0] + 12, inner - 14), (back - 40, v - 64))
    tank_farm(site, rng, (inner + 14, u[1] - 12), (back - 40, v - 64))
    road(site, rng, (inner - 5, inner + 4), (2 * back, v - 48))
    for i in range(count):
        at = u[0] + (i + 0.5) * room / count
        berth = float(min(rng.uniform(180, 330), room / count * 0.86))
        reach = float(np.clip(rng.uniform(0.3, 0.62) * (site.extent_m[1] / 2 - v), 40, 340))
        face = jetty(site, rng, (at, v), reach, berth)
        half = berth * 0.56
        shore.berths.append(Berth((at - half, at + half), face, Kind.TANKER))
        shore.seaward_v = max(shore.seaward_v, face + 75)


def _cargo_quay(site: Site, rng: np.random.Generator, u: tuple[float, float], v: float, shore: Shore) -> None:
    """A straight quay with an apron, and boxes or sheds behind it."""
    back = -site.extent_m[1] / 2
    site.area(rng, rectangle(u[0], u[1], v - _APRON_M, v + 4), choose(rng, CONCRETE))
    site.area(rng, rectangle(u[0], u[1], v + 2.5, v + 4), (70, 68, 66))
    road(site, rng, u, (v - _APRON_M - 12, v - _APRON_M))
    apron(site, rng, (u[0] + 10, u[1] - 10), v)
    half = (u[0] + u[1]) / 2
    parts = (
        ((u[0], half, "container"), (half, u[1], "bulk"))
        if maybe(rng, 0.5)
        else ((u[0], half, "bulk"), (half, u[1], "container"))
    )
    for start, stop, trade in parts:
        if trade == "container":
            site.area(rng, rectangle(start, stop, v - 260, v - _APRON_M - 12), choose(rng, CONCRETE))
            container_yard(site, rng, (start + 8, stop - 8), (max(v - 250, back - 30), v - _APRON_M - 18))
            sheds(site, rng, (start, stop), (back - 40, v - 275))
            shore.cranes.extend((float(x), v) for x in np.arange(start + 60, stop - 30, 85.0))
        else:
            sheds(site, rng, (start, stop), (back - 40, v - _APRON_M - 20))
        types = ("container",) if trade == "container" else _DRY
        shore.berths.append(Berth((start + 8, stop - 8), v + 4, Kind.OTHER, types))
    shore.seaward_v = max(shore.seaward_v, v + 90)


def _basin(
    site: Site, rng: np.random.Generator, u: tuple[float, float], v: float, depth_m: float, shore: Shore
) -> None:
    """Walls and finger piers of a basin for small craft that was left open in the land."""
    wall = choose(rng, CONCRETE)
    for line in (rectangle(u[0] - 8, u[0] + 3, v - depth_m, v + 2), rectangle(u[1] - 3, u[1] + 8, v - depth_m, v + 2)):
        site.area(rng, line, wall)
    site.area(rng, rectangle(u[0] - 8, u[1] + 8, v - depth_m - 12, v - depth_m + 3), wall)
    small = ("tug", "fishing", "yacht", "fishing", "supply")
    shore.berths.append(Berth((u[0] + 8, u[1] - 8), v - depth_m + 3, Kind.OTHER, small))
    for start in np.arange(v - depth_m + 55, v - 25, 62.0).tolist():
        pier = rectangle(u[0], u[0] + (u[1] - u[0]) * 0.6, start, start + 5)
        site.area(rng, pier, choose(rng, [(150, 140, 124), (170, 168, 162)]))
        if maybe(rng, 0.3):  # small boats only, and they are out
            pontoons(site, rng, (u[0] + 6, u[0] + (u[1] - u[0]) * 0.58), start + 2.5)
            continue
        for side, edge in ((1, start + 5), (-1, start)):
            shore.berths.append(Berth((u[0] + 6, u[0] + (u[1] - u[0]) * 0.58), edge, Kind.OTHER, small, side))
    sheds(site, rng, (u[0] - 5, u[1] + 5), (v - depth_m - 160, v - depth_m - 30))


def _stretches(site: Site, rng: np.random.Generator) -> list[tuple[str, float, float]]:
    """Uses of the shore from one end of the picture to the other: (use, from, to) in metres of u."""
    half = site.extent_m[0] / 2
    if half < 450:  # noqa: PLR2004 - room for one use only
        return [("oil" if maybe(rng, 0.7) else "quay", -half * 1.2, half * 1.2)]
    shares = [("oil", 0.46), ("quay", 0.36), ("basin", 0.18)]
    order = [shares[i] for i in rng.permutation(3)]
    stretches, at = [], -half
    for use, share in order:
        stretches.append((use, at, at + 2 * half * share))
        at += 2 * half * share
    return stretches


def build_shore(site: Site, rng: np.random.Generator) -> Shore:
    """Build land and terminal on the side of negative v, in place."""
    long, deep = site.extent_m
    v = -deep * float(rng.uniform(0.12, 0.2))
    shore = Shore(seaward_v=v + 60, line_v=v)
    stretches = _stretches(site, rng)
    edge: list[Floats] = [np.array([[-long, v]])]
    basins = []
    for use, start, stop in stretches:
        if use == "oil":
            edge.append(_bank_edge(rng, (start, stop), v))
        elif use == "basin":
            depth = float(min(rng.uniform(150, 260), deep * 0.2))
            inner = (start + 0.12 * (stop - start), stop - 0.12 * (stop - start))
            basins.append((inner, depth))
            edge.append(np.array([[inner[0], v], [inner[0], v - depth], [inner[1], v - depth], [inner[1], v]]))
        else:
            edge.append(np.array([[start, v], [stop, v]]))
    edge.append(np.array([[long, v], [long, -deep], [-long, -deep]]))
    land = np.concatenate(edge)
    site.area(rng, land + np.array([0, 3]), (112, 104, 92))  # the stones of the shore
    site.area(rng, land, choose(rng, GRASS))
    for _, start, _ in stretches:
        road(site, rng, (start - 5, start + 4), (-deep, v - _APRON_M - 6))
    for use, start, stop in stretches:
        if use == "oil":
            _oil_bank(site, rng, (start, stop), v, shore)
        elif use == "quay":
            _cargo_quay(site, rng, (start, stop), v, shore)
    for inner, depth in basins:
        _basin(site, rng, inner, v, depth, shore)
    return shore
