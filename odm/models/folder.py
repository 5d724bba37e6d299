"""Model folders: weights and `model.json`, under one digest.

    model.json                architecture, image settings, thresholds, training data, metrics, ...
    weights-<digest>.safetensors

The digest covers the weights, the architecture, the image settings and the thresholds: what decides
the answer to an image. Metrics, the training data's digest and the package's version are kept, not
covered. The weights' name carries their digest, so that writing `model.json` commits the whole
folder and one that is overwritten is never half new.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from odm.core.errors import InputError
from odm.core.files import exists, join, local_path, read_bytes, write_bytes
from odm.models.card import (
    CARD,
    COVERED,
    FORMAT,
    ModelCard,
    check_expected,
    digest_of,
    kept,
    read_model_card,
    simple,
    to_card,
    to_json,
)

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LoadedModel", "ModelCard", "load_model", "read_model_card", "save_model"]

BUILDERS = {
    "segmenter": ("odm.models.networks.segmenters", "create_segmenter"),
    "detector": ("odm.models.networks.detector", "create_detector"),
}
"""Module and function that build a model of each kind; imported when a model is loaded."""


@dataclass(frozen=True)
class LoadedModel:
    """A model and its card."""

    model: Any
    card: ModelCard


def save_model(
    folder: object,
    model: Any,
    *,
    image: Mapping[str, Any],
    thresholds: Mapping[str, Any],
    training_data: str = "none",
    metrics: Mapping[str, Any] | None = None,
    notes: Mapping[str, Any] | None = None,
    half: bool = False,
) -> ModelCard:
    """Write a model folder; what was there before is replaced.

    Args:
        folder: local path or URI.
        model: has `architecture` and `options`, a `kind` of `BUILDERS` unless it is a segmenter,
            and is a torch module if it has weights; compiled or wrapped for data-parallel
            training, the model inside is saved.
        image: image settings that the model was trained with.
        thresholds: settings that turn its output into findings.
        training_data: digest of the training data.
        metrics: by name; what is not finite is written as null.
        notes: anything else, not covered by the digest; as metrics.
        half: store matrices and kernels in float16. Statistics and scales stay in float32:
            small variances would become zero.

    Raises:
        InputError: if the settings cannot be written as JSON, weights are not finite or too large
            for float16, or the folder cannot be written.
    """
    model = _unwrapped(model)
    kind = getattr(model, "kind", "segmenter")
    _builder(kind, folder)
    content: dict[str, Any] = {
        "format": FORMAT,
        "architecture": {
            "kind": kind,
            "name": model.architecture,
            "options": dict(model.options),
        },
        "image": simple(image),
        "thresholds": simple(thresholds),
        "training_data": training_data,
        "metrics": kept(metrics or {}),
        "notes": kept(notes or {}),
        "code_version": _code_version(),
        "weights": {},
    }
    data = _weights(model, half)
    if data is not None:
        digest = hashlib.sha256(data).hexdigest()
        content["weights"] = {
            "file": f"weights-{digest[:12]}.safetensors",
            "bytes": len(data),
            "digest": digest,
            "dtype": "float16" if half else "float32",
        }
        write_bytes(join(folder, content["weights"]["file"]), data)
    content["parts"] = {part: digest_of(content[part]) for part in COVERED}
    content["digest"] = digest_of(content["parts"])
    write_bytes(join(folder, CARD), to_json(content, indent=2))
    _remove_old_weights(folder, content["weights"].get("file"))
    return to_card(content)


def save_again(
    folder: object,
    loaded: LoadedModel,
    *,
    thresholds: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> ModelCard:
    """Write a model back with other thresholds and metrics; the rest stays, weights bit for bit.

    Args:
        folder: where it is.
        loaded: the model and its card.
        thresholds, metrics: see `save_model`.
    """
    card = loaded.card
    return save_model(
        folder,
        loaded.model,
        image=card.image,
        thresholds=thresholds,
        training_data=card.training_data,
        metrics=metrics,
        notes=card.notes,
        half=card.weights.get("dtype") == "float16",
    )


def load_model(
    folder: object, *, device: str = "cpu", expect: Mapping[str, Any] | None = None
) -> LoadedModel:
    """Load a model, in evaluation mode.

    Args:
        folder: local path or URI of a model folder.
        device: where its weights go: "cpu", "cuda", "cuda:1", ... or "auto".
        expect: what the model has to agree with: any of `digest`, `architecture`, `image`,
            `thresholds`, `training_data`; of a table only the keys given, at any depth.

    Raises:
        InputError: if it is no model folder, its weights are cut short or changed, they do not fit
            the architecture, it differs from `expect`, or there is no such device. The sentence
            says what.
    """
    from odm.models.networks.base import find_device

    place = find_device(device)
    card = read_model_card(folder)
    if expect:
        check_expected(folder, card, expect)
    architecture = card.architecture
    build = _builder(architecture["kind"], folder)
    model = build(architecture["name"], **architecture["options"])
    if card.weights:
        _load_weights(folder, model, card.weights)
        model.to(place).eval()
    return LoadedModel(model, card)


def _builder(kind: str, folder: object) -> Any:
    if kind not in BUILDERS:
        raise InputError(f"{folder}: a model is a {' or a '.join(BUILDERS)}, not a {kind!r}.")
    module, name = BUILDERS[kind]
    return getattr(import_module(module), name)


def _unwrapped(model: Any) -> Any:
    """Return the model inside what `torch.compile` and data-parallel training make of it."""
    while True:
        if hasattr(model, "_orig_mod"):
            model = model._orig_mod
        elif hasattr(model, "module") and not hasattr(model, "architecture"):
            model = model.module
        else:
            return model


def _weights(model: Any, half: bool) -> bytes | None:
    if not hasattr(model, "state_dict"):
        return None
    import torch

    from odm.models import weights

    tensors: dict[str, Tensor] = {}
    for name, tensor in model.state_dict().items():
        value = tensor.detach().cpu()
        if value.is_floating_point():
            if not bool(torch.isfinite(value).all()):
                raise InputError(
                    f"The model cannot be saved: its weights are not finite, {name} among them."
                )
            value = value.to(torch.float16 if half and value.ndim >= 2 else torch.float32)
            if not bool(torch.isfinite(value).all()):
                raise InputError(
                    f"The model cannot be saved in {str(value.dtype).removeprefix('torch.')}: "
                    f"{name} holds {float(tensor.abs().max()):.3g}, which is too large for it"
                    f"{': save it in float32 (half=False)' if half else ''}."
                )
        tensors[name] = value
    return weights.encode(tensors)


def _load_weights(folder: object, model: Any, noted: Mapping[str, Any]) -> None:
    from odm.models import weights

    path = join(folder, noted["file"])
    if not exists(path):
        raise InputError(f"{folder} has lost its weights: there is no {noted['file']}.")
    data = read_bytes(path)
    try:
        weights.check_bytes(data, noted["bytes"], noted["digest"])
        weights.put_weights(model, weights.decode(data)[0])
    except weights.WeightsError as error:
        raise InputError(f"{folder}: {noted['file']} {error}.") from None


def _remove_old_weights(folder: object, keep: str | None) -> None:
    local = local_path(folder)
    if local is None:
        return
    for old in local.glob("weights-*.safetensors"):
        if old.name != keep:
            old.unlink(missing_ok=True)


def _code_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("odm")
    except PackageNotFoundError:
        return "unknown"
