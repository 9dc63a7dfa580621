"""Put vessels where they belong: at berths, rafted, at anchor, under way; never two hulls on the same water."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.detections import Kind
from edge.geometry import Floats, rotated_iou
from training.synth_chance import maybe
from training.synth_fleet import FLEET, Vessel, launch, pick_type
from training.synth_vessels import corners_at

if TYPE_CHECKING:
    from training.synth_shore import Berth, Shore
    from training.synth_site import Site

_MARGIN_PX = 3.0
_TRIES = 60


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A vessel at its place."""

    vessel: Vessel
    """What lies there."""
    centre: tuple[float, float]
    """Its middle, px."""
    heading: float
    """Direction of its bow, radians from +x towards +y (down)."""
    corners: Floats
    """Its box (4, 2) px."""
    under_way: bool = False
    """Whether it draws a wake."""


def _oil_tanker(length_m: float) -> str:
    """The class of an oil tanker of that length."""
    for name in ("vlcc", "suezmax", "crude", "product"):
        if length_m >= FLEET[name].length_m[0]:
            return name
    return "bunker"


@dataclass(slots=True)
class Traffic:
    """The vessels of a site so far."""

    site: Site
    """Where they lie."""
    open_v: float = -np.inf
    """Vessels at anchor or under way keep to greater v than this, metres."""
    placed: list[Placed] = field(default_factory=list)
    """In the order in which they came."""

    def count(self, kind: Kind) -> int:
        """How many of a kind there are."""
        return sum(p.vessel.build.kind == kind for p in self.placed)

    def _free(self, corners: Floats, apart_px: float) -> bool:
        """Whether a box (4, 2) px lies in the picture, on water, and off every other vessel."""
        width, height = self.site.size
        if corners.min() < _MARGIN_PX or (corners.max(0) > np.array([width, height]) - _MARGIN_PX).any():
            return False
        middle = corners.mean(0)
        grown = middle + (corners - middle) * (1 + apart_px / np.maximum(np.hypot(*(corners - middle).T), 1)[:, None])
        reach = float(np.hypot(*(grown[0] - middle)))
        for other in self.placed:
            away = other.corners.mean(0) - middle
            near = np.hypot(*away) < reach + np.hypot(*(other.corners[0] - other.corners[2])) / 2
            if near and rotated_iou(grown, other.corners) > 1e-9:  # noqa: PLR2004 - more than rounding
                return False
        low, high = np.floor(corners.min(0)).astype(int), np.ceil(corners.max(0)).astype(int) + 1
        mask = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
        cv2.fillConvexPoly(mask, np.rint((corners - low - 0.5) * 16).astype(np.int32), 1, cv2.LINE_8, 4)
        return not bool((self.site.blocked[low[1] : high[1], low[0] : high[0]] * mask).any())

    def put(
        self, vessel: Vessel, centre: tuple[float, float], heading: float, apart_m: float, *, under_way: bool = False
    ) -> bool:
        """Place a vessel where it is free to lie, `apart_m` from others; tells whether it was."""
        corners = corners_at(vessel, centre, heading, self.site.gsd_m)
        if not self._free(corners, apart_m / self.site.gsd_m):
            return False
        self.placed.append(Placed(vessel, centre, heading, corners, under_way))
        return True

    def moor(self, rng: np.random.Generator, berth: Berth) -> None:
        """Fill a berth: ships in line along it, one in four with another alongside."""
        room = berth.u[1] - berth.u[0]
        at = berth.u[0] + float(rng.uniform(0, 0.06)) * room
        while at < berth.u[1] - 12:
            name = str(rng.choice(berth.types)) if berth.types else pick_type(rng, berth.kind)
            longest = berth.u[1] - at
            low, high = FLEET[name].length_m
            if longest < low:
                if berth.types and longest < min(FLEET[t].length_m[0] for t in berth.types):
                    return
                at += 4
                continue
            vessel = launch(
                rng,
                name,
                float(rng.uniform(max(low, min(0.55 * room, 0.9 * high, 0.95 * longest)), min(high, longest))),
            )
            if berth.kind == Kind.TANKER:
                at = (berth.u[0] + berth.u[1] - vessel.length_m) / 2
            moored = self._tie_up(rng, berth, vessel, at)
            if berth.kind == Kind.TANKER:
                return
            if not moored:
                at += 20
                continue
            at += vessel.length_m + float(rng.uniform(8, 40)) + (float(rng.uniform(0, 90)) if maybe(rng, 0.3) else 0)

    def _tie_up(self, rng: np.random.Generator, berth: Berth, vessel: Vessel, at: float) -> bool:
        """Put a vessel at station `at` of a berth, and sometimes a smaller one outside it; tells whether it lies."""
        gap = float(rng.uniform(1.8, 3.5))
        line = berth.v + berth.side * (vessel.beam_m / 2 + gap)
        spot = self.site.px(np.array([at + vessel.length_m / 2, line]))
        heading = self.site.turn + float(rng.choice([0, np.pi])) + float(rng.normal(0, 0.004))
        if not self.put(vessel, (float(spot[0]), float(spot[1])), heading, 0.8):
            return False
        if vessel.length_m > 90 and maybe(rng, 0.25):  # noqa: PLR2004 - what takes bunkers from a barge
            self.raft(rng, self.placed[-1], launch(rng, "barge" if maybe(rng, 0.3) else "bunker"), outward=berth.side)
        return True

    def raft(self, rng: np.random.Generator, host: Placed, guest: Vessel, outward: int = 0) -> bool:
        """Put a vessel alongside another; `outward` +1 or -1 picks the side of greater or smaller v, 0 either."""
        apart = ((host.vessel.beam_m + guest.beam_m) / 2 + float(rng.uniform(2.0, 4.5))) / self.site.gsd_m
        slide = float(rng.uniform(-0.12, 0.12)) * host.vessel.length_m / self.site.gsd_m
        normal = np.array([-np.sin(host.heading), np.cos(host.heading)])
        seaward = np.array([-np.sin(self.site.turn), np.cos(self.site.turn)])
        side = outward * float(np.sign(normal @ seaward)) if outward else float(rng.choice([-1, 1]))
        spot = (
            np.array(host.centre)
            + normal * side * apart
            + np.array([np.cos(host.heading), np.sin(host.heading)]) * slide
        )
        turned = host.heading + float(rng.normal(0, 0.006)) + (np.pi if maybe(rng, 0.25) else 0)
        return self.put(guest, (float(spot[0]), float(spot[1])), turned, 0.5)

    def roam(self, rng: np.random.Generator, vessel: Vessel, wind: float | None, apart_m: float) -> bool:
        """Put a vessel anywhere on free water: at anchor, bow to the wind, or under way where `wind` is None."""
        width, height = self.site.size
        for _ in range(_TRIES):
            spot = (float(rng.uniform(0, width)), float(rng.uniform(0, height)))
            if vessel.length_m > 45 and self.site.uv(np.array(spot))[1] < self.open_v:  # noqa: PLR2004 - boats go anywhere
                continue
            heading = float(rng.uniform(0, 2 * np.pi)) if wind is None else wind + float(rng.normal(0, 0.12))
            if self.put(vessel, spot, heading, apart_m, under_way=wind is None):
                return True
        return False

    def transfer(self, rng: np.random.Generator, wind: float) -> bool:
        """Two tankers side by side at anchor: a ship-to-ship transfer."""
        room = min(self.site.size) * self.site.gsd_m
        for _ in range(_TRIES):
            length = float(min(rng.uniform(225, 330), 0.5 * room))
            name = _oil_tanker(length)
            if not self.roam(rng, launch(rng, name, length), wind, 60.0):
                return False
            smaller = length * float(rng.uniform(0.72, 0.98))
            if self.raft(rng, self.placed[-1], launch(rng, _oil_tanker(smaller), smaller)):
                return True
            self.placed.pop()
        return False


