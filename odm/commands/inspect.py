"""`odm inspect`: what one file is, in words and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from odm.commands.options import AsJson
from odm.core.text import table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from odm.archive.orbit.reader import Orbit


def inspect(
    file: Annotated[
        str, typer.Argument(help="A half-orbit or an ionogram: a local path or a URI.")
    ],
    picture: Annotated[
        str | None,
        typer.Option(help="Where it goes [default: <name>-inspected.png here]."),
    ] = None,
    no_picture: Annotated[bool, typer.Option("--no-picture", help="Words only.")] = False,
    component: Annotated[str, typer.Option(help="x, y or z.")] = "z",
    annotations: Annotated[
        str | None,
        typer.Option(
            help="Folder of annotations or of a simulated archive: its regions or layers are shown "
            "[default: the file's own folder, where it is a simulated archive]."
        ),
    ] = None,
    edge: Annotated[
        str | None,
        typer.Option(help="path or feng: find an ionogram's layers and their leading edges."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="For --edge: a detector or a pipeline [default: the package's]."),
    ] = None,
    json_: AsJson = False,
) -> None:
    """Print what a file is and draw it; for a bad file, print the reason and exit with 1.

    Example: odm inspect archive/CSES_01_EFD_3_L02_A1_175381_20210401_012158_20210401_015642_000.h5
    """
    from odm.archive.ionogram.reader import is_ionogram
    from odm.archive.orbit.reader import check_component, read_orbit
    from odm.core.errors import InputError
    from odm.core.files import without_options

    component = check_component(component)
    if picture is not None and (no_picture or not picture.endswith(".png")):
        raise InputError(f"--picture {picture}: give a name that ends in .png, or --no-picture")
    if is_ionogram(file):
        from odm.commands.inspect_ionogram import inspect_ionogram

        if edge not in (None, "path", "feng"):
            raise InputError(f"--edge {edge}: give path or feng")
        if model is not None and edge is None:
            raise InputError(f"--model {model}: finds layers for --edge; give that too")
        where = "" if no_picture else picture
        facts, target = inspect_ionogram(file, where, annotations, edge, model)
        _show(facts | ({"picture": target} if target else {}), json_)
        return
    if edge is not None or model is not None:
        raise InputError(f"{file} is a half-orbit: --edge and --model are for ionograms")
    orbit = read_orbit(file, component)
    facts = describe(orbit, component)
    masks, source, name = _outlines(orbit, file, annotations)
    if source:
        facts[f"{name}_pixels"] = sum(int(mask.sum()) for mask in masks)
        facts[f"{name}_from"] = source
    if not no_picture:
        from odm.commands.inspect_ionogram import inspected
        from odm.images.pictures.orbit import draw_orbit

        stem = orbit.key.stem if orbit.key else Path(without_options(file)).stem
        target = picture or inspected(stem)
        draw_orbit(target, orbit, component=component, outlines=masks, outline_name=name)
        facts["picture"] = target
    _show(facts, json_)


def _show(facts: dict[str, Any], json_: bool) -> None:
    import json

    if json_:
        print(json.dumps(facts, indent=2))
        return
    print(table([], ((name.replace("_", " "), _plain(value)) for name, value in facts.items())))


def describe(orbit: Orbit, component: str) -> dict[str, Any]:
    """The facts of a half-orbit that a person asks for first, as plain values."""
    import numpy as np

    from odm.findings.measure import MAX_GAP_S

    psd = orbit.psd(component)
    steps_s = np.diff(orbit.times) / np.timedelta64(1, "s")
    nominal_s = float(np.median(steps_s))
    missing = steps_s > 1.5 * nominal_s
    lower, median, upper = np.log10(np.nanpercentile(psd, (1, 50, 99)))
    burst = int((orbit.work_mode == 2).sum())
    survey = int((orbit.work_mode == 1).sum())
    rows, columns = orbit.shape
    known = orbit.latitude[np.isfinite(orbit.latitude)]
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
        "frequency_range_hz": [round(float(orbit.frequency[i]), 3) for i in (0, -1)],
        "latitude_range": [round(float(known[i]), 3) for i in (0, -1)],
        "altitude_km": _mean(orbit.altitude),
        "mode": _mode(survey, burst, rows),
        "survey_rows": survey,
        "burst_rows": burst,
        "component": component,
        "valid_share": round(float(np.isfinite(psd).mean()), 5),
        "log10_psd_percentiles_1_50_99": [round(float(v), 2) for v in (lower, median, upper)],
    }


def _late(orbit: Orbit) -> float | None:
    """Seconds from the start that the name gives to the first row; large for a wrong clock."""
    import numpy as np

    if orbit.key is None:
        return None
    late = (orbit.times[0] - np.datetime64(orbit.key.start)) / np.timedelta64(1, "s")
    return round(float(late), 3)


def _mean(values: NDArray[np.float64]) -> float | None:
    import numpy as np

    return None if np.isnan(values).all() else round(float(np.nanmean(values)), 1)


def _mode(survey: int, burst: int, rows: int) -> str:
    if survey + burst == 0:
        return "unknown"
    if burst == 0:
        return "survey"
    return "burst" if burst == rows else f"survey with {burst} burst rows"


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name.replace('_', ' ')} {_plain(item)}" for name, item in value.items())
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "".join(f"\n  {_plain(item)}" for item in value)
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return "unknown" if value is None else str(value)


def _outlines(
    orbit: Orbit, file: str, annotations: str | None
) -> tuple[list[NDArray[np.bool_]], str, str]:
    """Masks of what is known of this file, the folder they are from ("" for none), and their name:
    the truth of a simulated archive, or annotated."""
    from odm.core.errors import InputError
    from odm.core.files import local_path
    from odm.datasets.labels.regions import SIMULATED, has_region_labels, load_region_labels

    folder = annotations
    if folder is None:
        local = local_path(file)
        if local is None or not has_region_labels(local.parent):
            return [], "", ""
        folder = str(local.parent)
    known = load_region_labels(folder)
    if orbit.key is None or orbit.key.stem not in known.images:
        if annotations is not None:
            raise InputError(f"{annotations}: does not label {Path(orbit.path).name}")
        return [], "", ""
    rows, columns = orbit.shape
    mask = known.images[orbit.key.stem].mask((columns, rows)) > 0
    name = "truth" if known.source == SIMULATED else "annotated"
    return ([mask] if mask.any() else []), folder, name
