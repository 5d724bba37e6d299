"""Tensors as safetensors bytes, and into a model: the same for model folders and checkpoints.

Nothing is pickled. Who calls adds which file it is, and raises the error of its room.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from odm.core.errors import OdmError

if TYPE_CHECKING:
    from torch import Tensor, nn


class WeightsError(OdmError):
    """What is wrong with weights, without the name of their file."""


def encode(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file of the tensors, with text in its header."""
    from safetensors.torch import save

    # Copies: safetensors refuses tensors that share memory, and other memory layouts.
    plain = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    return save(plain, None if metadata is None else dict(metadata))


def decode(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Inverse of `encode`.

    Raises:
        WeightsError: the file is cut short, damaged or something else.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(data)
        # The header's length, then the header, which `load` leaves out of what it gives.
        header: dict[str, Any] = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        return tensors, dict(header.get("__metadata__", {}))
    except (SafetensorError, ValueError, TypeError, AttributeError):
        raise WeightsError("is cut short, damaged or no safetensors file") from None


def check_bytes(data: bytes, size: int, digest: str) -> None:
    """Compare the bytes of a file with what was noted when it was written.

    Raises:
        WeightsError: they are fewer, or have another SHA-256 digest.
    """
    if len(data) < size:
        raise WeightsError(f"is cut short: {len(data):,} of {size:,} bytes")
    if hashlib.sha256(data).hexdigest() != digest:
        raise WeightsError(
            "was changed after the model was saved; the weights do not fit their digest"
        )


def put_weights(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors into a model, whose dtypes and devices stay as they are.

    Raises:
        WeightsError: names or shapes are not the model's.
    """
    own = model.state_dict()
    odd = sorted(set(own) ^ set(tensors)) or [k for k in own if own[k].shape != tensors[k].shape]
    if odd:
        raise WeightsError(
            f"is of another architecture: {len(odd)} tensors differ, {odd[0]} among them"
        )
    model.load_state_dict(dict(tensors))
