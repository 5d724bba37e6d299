"""Export of a model to ONNX."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from odm.core.files import replace_file
from odm.models.networks.base import ImageModel
from odm.models.networks.odconv import executed

OPSET = 18
INPUT, OUTPUT = "image", "logits"


def export_onnx(model: ImageModel, path: str | Path, image_size: tuple[int, int]) -> None:
    """Write a model as ONNX, for images of one size and any batch.

    The graph maps `image` (B, in_channels, H, W) float32 to `logits`, the model's output. Dynamic
    convolutions are written by the paths that allow a dynamic batch. The model is left as it was.
    Whether the file answers as the model does is for the caller to check:
    `odm.models.engines.build_engine` does.

    Args:
        model: on the CPU, in float32.
        path: local file.
        image_size: (H, W), multiples of `model.multiple`.

    Raises:
        InputError: the size does not fit.
    """
    training = model.training
    example = torch.zeros(2, model.in_channels, *image_size)
    try:
        model.eval()
        model.check(example)
        with replace_file(path) as temporary, executed(model, "export"), _quiet(), torch.no_grad():
            torch.onnx.export(
                model,
                (example,),
                temporary,
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
        model.train(training)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter, which warns about its own internals."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    try:
        logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
