"""What learns and what rests in a phase, and the optimiser that serves all phases."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.optim import SGD, Adam, AdamW, Optimizer

from odm.core.errors import InputError
from odm.core.text import nearest, unknown_name
from odm.training.settings import OptimiserSettings


def resting_modules(
    model: nn.Module, freeze: Sequence[str], freeze_norm: bool = False
) -> list[nn.Module]:
    """The modules that do not learn.

    Args:
        model: the model.
        freeze: names of modules, such as ``encoder`` or ``encoder.model.blocks``.
        freeze_norm: normalisation with running statistics rests everywhere.

    Raises:
        InputError: no such module; the sentence names the nearest.
    """
    modules = dict(model.named_modules())
    modules.pop("")
    resting = []
    for name in freeze:
        if name not in modules:
            parts = [child for child, _ in model.named_children()]
            sentence = unknown_name("module", name, parts, "the model", nearest(name, modules))
            raise InputError(f"freeze: {sentence}")
        resting.append(modules[name])
    if freeze_norm:
        resting += [module for module in modules.values() if isinstance(module, _NormBase)]
    return resting


def set_learning(model: nn.Module, resting: Sequence[nn.Module]) -> None:
    """Let every parameter learn but those of resting modules.

    Raises:
        InputError: nothing is left that learns.
    """
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    for module in resting:
        for parameter in module.parameters():
            parameter.requires_grad_(False)
            # Left from an earlier phase it would be applied again at every step.
            parameter.grad = None
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InputError("freeze: nothing is left that learns")


def set_training(model: nn.Module, resting: Sequence[nn.Module]) -> None:
    """Training mode, but evaluation mode for resting modules: their statistics rest too."""
    model.train()
    for module in resting:
        module.eval()


def make_optimiser(model: nn.Module, settings: OptimiserSettings) -> Optimizer:
    """The optimiser of all parameters, resting ones included: without a gradient they stay.

    Weight decay is for kernels and matrices: pulling biases and scales to zero helps nothing.
    """
    kernels = [parameter for parameter in model.parameters() if parameter.ndim >= 2]
    others = [parameter for parameter in model.parameters() if parameter.ndim < 2]
    groups = [
        {"params": parameters, "weight_decay": decay}
        for parameters, decay in ((kernels, settings.weight_decay), (others, 0.0))
        if parameters
    ]
    if settings.name == "sgd":
        momentum = settings.betas[0]
        return SGD(groups, lr=settings.learning_rate, momentum=momentum, nesterov=momentum > 0)
    kind = AdamW if settings.name == "adamw" else Adam
    return kind(groups, lr=settings.learning_rate, betas=settings.betas)


def clip(model: nn.Module, longest: float | None) -> torch.Tensor:
    """Shorten the gradient to a length; its length before, to be looked at for NaN."""
    parameters = [parameter for parameter in model.parameters() if parameter.grad is not None]
    return nn.utils.clip_grad_norm_(parameters, float("inf") if longest is None else longest)
