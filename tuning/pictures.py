"""Pictures of what a sweep summary."""

from __future__ import annotations

import math
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna.trial import TrialState

from odm.images.pictures.figure import new_figure, write_figure
from tuning.spaces import Choices
from tuning.study import curve_of
from tuning.summary import HINT, SweepSummary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CAPTIONS = {
    "history.png": "Every trial, and the best so far; beside it the first objective by epoch.",
    "importance.png": "How much each parameter decides whether a trial is among the best quarter "
    f"(PED-ANOVA); shares of 1. Of fewer than {HINT} trials it is a hint.",
    "parallel.png": "A line a trial through its values; the colour is the first objective, grey "
    "what was stopped early.",
    "seeds.png": "The best few trained again with other seeds: points are seeds, bars the "
    "standard deviation between them.",
    "pareto.png": "The first two objectives; the line joins the trials that no other one beats in "
    "all.",
}


def write_pictures(folder: Path, summary: SweepSummary) -> list[str]:
    """Write what there is to draw; the names of the files."""
    drawn = []
    draws = (_history, _importance, _parallel, _seeds, _pareto)
    for name, draw in zip(CAPTIONS, draws, strict=True):
        figure = draw(summary)
        if figure is not None:
            write_figure(folder / name, figure)
            drawn.append(name)
    return drawn


def _history(summary: SweepSummary) -> Any:
    curves = {trial.number: sorted(curve_of(trial).items()) for trial in summary.trials}
    learnt = {number: curve for number, curve in curves.items() if curve}
    figure = new_figure(9 if learnt else 5, 3.6)
    axes: Any = figure.subplots(1, 2 if learnt else 1, squeeze=False)[0]
    ended = {trial.number: trial.values[0] for trial in summary.best}
    axes[0].plot(list(ended), list(ended.values()), "o", ms=4, color="tab:blue", label="a trial")
    left = {number: curve[-1][1] for number, curve in learnt.items() if number not in ended}
    if left:
        axes[0].plot(list(left), list(left.values()), "x", ms=4, color="0.6", label="did not end")
    if ended:
        best = accumulate(
            (ended[n] for n in sorted(ended)), max if summary.first.maximised else min
        )
        steps: dict[str, Any] = {"where": "post", "color": "tab:orange", "label": "best so far"}
        axes[0].step(sorted(ended), list(best), **steps)
        axes[0].legend(fontsize=8)
    axes[0].set(xlabel="trial", ylabel=summary.first.name)
    for number, curve in learnt.items():
        epochs, values = zip(*curve, strict=True)
        ended_here = number in ended
        style: dict[str, Any] = {"color": "tab:blue" if ended_here else "0.6", "lw": 1}
        axes[1].plot(epochs, values, marker="." if ended_here else "x", ms=4, **style)
    if learnt:
        axes[1].set(xlabel="epoch (crosses: stopped or failed)", ylabel=summary.first.name)
    for plot in axes:
        plot.xaxis.get_major_locator().set_params(integer=True)
    _grid(*axes)
    return figure


def _importance(summary: SweepSummary) -> Any:
    if not summary.importance:
        return None
    figure = new_figure(5.5, 0.8 + 0.35 * len(summary.importance))
    axes = figure.subplots()
    names = list(summary.importance)[::-1]
    axes.barh(names, [summary.importance[name] for name in names], color="tab:blue")
    axes.set(xlabel=f"importance for {summary.first.name}", xlim=(0, 1))
    _grid(axes)
    return figure


def _parallel(summary: SweepSummary) -> Any:
    if len(summary.best) < 2:
        return None
    from matplotlib import colormaps

    names = list(summary.sweep.space.domains)
    figure = new_figure(1.6 + 1.4 * len(names), 4)
    axes = figure.subplots()
    values = [trial.values[0] for trial in summary.best]
    low, high = min(values), max(values)
    for trial in summary.trials:
        if trial.state == TrialState.PRUNED:
            heights = [_height(summary, name, trial.params[name]) for name in names]
            axes.plot(range(len(names)), heights, color="0.85", lw=0.8)
    for trial in reversed(summary.best):  # the best is drawn last, on top
        share = (trial.values[0] - low) / (high - low) if high > low else 0.5
        share = share if summary.first.maximised else 1 - share
        heights = [_height(summary, name, trial.params[name]) for name in names]
        axes.plot(range(len(names)), heights, color=colormaps["viridis_r"](0.05 + 0.9 * share))
    for place, name in enumerate(names):
        axes.axvline(place, color="0.8", lw=0.8, zorder=0)
        _ends(axes, summary, name, place)
    axes.set_xticks(range(len(names)), names, rotation=20, ha="right", fontsize=8)
    axes.set(yticks=[], ylim=(-0.1, 1.1))
    dark, bright = (high, low) if summary.first.maximised else (low, high)
    axes.set_title(f"{summary.first.name}: dark {dark:.3g}, bright {bright:.3g}", fontsize=9)
    return figure


def _height(summary: SweepSummary, name: str, value: Any) -> float:
    """SweepPlacement a value lies on its axis, 0 to 1."""
    domain = summary.sweep.space.domains[name]
    if isinstance(domain, Choices):
        return domain.choices.index(value) / max(1, len(domain.choices) - 1)
    low, high = domain.low, domain.high
    if high == low:
        return 0.5
    if domain.log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _ends(axes: Axes, summary: SweepSummary, name: str, place: int) -> None:
    domain = summary.sweep.space.domains[name]
    if isinstance(domain, Choices):
        marks = {_height(summary, name, choice): str(choice) for choice in domain.choices}
    else:
        marks = {0.0: f"{domain.low:g}", 1.0: f"{domain.high:g}"}
    for height, text in marks.items():
        axes.annotate(text, (place, height), fontsize=7, xytext=(3, 2), textcoords="offset points")


def _seeds(summary: SweepSummary) -> Any:
    if not summary.repeated:
        return None
    figure = new_figure(5, 3.4)
    axes = figure.subplots()
    for place, trial in enumerate(summary.repeated):
        axes.plot([place] * len(trial.values), trial.values, "o", ms=4, color="tab:blue")
        spread = 0.0 if math.isnan(trial.spread) else trial.spread
        axes.errorbar(
            place + 0.12, trial.mean, spread, fmt="s", ms=4, color="tab:orange", capsize=3
        )
    axes.set_xticks(
        range(len(summary.repeated)), [f"trial {trial.number}" for trial in summary.repeated]
    )
    axes.set(ylabel=summary.first.name, xlim=(-0.5, len(summary.repeated) - 0.5))
    _grid(axes)
    return figure


def _pareto(summary: SweepSummary) -> Any:
    if len(summary.objectives) < 2 or not summary.best:
        return None
    figure = new_figure(5.5, 4)
    axes = figure.subplots()
    first, second = summary.objectives[:2]
    points = {trial.number: (trial.values[1], trial.values[0]) for trial in summary.best}
    axes.plot(*zip(*points.values(), strict=True), "o", ms=4, color="0.6")
    front = sorted(points[number] for number in summary.front)
    axes.plot(*zip(*front, strict=True), "o-", ms=5, color="tab:orange")
    for number in summary.front:
        axes.annotate(str(number), points[number], fontsize=7, xytext=(4, 3),
                      textcoords="offset points")  # fmt: skip
    axes.set(xlabel=f"{second.name}", ylabel=first.name)
    _grid(axes)
    return figure


def _grid(*axes: Axes) -> None:
    for plot in axes:
        plot.grid(alpha=0.3)