def populate(rng: np.random.Generator, traffic: Traffic, shore: Shore | None, amount: float) -> None:
    """Berth, anchor and send off vessels: about `amount` times what fits a busy roadstead."""
    site = traffic.site
    wind = float(rng.uniform(0, 2 * np.pi))
    traffic.transfer(rng, wind)
    for berth in shore.berths if shore else ():
        if maybe(rng, 0.85):  # some jetties and quays are empty, pipes and all
            traffic.moor(rng, berth)
    area_km2 = site.size[0] * site.size[1] * site.gsd_m**2 / 1e6
    anchored, moving, small = (max(1, round(amount * area_km2 * n)) for n in (1.5, 0.8, 1.5))
    room = 0.45 * min(site.size) * site.gsd_m
    for i in range(anchored):
        name = pick_type(rng, Kind.TANKER if i % 2 == 0 else Kind.OTHER)
        low, high = FLEET[name].length_m
        if low < room:
            traffic.roam(rng, launch(rng, name, float(rng.uniform(low, min(high, room)))), wind, 90.0)
    for names, count in (
        (("product", "cargo", "coaster", "supply", "tug", "bunker"), moving),
        (("tug", "fishing", "yacht"), small),
    ):
        for _ in range(count):
            vessel = launch(rng, str(rng.choice(names)))
            still = maybe(rng, 0.4)
            if vessel.length_m < room and vessel.length_m / site.gsd_m > 6:  # noqa: PLR2004 - px, less is no vessel
                traffic.roam(rng, vessel, wind if still and names[0] == "tug" else None, 20.0)
