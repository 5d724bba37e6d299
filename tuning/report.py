"""`odm tune report`: a sweep as a table, pictures, the best settings as YAML, and one page."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from odm.core.files import make_folder, write_bytes
from odm.core.statement import SIMULATED_DATA
from odm.core.text import table
from odm.datasets.labels.regions import SIMULATED
from odm.training.settings import TrainingSettings
from tuning.folder import SweepFolder
from tuning.pictures import CAPTIONS, write_pictures
from tuning.spaces import IMAGE_SIZE, settings_of
from tuning.study import TuningError
from tuning.summary import HINT, SweepSummary, read_sweep
from tuning.sweep import data_of

BEST, TABLE, PAGE, SUMMARY = "best.yaml", "trials.csv", "report.html", "summary.json"
SHOWN = 10
"""Trials in the table on the terminal."""
CAVEAT = (
    "The best of many trials looks better than it is: it was chosen on the very data that it is "
    "scored on here. Score it on others before it is believed. "
)


def write_report(folder: SweepFolder, out: Path | None = None) -> tuple[SweepSummary, list[Path]]:
    """Write everything about a sweep, which may still be running.

    Args:
        folder: of the sweep.
        out: folder of the report; its own folder ``report`` if None.

    Returns:
        What was found, and the files.

    Raises:
        InputError: there is no sweep.
        TuningError: no trial has come to its end.
    """
    found = read_sweep(folder)
    if not found.best:
        raise TuningError(f"{folder.path}: no trial has come to its end yet")
    place = make_folder(out or folder.path / "report")
    write_bytes(place / BEST, best_yaml(folder, found).encode())
    write_bytes(place / TABLE, _csv(found.rows()).encode())
    write_bytes(place / SUMMARY, (json.dumps(summary(found), indent=1) + "\n").encode())
    pictures = write_pictures(place, found)
    write_bytes(place / PAGE, _page(folder, found, place, pictures).encode())
    return found, [place / name for name in (BEST, TABLE, SUMMARY, *pictures, PAGE)]


def best_settings(found: SweepSummary, epochs: int | None = None) -> TrainingSettings:
    """The settings of the best trial.

    Args:
        found: the sweep.
        epochs: of a longer training; None for as long as the trial.

    Raises:
        InputError: they cannot be with so many epochs.
    """
    from odm.core.settings import changed

    settings = settings_of(found.sweep.task, found.sweep.settings, found.best[0].params)
    return settings if epochs is None else changed(settings, {"schedule.epochs": epochs})


def best_yaml(folder: SweepFolder, found: SweepSummary) -> str:
    """The best trial's settings, as ``odm train --config`` reads them; of thresholds, those."""
    import yaml

    best = found.best[0]
    values = ", ".join(
        f"{one.name} {value:.4g}" for one, value in zip(found.objectives, best.values, strict=True)
    )
    head = f"# Trial {best.number} of sweep {folder.name}: {values}.\n"
    if found.sweep.task == "thresholds":
        content = dict(best.user_attrs["thresholds"])
    else:
        data = data_of(folder, found.sweep, best.params)
        head += f"# odm train {found.sweep.task} --config {BEST} --data {quote(str(data))}\n"
        if best.params.get(IMAGE_SIZE) is not None:
            head += "# (images of that size were part of the search)\n"
        content = best_settings(found).model_dump(mode="json")
    return head + yaml.safe_dump(content, sort_keys=False)


def summary(found: SweepSummary) -> dict[str, Any]:
    """The sweep as plain values, for JSON."""
    counts = found.counts
    best = found.best[0] if found.best else None
    return {
        "name": found.name,
        "task": found.sweep.task,
        "objectives": [one.name for one in found.objectives],
        "data": found.sweep.data,
        "done": counts.done,
        "stopped": counts.stopped,
        "failed": counts.failed,
        "running": counts.running,
        "best": best
        and {
            "trial": best.number,
            "values": dict(zip([o.name for o in found.objectives], best.values, strict=True)),
            "parameters": best.params,
        },
        "importance": found.importance,
        "noise_between_seeds": None if math.isnan(found.noise) else found.noise,
        "seeds": {str(one.number): list(one.values) for one in found.repeated},
        "front": found.front,
    }


