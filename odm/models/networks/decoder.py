"""The Unet decoder with concurrent spatial and channel squeeze and excitation (SCSE).

Roy, Navab and Wachinger (2018). The blocks are segmentation_models_pytorch's.
"""

from collections.abc import Sequence

import torch
from segmentation_models_pytorch.base.initialization import initialize_decoder
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from torch import Tensor, nn

from odm.core.errors import InputError

SCSE_MINIMUM_CHANNELS = 16


def unet_decoder(
    encoder_channels: Sequence[int], decoder_channels: Sequence[int], *, scse: bool = True
) -> UnetDecoder:
    """Build a Unet decoder that uses every one of its parameters.

    Args:
        encoder_channels: of the features at strides 1, 2, 4, ...; the first is not used.
        decoder_channels: of the blocks, deepest first: one fewer than encoder_channels.
        scse: put an SCSE module around the convolutions of every block.

    Raises:
        InputError: when the numbers of levels disagree, or SCSE would squeeze to nothing.
    """
    blocks = len(encoder_channels) - 1
    if len(decoder_channels) != blocks:
        raise InputError(
            f"The decoder has {blocks} blocks; decoder_channels gives {len(decoder_channels)}."
        )
    if scse and min(decoder_channels) < SCSE_MINIMUM_CHANNELS:
        raise InputError(
            f"SCSE needs at least {SCSE_MINIMUM_CHANNELS} channels in every decoder block, "
            f"not {min(decoder_channels)}."
        )
    decoder = UnetDecoder(
        encoder_channels=list(encoder_channels),
        decoder_channels=list(decoder_channels),
        n_blocks=blocks,
        attention_type="scse" if scse else None,
    )
    initialize_decoder(decoder)
    # The last block has no skip connection, so this module is never called; parameters without a
    # gradient make distributed data-parallel training abort.
    decoder.blocks[-1].attention1 = nn.Identity()
    return decoder


def prune_unused(model: nn.Module, in_channels: int, size: int = 64) -> nn.Module:
    """Replace every module whose parameters cannot reach the output by an identity, in place.

    Some architectures keep encoder stages or attention modules that they never call; distributed
    data-parallel training aborts on them, and they are no part of a parameter count.

    Args:
        model: maps (B, in_channels, size, size) to one tensor; left in the mode it was in.
        in_channels: of the input.
        size: of the input, pixels.
    """
    training = model.training
    named = [(name, parameter) for name, parameter in model.named_parameters()]
    with torch.enable_grad():
        example = torch.zeros(1, in_channels, size, size)
        output: Tensor = model.eval()(example)
        gradients = torch.autograd.grad(
            output.sum(), [parameter for _, parameter in named], allow_unused=True
        )
    model.train(training)
    unused = {name for (name, _), grad in zip(named, gradients, strict=True) if grad is None}
    _prune(model, "", unused)
    return model


def _prune(module: nn.Module, prefix: str, unused: set[str]) -> None:
    for name, child in list(module.named_children()):
        path = f"{prefix}{name}."
        names = {path + inner for inner, _ in child.named_parameters()}
        if names and names <= unused:
            setattr(module, name, nn.Identity())
        else:
            _prune(child, path, unused)
