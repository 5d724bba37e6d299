"""What true edges tell of their layer: without noise, with it, and where the layer changes.

    python benchmarks/inversion.py [--scenes 25]

Edges are computed by the simulator's own rays, so that only the inversion errs.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
from common import report
from edges_parts import ground_of_least

from odm.core.statement import SIMULATED_DATA
from odm.findings.edges import LayerEdge
from odm.findings.inversion import invert
from odm.physics.raytrace import minimum_group_path
from odm.simulate.ionogram.backscatter import FREQUENCY_MHZ, layer_rays
from odm.simulate.ionogram.recipe import IonogramRecipe
from odm.simulate.ionogram.scene import draw_scene

EVEN = {"gradient": 0.0, "tilt_km": 0.0, "wave": 0.0, "wave_height_km": 0.0}
FARTHEST_KM = 3500.0


def row(label: str, change: dict[str, float], noise_km: float, scenes: int) -> dict[str, Any]:
    """Errors over scenes of seed 71 with an F layer alone."""
    rng = np.random.default_rng(5)
    critical, height, ground, within = [], [], [], []
    for index in range(scenes):
        scene = draw_scene(IonogramRecipe(seed=71, kind="f", ray_model="quasi-parabolic"), index)
        scene = replace(scene, f=replace(scene.f, **change))
        rays = layer_rays(scene)
        path = minimum_group_path(rays.group_path)[-FREQUENCY_MHZ.size :]
        landed = ground_of_least(rays)[-FREQUENCY_MHZ.size :]
        there = np.isfinite(path) & (path < FARTHEST_KM) & np.isfinite(landed)
        # Neighbours within half a MHz err alike.
        off = np.convolve(rng.normal(0, 1, path.size), np.ones(5) / 5**0.5, "same") * noise_km
        sigma = np.full(int(there.sum()), max(noise_km, 3.5))
        edge = LayerEdge(
            "F", FREQUENCY_MHZ[there] * 1e6, (path + off)[there], sigma, np.ones(sigma.size)
        )
        found = invert(edge)
        if not found:
            continue
        critical.append(abs(found.critical_frequency / 1e6 - scene.f.critical_mhz))
        height.append(abs(found.peak_height - scene.f.peak_km))
        error = np.abs(found.ground_range - landed[there])
        ground += error.tolist()
        within += (error <= found.ground_range_sigma).tolist()
    return {
        "edges": label,
        "inverted": len(critical),
        "of": scenes,
        "critical_median_mhz": round(float(np.median(critical)), 3),
        "height_median_km": round(float(np.median(height)), 1),
        "ground_median_km": round(float(np.median(ground)), 1),
        "ground_within_10_km": round(float((np.array(ground) <= 10).mean()), 2),
        "ground_within_sigma": round(float(np.mean(within)), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=25)
    scenes = parser.parse_args().scenes
    cases: list[tuple[str, dict[str, float], float]] = [
        ("the same everywhere", EVEN, 0.0),
        ("the same everywhere, 5 km of noise", EVEN, 5.0),
        ("as drawn", {}, 0.0),
    ]
    report("inversion", [row(*case, scenes) for case in cases], about=SIMULATED_DATA)


if __name__ == "__main__":
    main()
