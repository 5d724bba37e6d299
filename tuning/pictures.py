"""Pictures of what a sweep found."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

from odm.images.pictures.figure import new_figure, write_figure
from tuning.spaces import Choices
from tuning.summary import HINT, SweepSummary, best_so_far, curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HISTORY, PARALLEL, IMPORTANCE, SEEDS, PARETO = (
    "history.png",
    "parallel.png",
    "importance.png",
    "seeds.png",
    "pareto.png",
)
CAPTIONS = {
    HISTORY: "Every trial, and the best so far; beside it the first objective by epoch.",
    IMPORTANCE: "How much each parameter decides whether a trial is among the best quarter "
    f"(PED-ANOVA); shares of 1. Of fewer than {HINT} trials it is a hint.",
    PARALLEL: "A line a trial through its values; the colour is the first objective, grey what was "
    "stopped early.",
    SEEDS: "The best few trained again with other seeds: points are seeds, bars the standard "
    "deviation between them.",
    PARETO: "The first two objectives; the line joins the trials that no other one beats in all.",
}


def write_pictures(folder: Path, found: SweepSummary) -> list[str]:
    """Write what there is to draw; the names of the files."""
    drawn = []
    for name, draw in (
        (HISTORY, _history),
        (IMPORTANCE, _importance),
        (PARALLEL, _parallel),
        (SEEDS, _seeds),
        (PARETO, _pareto),
    ):
        figure = draw(found)
        if figure is not None:
            write_figure(folder / name, figure)
            drawn.append(name)
    return drawn


def _history(found: SweepSummary) -> Any:
    learnt = curves(found)
    figure = new_figure(9 if learnt else 5, 3.6)
    axes: Any = figure.subplots(1, 2 if learnt else 1, squeeze=False)[0]
    ended = {one.number: one.values[0] for one in found.best}
    axes[0].plot(list(ended), list(ended.values()), "o", ms=4, color="tab:blue", label="a trial")
    left = {number: curve[-1][1] for number, curve in learnt.items() if number not in ended}
    if left:
        axes[0].plot(list(left), list(left.values()), "x", ms=4, color="0.6", label="did not end")
    steps = best_so_far(found)
    if steps:
        numbers, best = zip(*steps, strict=True)
        axes[0].step(numbers, best, where="post", color="tab:orange", label="best so far")
        axes[0].legend(fontsize=8)
    axes[0].set(xlabel="trial", ylabel=found.first.name)
    for number, curve in learnt.items():
        epochs, values = zip(*curve, strict=True)
        ended_here = number in ended
        style: dict[str, Any] = {"color": "tab:blue" if ended_here else "0.6", "lw": 1}
        axes[1].plot(epochs, values, marker="." if ended_here else "x", ms=4, **style)
    if learnt:
        axes[1].set(xlabel="epoch (crosses: stopped or failed)", ylabel=found.first.name)
    for one in axes:
        one.xaxis.get_major_locator().set_params(integer=True)
    _grid(*axes)
    return figure


def _importance(found: SweepSummary) -> Any:
    if not found.importance:
        return None
    figure = new_figure(5.5, 0.8 + 0.35 * len(found.importance))
    axes = figure.subplots()
    names = list(found.importance)[::-1]
    axes.barh(names, [found.importance[name] for name in names], color="tab:blue")
    axes.set(xlabel=f"importance for {found.first.name}", xlim=(0, 1))
    _grid(axes)
    return figure


def _parallel(found: SweepSummary) -> Any:
    if len(found.best) < 2:
        return None
    from matplotlib import colormaps

    names = list(found.sweep.space.domains)
    figure = new_figure(1.6 + 1.4 * len(names), 4)
    axes = figure.subplots()
    values = [one.values[0] for one in found.best]
    low, high = min(values), max(values)
    for one in found.trials:
        if one.state == TrialState.PRUNED:
            heights = [_height(found, name, one.params[name]) for name in names]
            axes.plot(range(len(names)), heights, color="0.85", lw=0.8)
    for one in reversed(found.best):  # the best is drawn last, on top
        share = (one.values[0] - low) / (high - low) if high > low else 0.5
        share = share if found.first.maximised else 1 - share
        heights = [_height(found, name, one.params[name]) for name in names]
        axes.plot(range(len(names)), heights, color=colormaps["viridis_r"](0.05 + 0.9 * share))
    for place, name in enumerate(names):
        axes.axvline(place, color="0.8", lw=0.8, zorder=0)
        _ends(axes, found, name, place)
    axes.set_xticks(range(len(names)), names, rotation=20, ha="right", fontsize=8)
    axes.set(yticks=[], ylim=(-0.1, 1.1))
    dark, bright = (high, low) if found.first.maximised else (low, high)
    axes.set_title(f"{found.first.name}: dark {dark:.3g}, bright {bright:.3g}", fontsize=9)
    return figure


def _height(found: SweepSummary, name: str, value: Any) -> float:
    """SweepPlacement a value lies on its axis, 0 to 1."""
    domain = found.sweep.space.domains[name]
    if isinstance(domain, Choices):
        return domain.choices.index(value) / max(1, len(domain.choices) - 1)
    low, high = domain.low, domain.high
    if high == low:
        return 0.5
    if domain.log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _ends(axes: Axes, found: SweepSummary, name: str, place: int) -> None:
    domain = found.sweep.space.domains[name]
    if isinstance(domain, Choices):
        marks = {_height(found, name, choice): str(choice) for choice in domain.choices}
    else:
        marks = {0.0: f"{domain.low:g}", 1.0: f"{domain.high:g}"}
    for height, text in marks.items():
        axes.annotate(text, (place, height), fontsize=7, xytext=(3, 2), textcoords="offset points")


def _seeds(found: SweepSummary) -> Any:
    if not found.repeated:
        return None
    figure = new_figure(5, 3.4)
    axes = figure.subplots()
    for place, one in enumerate(found.repeated):
        axes.plot([place] * len(one.values), one.values, "o", ms=4, color="tab:blue")
        spread = 0.0 if math.isnan(one.spread) else one.spread
        axes.errorbar(place + 0.12, one.mean, spread, fmt="s", ms=4, color="tab:orange", capsize=3)
    axes.set_xticks(range(len(found.repeated)), [f"trial {one.number}" for one in found.repeated])
    axes.set(ylabel=found.first.name, xlim=(-0.5, len(found.repeated) - 0.5))
    _grid(axes)
    return figure


def _pareto(found: SweepSummary) -> Any:
    if len(found.objectives) < 2 or not found.best:
        return None
    figure = new_figure(5.5, 4)
    axes = figure.subplots()
    first, second = found.objectives[:2]
    points = {one.number: (one.values[1], one.values[0]) for one in found.best}
    axes.plot(*zip(*points.values(), strict=True), "o", ms=4, color="0.6")
    front = sorted(points[number] for number in found.front)
    axes.plot(*zip(*front, strict=True), "o-", ms=5, color="tab:orange")
    for number in found.front:
        axes.annotate(str(number), points[number], fontsize=7, xytext=(4, 3),
                      textcoords="offset points")  # fmt: skip
    axes.set(xlabel=f"{second.name}", ylabel=first.name)
    _grid(axes)
    return figure


def _grid(*axes: Axes) -> None:
    for one in axes:
        one.grid(alpha=0.3)