def text(found: SweepSummary, shown: int = SHOWN) -> str:
    """The best trials as a table, and what matters, in lines."""
    counts = found.counts
    lines = [
        f"{found.name}: {counts.done} trials done, {counts.stopped} stopped early, "
        f"{counts.failed} failed, {counts.running} running; {found.first.what}",
        _table([row for row in found.rows() if row["state"] == "done"][:shown]),
    ]
    if found.importance:
        parts = ", ".join(f"{name} {share:.2f}" for name, share in found.importance.items())
        hint = f" (of {len(found.best)} trials: a hint)" if len(found.best) < HINT else ""
        lines.append(f"importance: {parts}{hint}")
    lines += filter(None, [noise_sentence(found)])
    if len(found.objectives) > 1:
        lines.append(f"no other trial beats in all: {', '.join(map(str, found.front))}")
    reasons = [(one.number, one.user_attrs.get("reason")) for one in found.trials]
    lines += [f"trial {number} failed: {reason}" for number, reason in reasons if reason]
    return "\n".join(lines)


def noise_sentence(found: SweepSummary) -> str:
    """The differences between the best few beside the noise between seeds; empty where nothing is
    drawn at random."""
    if found.sweep.task == "thresholds":
        return ""
    name = found.first.name
    if math.isnan(found.noise):
        return f"noise between seeds of {name}: unknown, no trial was repeated with another seed"
    means = ", ".join(f"trial {one.number} {one.mean:.4g}" for one in found.repeated)
    spread = max(one.mean for one in found.repeated) - min(one.mean for one in found.repeated)
    seeds = min(len(one.values) for one in found.repeated)
    error = found.noise * math.sqrt(2 / seeds)
    verdict = "more than" if spread > 2 * error else "no more than"
    return (
        f"noise between seeds of {name}: {found.noise:.4g} (standard deviation); means over seeds: "
        f"{means}; they differ by {spread:.4g}, {verdict} twice the error of a difference "
        f"({error:.4g})"
    )


def _table(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return "(no trial has come to its end)"
    names = [name for name in rows[0] if name not in ("state", "reason")]
    return table(names, [[_cell(row[name]) for name in names] for row in rows])


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


_STYLE = """body{font:15px/1.5 sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;font-size:13px}td,th{padding:.2em .6em;border-bottom:1px solid #ddd;
text-align:right}th{text-align:left}img{max-width:100%}pre{background:#f4f4f4;padding:1em;
overflow:auto}.box{overflow:auto}figcaption{color:#555;font-size:13px}figure{margin:1.5em 0}"""


def _page(folder: SweepFolder, found: SweepSummary, place: Path, pictures: Sequence[str]) -> str:
    """One page that needs no other file and no network."""
    figures = []
    for name in pictures:
        data = base64.b64encode((place / name).read_bytes()).decode()
        figures.append(
            f'<figure><img alt="{name}" src="data:image/png;base64,{data}">'
            f"<figcaption>{html.escape(CAPTIONS[name])}</figcaption></figure>"
        )
    rows = found.rows()
    head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_cell(cell))}</td>" for cell in row.values()) + "</tr>"
        for row in rows
    )
    counts = found.counts
    noise = noise_sentence(found)
    caveat = CAVEAT
    if found.sweep.annotations_from == SIMULATED:
        caveat += SIMULATED_DATA[:1].upper() + SIMULATED_DATA[1:] + "."
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>{html.escape(found.name)}</title><style>{_STYLE}</style></head><body>
<h1>{html.escape(found.name)}</h1>
<p>{counts.done} trials done, {counts.stopped} stopped early, {counts.failed} failed. Looked for:
{html.escape("; ".join(f"{one.name} ({one.what})" for one in found.objectives))}.</p>
{f"<p>{html.escape(noise)}.</p>" if noise else ""}<p>{html.escape(caveat)}</p>
<h2>The best</h2><pre>{html.escape(best_yaml(folder, found))}</pre>
{"".join(figures)}<h2>All trials</h2>
<div class="box"><table><tr>{head}</tr>{body}</table></div></body></html>
"""
