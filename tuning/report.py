"""`odm tune report`: a sweep as a table, pictures, the best settings as YAML, and one page."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
import math
from collections.abc import Sequence
from dataclasses import asdict
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
        folder: folder of the sweep.
        out: folder of the report; its own folder ``report`` if None.

    Returns:
        What was found, and the files.

    Raises:
        InputError: there is no sweep.
        TuningError: no trial has come to its end.
    """
    summary = read_sweep(folder)
    if not summary.best:
        raise TuningError(f"{folder.path}: no trial has come to its end yet")
    place = make_folder(out or folder.path / "report")
    write_bytes(place / BEST, best_yaml(folder, summary).encode())
    write_bytes(place / TABLE, _csv(summary.rows()).encode())
    write_bytes(place / SUMMARY, (json.dumps(plain_summary(summary), indent=1) + "\n").encode())
    pictures = write_pictures(place, summary)
    write_bytes(place / PAGE, _page(folder, summary, place, pictures).encode())
    return summary, [place / name for name in (BEST, TABLE, SUMMARY, *pictures, PAGE)]


def best_settings(summary: SweepSummary, epochs: int | None = None) -> TrainingSettings:
    """The settings of the best trial.

    Args:
        summary: the sweep.
        epochs: epochs of a longer training; None for as long as the trial.

    Raises:
        InputError: they cannot be with so many epochs.
    """
    from odm.core.settings import changed

    settings = settings_of(summary.sweep.task, summary.sweep.settings, summary.best[0].params)
    return settings if epochs is None else changed(settings, {"schedule.epochs": epochs})


def best_yaml(folder: SweepFolder, summary: SweepSummary) -> str:
    """The best trial's settings, as ``odm train --config`` reads them, or its thresholds."""
    import yaml

    best = summary.best[0]
    values = ", ".join(
        f"{objective.name} {value:.4g}"
        for objective, value in zip(summary.objectives, best.values, strict=True)
    )
    head = f"# Trial {best.number} of sweep {folder.name}: {values}.\n"
    if summary.sweep.task == "thresholds":
        content = dict(best.user_attrs["thresholds"])
    else:
        data = data_of(folder, summary.sweep, best.params)
        head += f"# odm train {summary.sweep.task} --config {BEST} --data {quote(str(data))}\n"
        if best.params.get(IMAGE_SIZE) is not None:
            head += "# (images of that size were part of the search)\n"
        content = best_settings(summary).model_dump(mode="json")
    return head + yaml.safe_dump(content, sort_keys=False)


def plain_summary(summary: SweepSummary) -> dict[str, Any]:
    """The sweep as plain values, for JSON."""
    best = summary.best[0] if summary.best else None
    names = [objective.name for objective in summary.objectives]
    return {
        "name": summary.name,
        "task": summary.sweep.task,
        "objectives": names,
        "data": summary.sweep.data,
        **asdict(summary.counts),
        "best": best
        and {
            "trial": best.number,
            "values": dict(zip(names, best.values, strict=True)),
            "parameters": best.params,
        },
        "importance": summary.importance,
        "noise_between_seeds": None if math.isnan(summary.noise) else summary.noise,
        "seeds": {str(trial.number): list(trial.values) for trial in summary.repeated},
        "front": summary.front,
    }


def text(summary: SweepSummary, shown: int = SHOWN) -> str:
    """The best trials as a table, and what matters, in lines."""
    counts = summary.counts
    lines = [
        f"{summary.name}: {counts.done} trials done, {counts.stopped} stopped early, "
        f"{counts.failed} failed, {counts.running} running; {summary.first.what}",
        _table([row for row in summary.rows() if row["state"] == "done"][:shown]),
    ]
    if summary.importance:
        parts = ", ".join(f"{name} {share:.2f}" for name, share in summary.importance.items())
        hint = f" (of {len(summary.best)} trials: a hint)" if len(summary.best) < HINT else ""
        lines.append(f"importance: {parts}{hint}")
    lines += filter(None, [noise_sentence(summary)])
    if len(summary.objectives) > 1:
        lines.append(f"no other trial beats in all: {', '.join(map(str, summary.front))}")
    reasons = [(trial.number, trial.user_attrs.get("reason")) for trial in summary.trials]
    lines += [f"trial {number} failed: {reason}" for number, reason in reasons if reason]
    return "\n".join(lines)


def noise_sentence(summary: SweepSummary) -> str:
    """The differences between the best few beside the noise between seeds; empty where nothing is
    drawn at random."""
    if summary.sweep.task == "thresholds":
        return ""
    name = summary.first.name
    if math.isnan(summary.noise):
        return f"noise between seeds of {name}: unknown, no trial was repeated with another seed"
    means = [trial.mean for trial in summary.repeated]
    shown = ", ".join(f"trial {trial.number} {trial.mean:.4g}" for trial in summary.repeated)
    spread = max(means) - min(means)
    seeds = min(len(trial.values) for trial in summary.repeated)
    error = summary.noise * math.sqrt(2 / seeds)
    verdict = "more than" if spread > 2 * error else "no more than"
    return (
        f"noise between seeds of {name}: {summary.noise:.4g} (standard deviation); means over "
        f"seeds: {shown}; they differ by {spread:.4g}, {verdict} twice the error of a difference "
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


def _page(folder: SweepFolder, summary: SweepSummary, place: Path, pictures: Sequence[str]) -> str:
    """One page that needs no other file and no network."""
    figures = []
    for name in pictures:
        data = base64.b64encode((place / name).read_bytes()).decode()
        figures.append(
            f'<figure><img alt="{name}" src="data:image/png;base64,{data}">'
            f"<figcaption>{html.escape(CAPTIONS[name])}</figcaption></figure>"
        )
    rows = summary.rows()
    head = "".join(f"<th>{html.escape(name)}</th>" for name in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_cell(cell))}</td>" for cell in row.values()) + "</tr>"
        for row in rows
    )
    counts = summary.counts
    noise = noise_sentence(summary)
    caveat = CAVEAT
    if summary.sweep.annotations_from == SIMULATED:
        caveat += SIMULATED_DATA[:1].upper() + SIMULATED_DATA[1:] + "."
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>{html.escape(summary.name)}</title><style>{_STYLE}</style></head><body>
<h1>{html.escape(summary.name)}</h1>
<p>{counts.done} trials done, {counts.stopped} stopped early, {counts.failed} failed. Looked for:
{html.escape("; ".join(f"{goal.name} ({goal.what})" for goal in summary.objectives))}.</p>
{f"<p>{html.escape(noise)}.</p>" if noise else ""}<p>{html.escape(caveat)}</p>
<h2>The best</h2><pre>{html.escape(best_yaml(folder, summary))}</pre>
{"".join(figures)}<h2>All trials</h2>
<div class="box"><table><tr>{head}</tr>{body}</table></div></body></html>
"""
