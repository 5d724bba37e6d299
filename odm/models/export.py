"""Export of a model to ONNX, checked against the model itself."""

import logging
import warnings
from pathlib import Path

import numpy as np
import torch

from odm.core.errors import InputError
from odm.core.files import replace_file
from odm.models.networks.base import ImageModel
from odm.models.networks.odconv import executed

OPSET = 18
INPUT, OUTPUT = "image", "logits"
TOLERANCE = 1e-3


def export_onnx(
    model: ImageModel,
    path: str | Path,
    image_size: tuple[int, int],
    *,
    check_batches: tuple[int, ...] = (1, 2, 5),
    example: torch.Tensor | None = None,
    tolerance: float = TOLERANCE,
) -> float:
    """Write a model as ONNX, for images of one size and any batch.

    The graph maps `image` (B, in_channels, H, W) float32 to `logits`, the model's output. Dynamic
    convolutions are written by the paths that allow a dynamic batch. The model is left as it was.

    Args:
        model: on the CPU, in float32.
        path: local file.
        image_size: (H, W), multiples of `model.multiple`.
        check_batches: batch sizes with which the file is compared with the model, by
            onnxruntime; none to leave that out.
        example: images (B, in_channels, H, W) to compare with, as `to_input` gives them: noise if
            None. Far from what a model was trained on it may magnify rounding.
        tolerance: largest difference of a logit that is accepted, relative to the largest logit.

    Returns:
        The largest difference found, relative as above (0 if nothing was compared).

    Raises:
        InputError: if the size does not fit, an extra package is missing, or the file does not
            answer as the model does (then it is not written).
    """
    require("onnxscript", "onnx")
    training = model.training
    try:
        model.eval()
        traced = torch.zeros(2, model.in_channels, *image_size)
        model.check(traced)
        if example is None:
            generator = torch.Generator().manual_seed(0)
            example = torch.randn(traced.shape, generator=generator)
        with replace_file(path) as temporary:
            with executed(model, "export"):
                _export(model, traced, temporary)
            error = _difference(model, temporary, example, check_batches)
            # Written this way round, so that a NaN does not pass.
            if not error <= tolerance:
                raise InputError(
                    f"{path}: the exported model differs from the original by {error:.1e}, more "
                    f"than {tolerance:.0e}; it was not written."
                )
        return error
    finally:
        model.train(training)


def require(*packages: str) -> None:
    """Raise InputError, saying what to install, if a package of the `onnx` extra is missing."""
    from importlib.util import find_spec

    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise InputError(
            f"This needs {' and '.join(missing)}, which is not installed: install odm[onnx]."
        )


def _export(model: ImageModel, example: torch.Tensor, path: Path) -> None:
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    try:
        logger.setLevel(logging.ERROR)
        # The exporter warns about its own internals; whether the file is right is checked below.
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                model,
                (example,),
                path,
                dynamo=True,
                external_data=False,
                verbose=False,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
                # It takes longer than all the rest, and what reads the file optimises it again.
                optimize=False,
            )
    finally:
        logger.setLevel(level)


def _difference(
    model: ImageModel, path: Path, example: torch.Tensor, batches: tuple[int, ...]
) -> float:
    if not batches:
        return 0.0
    require("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    errors = []
    for batch in batches:
        images = example[torch.arange(batch) % len(example)]
        with torch.inference_mode():
            expected = model(images).numpy()
        (given,) = session.run([OUTPUT], {INPUT: images.numpy()})
        # Relative: an untrained model's logits may be very small.
        scale = float(np.abs(expected).max()) or 1.0
        errors.append(float(np.abs(np.asarray(given) - expected).max()) / scale)
    # Not max(), which would pass over a NaN.
    return float(np.max(errors))
