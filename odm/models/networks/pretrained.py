"""Encoders, and where their weights come from: nowhere, the hub, or a local file."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import segmentation_models_pytorch as smp
import timm
import torch
from torch import Tensor, nn

from odm.core.errors import InputError
from odm.core.text import nearest
from odm.models import weights

TIMM_PREFIX = "tu-"
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")

# Kinds of error, by name: those of the hub's client move from version to version.
REFUSED = {"GatedRepoError", "DisabledRepoError"}
UNREACHED = {
    "OfflineModeIsEnabled",
    "LocalEntryNotFoundError",
    "ConnectionError",
    "ConnectError",
    "TimeoutException",
    "TimeoutError",
    "Timeout",
    "TransportError",
    "URLError",
}
ABSENT = {"RepositoryNotFoundError", "EntryNotFoundError", "RevisionNotFoundError"}
NO_WEIGHTS = ("No pretrained weights exist", "Invalid pretrained tag")  # timm's words


def check_encoder(name: str) -> None:
    """Raise InputError, with the nearest known name, if there is no such encoder."""
    if name.startswith("timm-"):
        raise InputError(
            f"Encoder {name!r} is deprecated and loads other weights than its name says; "
            f"use {TIMM_PREFIX + name.removeprefix('timm-')!r}."
        )
    if name.startswith(TIMM_PREFIX):
        known = [TIMM_PREFIX + model for model in timm.list_models()]
        base = name.partition(".")[0]
    else:
        known, base = [known for known in smp.encoders.encoders if known[:5] != "timm-"], name
    if base not in known:
        near = nearest(base, known)  # there are too many to list them
        hint = f"; did you mean {near}?" if near else "."
        raise InputError(f"unknown encoder {name!r}{hint}")


def hub_weights(name: str) -> str | bool:
    """The value of `encoder_weights` that makes segmentation_models_pytorch ask the hub."""
    if name.startswith(TIMM_PREFIX):
        return True  # the name says which
    settings = smp.encoders.encoders[name]["pretrained_settings"]
    return "imagenet" if "imagenet" in settings else next(iter(settings))


def create_encoder(name: str, *, in_channels: int = 3, pretrained: str = "none") -> nn.Module:
    """Build an encoder that gives features at strides 1, 2, 4, ..., finest first.

    Args:
        name: in segmentation_models_pytorch, or `tu-NAME` for one of timm.
        in_channels: of the image.
        pretrained: "none", "hub", or the path of a weights file (safetensors or torch).

    Raises:
        InputError: for an unknown encoder, a hub that cannot be reached, or a file that is not
            this encoder's.
    """

    def build(weights: str | bool | None) -> nn.Module:
        encoder: nn.Module = smp.encoders.get_encoder(
            name, in_channels=in_channels, weights=weights
        )
        return encoder

    encoder = build_around(
        name, pretrained, build, unusable=f"Encoder {name!r} cannot be used here"
    )
    if pretrained not in ("none", "hub"):
        load_encoder(encoder, name, Path(pretrained))
    return encoder


def build_around(
    name: str, pretrained: str, build: Callable[[str | bool | None], Any], unusable: str
) -> Any:
    """Build a network around an encoder, whose weights the hub gives if that is asked for.

    Args:
        name: of the encoder.
        pretrained: see `create_encoder`.
        build: builds it, given the weights as segmentation_models_pytorch names them.
        unusable: what the error says where it cannot be built.
    """
    check_encoder(name)
    hub = pretrained == "hub"
    try:
        return build(hub_weights(name) if hub else None)
    except Exception as error:
        if hub:
            raise hub_error(name, error) from error
        raise InputError(f"{unusable}: {_first(error)}") from error


def hub_error(name: str, error: Exception) -> InputError:
    """The sentence about weights that the hub did not give: which of its faults it was.

    Args:
        name: of the encoder.
        error: as the hub's client or timm raised it, which each have kinds of their own.
    """
    kinds = {kind.__name__ for cause in _chain(error) for kind in type(cause).__mro__}
    status = next((code for cause in _chain(error) for code in [_status(cause)] if code), 0)
    instead = "set pretrained to a local weights file or to 'none'"
    # "Not in the cache" is a kind of "no such file", but means that the hub did not answer.
    absent = kinds & ABSENT and not kinds & REFUSED and "LocalEntryNotFoundError" not in kinds
    if absent or status == 404 or any(words in str(error) for words in NO_WEIGHTS):
        return InputError(
            f"The hub has no pretrained weights of {name!r}: choose another encoder, or {instead}."
        )
    if kinds & REFUSED or status in (401, 403):
        return InputError(
            f"The hub does not permit fetching the pretrained weights of {name!r}: log in there "
            f"(HF_TOKEN), or {instead}."
        )
    if kinds & UNREACHED:
        return InputError(
            f"The pretrained weights of {name!r} could not be fetched: the hub cannot be reached "
            f"({type(error).__name__}). Go online, or {instead}."
        )
    return InputError(
        f"The pretrained weights of {name!r} could not be fetched from the hub "
        f"({_first(error)}): {instead}."
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those that it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__


def _status(error: BaseException) -> int:
    """The status of the HTTP answer that an error stands for, 0 if there was none."""
    answer = getattr(error, "response", None)
    code = getattr(answer, "status_code", None) or getattr(error, "code", None)
    return code if isinstance(code, int) else 0


def load_encoder(encoder: nn.Module, name: str, path: Path) -> None:
    """Load a local weights file into an encoder.

    Names may carry a prefix (`encoder.`, `model.`); tensors of a classifier are passed over, and a
    first convolution for three channels is adapted to the encoder's.

    Raises:
        InputError: if the file cannot be read or lacks a tensor of the encoder.
    """
    given = read_weights(path)
    own = encoder.state_dict()
    taken: dict[str, Tensor] = {}
    for key, tensor in own.items():
        weight = _find(given, key)
        if weight is None:
            continue
        if weight.shape != tensor.shape and weight.ndim == 4 and weight.shape[1] == 3:
            weight = timm.models.adapt_input_conv(tensor.shape[1], weight)
        if weight.shape != tensor.shape:
            raise InputError(
                f"{path} holds weights of another encoder than {name!r}: {key} has shape "
                f"{tuple(weight.shape)}, not {tuple(tensor.shape)}."
            )
        taken[key] = weight
    # A counter that older files lack, and that nothing here uses.
    lacking = sorted(key for key in set(own) - set(taken) if "num_batches_tracked" not in key)
    if lacking:
        raise InputError(
            f"{path} holds weights of another encoder than {name!r}: it lacks {len(lacking)} of "
            f"{len(own)} tensors, {lacking[0]} among them."
        )
    encoder.load_state_dict(taken, strict=False)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file, or of the folder that a hub download made.

    Raises:
        InputError: if there is none, or it cannot be read.
    """
    if path.is_dir():
        files = [path / name for name in WEIGHT_FILES if (path / name).is_file()]
        if not files:
            raise InputError(f"{path} holds none of {', '.join(WEIGHT_FILES)}.")
        path = files[0]
    if not path.is_file():
        raise InputError(f"There is no weights file {path}; pretrained is 'none', 'hub' or a file.")
    try:
        if path.suffix == ".safetensors":
            return weights.decode(path.read_bytes())[0]
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch has no kind of its own for a damaged file: it raises many
        raise InputError(f"{path} is no whole weights file: {_first(error)}") from None
    tensors = loaded.get("state_dict", loaded) if isinstance(loaded, dict) else None
    if not isinstance(tensors, dict) or not all(isinstance(t, Tensor) for t in tensors.values()):
        raise InputError(f"{path} holds no table of named tensors.")
    return tensors


def _find(given: dict[str, Tensor], key: str) -> Tensor | None:
    for stem in (key, key.removeprefix("model.")):
        for prefix in ("", "encoder.", "model.", "encoder.model.", "module."):
            if prefix + stem in given:
                return given[prefix + stem]
    return None


def _first(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
