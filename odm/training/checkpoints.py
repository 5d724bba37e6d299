"""Checkpoints: one safetensors file each, which appears whole or not at all.

    last.safetensors   everything that going on needs
    best.safetensors   the weights that validated best, and their metrics

Tensors are named ``model/…``, ``average/…`` and ``optimiser/<parameter>/<quantity>``; the rest is
JSON in the header of the same file, so that one rename (or one PUT to an object store) commits all
of it. Nothing is pickled: a checkpoint may come from anywhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from odm.core.files import exists, join, read_bytes, write_bytes
from odm.models import weights
from odm.models.weights import WeightsError
from odm.training.errors import TrainingError

FORMAT = 1
LAST = "last.safetensors"
BEST = "best.safetensors"


@dataclass
class Position:
    """How far a training has come.

    Attributes:
        step: optimiser steps done.
        epoch: epochs done.
        done: steps done in the epoch after them.
        best_epoch: epoch, from 1, with the best validation score; 0 while there is none.
        best: its metrics.
        totals: sums of what the steps of this epoch gave, for the means of the epoch.
    """

    step: int = 0
    epoch: int = 0
    done: int = 0
    best_epoch: int = 0
    best: dict[str, float] = field(default_factory=dict)
    totals: dict[str, float] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: local path or URI.
        facts: what a checkpoint has to agree with to be gone on from: plain values, such as the
            digest of the run.
    """

    def __init__(self, folder: object, facts: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.facts = dict(facts or {})
        self.last = join(folder, LAST)
        self.best = join(folder, BEST)

    def save_last(self, position: Position, tensors: Mapping[str, Tensor]) -> None:
        """Write what going on needs."""
        self._save(self.last, position, tensors)

    def save_best(self, position: Position, tensors: Mapping[str, Tensor]) -> None:
        """Write the weights that validated best."""
        self._save(self.best, position, tensors)

    def _save(self, path: str, position: Position, tensors: Mapping[str, Tensor]) -> None:
        head = {"format": FORMAT, "facts": self.facts, "position": asdict(position)}
        write_bytes(path, encode(tensors, head))

    def load_last(self) -> tuple[Position, dict[str, Tensor]] | None:
        """The last checkpoint; None where there is none.

        Raises:
            TrainingError: it is damaged, of another run, or of a newer version.
        """
        return self._load(self.last) if exists(self.last) else None

    def load_best(self) -> tuple[Position, dict[str, Tensor]]:
        """The best checkpoint.

        Raises:
            TrainingError: as `load_last`, or there is none.
        """
        if not exists(self.best):
            raise TrainingError(f"{self.best}: there is no such checkpoint")
        return self._load(self.best)

    def _load(self, path: str) -> tuple[Position, dict[str, Tensor]]:
        tensors, head = decode(read_bytes(path), path)
        if head.get("format") != FORMAT:
            raise TrainingError(
                f"{path}: is a checkpoint of format {head.get('format')}, not {FORMAT}"
            )
        for name, value in self.facts.items():
            theirs = head.get("facts", {}).get(name)
            if theirs != value:
                raise TrainingError(
                    f"{path}: is a checkpoint of another {name} ({theirs}, not {value})"
                )
        try:
            position = Position(**head["position"])
        except (KeyError, TypeError):
            raise TrainingError(f"{path}: is no checkpoint of a training") from None
        return position, tensors


def encode(tensors: Mapping[str, Tensor], head: Mapping[str, Any]) -> bytes:
    """A safetensors file with ``head`` as JSON in it."""
    return weights.encode(tensors, {"odm": json.dumps(head, sort_keys=True)})


def decode(data: bytes, path: object) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Inverse of `encode`.

    Raises:
        TrainingError: the file is cut short, or is something else.
    """
    try:
        tensors, metadata = weights.decode(data)
        return tensors, json.loads(metadata["odm"])
    except (WeightsError, ValueError, KeyError, TypeError):
        raise TrainingError(
            f"{path}: is damaged or no checkpoint of a training; remove it to begin again"
        ) from None


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with ``prefix/`` before their names."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Inverse of `prefixed`: those with ``prefix/`` before their names, without it."""
    start = f"{prefix}/"
    return {
        name.removeprefix(start): tensor
        for name, tensor in tensors.items()
        if name.startswith(start)
    }


def optimiser_tensors(optimiser: Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """The state of an optimiser, by parameter name: not by its number, which phases may change."""
    out = {}
    for name, parameter in model.named_parameters():
        for quantity, value in optimiser.state.get(parameter, {}).items():
            if isinstance(value, Tensor):
                out[f"{name}/{quantity}"] = value
    return out


def load_optimiser(optimiser: Optimizer, model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Go on from `optimiser_tensors`; the rates are set by the schedule at every step."""
    names = {parameter: name for name, parameter in model.named_parameters()}
    content = optimiser.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for group, saved in zip(optimiser.param_groups, content["param_groups"], strict=True):
        for parameter, number in zip(group["params"], saved["params"], strict=True):
            quantities = below(names[parameter], tensors)
            if quantities:
                state[number] = quantities
    optimiser.load_state_dict({"state": state, "param_groups": content["param_groups"]})


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], path: object) -> None:
    """Put the weights of a checkpoint into a model.

    Raises:
        TrainingError: they are of another architecture.
    """
    try:
        weights.put_weights(model, tensors)
    except WeightsError as error:
        raise TrainingError(f"{path}: {error}") from None
