"""The part of `odm inspect` that shows half-orbits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.archive.orbit.reader import Orbit, read_orbit
from odm.commands.inspect import Inspection, ends, known_folder
from odm.core.errors import InputError
from odm.core.files import without_options
from odm.datasets.labels.regions import SIMULATED, has_region_labels, load_region_labels
from odm.findings.measure import MAX_GAP_S
from odm.images.masks import is_drawn


def inspect_orbit(
    file: str, annotations: str | None, component: str, *unused: object
) -> Inspection:
    """Say what a half-orbit is.

    Args:
        file: the half-orbit.
        annotations: folder with its regions; its own if None and that is a simulated archive.
        component: x, y or z.
        unused: options for other kinds of input.

    Raises:
        ArchiveError: the file is bad.
        InputError: the annotations do not label it.
    """
    orbit = read_orbit(file, component)
    facts = _describe(orbit, component)
    masks, source, name = _outlines(orbit, file, annotations)
    if source:
        facts[f"{name}_pixels"] = sum(int(mask.sum()) for mask in masks)
        facts[f"{name}_from"] = source

    def draw(path: str) -> None:
        from odm.images.pictures.orbit import draw_orbit

        draw_orbit(path, orbit, component=component, outlines=masks, outline_name=name)

    return Inspection(
        facts, orbit.key.stem if orbit.key else Path(without_options(file)).stem, draw
    )


def _describe(orbit: Orbit, component: str) -> dict[str, Any]:
    """Return the facts of a half-orbit that a person asks for first, as plain values."""
    psd = orbit.psd(component)
    steps_s = np.diff(orbit.times) / np.timedelta64(1, "s")
    nominal_s = float(np.median(steps_s))
    missing = steps_s > 1.5 * nominal_s
    percentiles = np.log10(np.nanpercentile(psd, (1, 50, 99)))
    survey, burst = (int((orbit.work_mode == mode).sum()) for mode in (1, 2))
    rows, columns = orbit.shape
    known = orbit.latitude[np.isfinite(orbit.latitude)]
    no_altitude = bool(np.isnan(orbit.altitude).all())
    return {
        "file": orbit.path,
        "key": orbit.key.name if orbit.key else "(the name is not that of a half-orbit)",
        "orbit_number": orbit.orbit_number,
        "direction": orbit.direction,
        "starts_after_its_name_s": _late(orbit),
        "start": str(orbit.times[0].astype("datetime64[ms]")),
        "end": str(orbit.times[-1].astype("datetime64[ms]")),
        "rows": rows,
        "row_step_s": round(nominal_s, 3),
        "gaps": int(missing.sum()),
        "longest_gap_s": round(float(steps_s.max()), 3) if missing.any() else 0.0,
        "gaps_over_10_s": int((steps_s > MAX_GAP_S).sum()),
        "frequencies": columns,
        "frequency_range_hz": ends(orbit.frequency, 3),
        "latitude_range": ends(known, 3),
        "altitude_km": None if no_altitude else round(float(np.nanmean(orbit.altitude)), 1),
        "mode": _mode(survey, burst, rows),
        "survey_rows": survey,
        "burst_rows": burst,
        "component": component,
        "valid_share": round(float(np.isfinite(psd).mean()), 5),
        "log10_psd_percentiles_1_50_99": [round(float(v), 2) for v in percentiles],
    }


def _late(orbit: Orbit) -> float | None:
    """Return the seconds from the start that the name gives to the first row."""
    if orbit.key is None:
        return None
    late = (orbit.times[0] - np.datetime64(orbit.key.start)) / np.timedelta64(1, "s")
    return round(float(late), 3)


def _mode(survey: int, burst: int, rows: int) -> str:
    if survey + burst == 0:
        return "unknown"
    if burst == 0:
        return "survey"
    return "burst" if burst == rows else f"survey with {burst} burst rows"


def _outlines(
    orbit: Orbit, file: str, annotations: str | None
) -> tuple[list[NDArray[np.bool_]], str, str]:
    """Return masks of what is known of a half-orbit, the folder they are from ("" for none), and
    their name: ``truth`` or ``annotated``."""
    folder = known_folder(file, annotations, has_region_labels)
    if folder is None:
        return [], "", ""
    known = load_region_labels(folder)
    if orbit.key is None or orbit.key.stem not in known.images:
        if annotations is not None:
            raise InputError(f"{annotations}: does not label {Path(orbit.path).name}")
        return [], "", ""
    rows, columns = orbit.shape
    mask = is_drawn(known.images[orbit.key.stem].mask((columns, rows)))
    name = "truth" if known.source == SIMULATED else "annotated"
    return ([mask] if mask.any() else []), folder, name
