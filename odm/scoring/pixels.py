"""Pixel metrics of a segmentation, all from one confusion matrix.

**The paper's mPA.** Its formula, the mean over classes of TP / (TP + FN), is macro recall; its
prose describes precision; the value of its Table 4 (0.9989, beside an mIoU of 0.775) can only be
overall pixel accuracy. All three are given here under their plain names, and **pixel accuracy is
the one to compare with Table 4's mPA**.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from odm.scoring.curves import ratio

Counts = NDArray[np.int64]

PIXEL_METRICS = (
    "mean_iou",
    "foreground_iou",
    "dice",
    "pixel_accuracy",
    "macro_recall",
    "macro_precision",
)
"""Names of what `pixel_metrics` gives, in the order that tables show."""


def confusion_matrix(
    truth: NDArray[Any],
    predicted: NDArray[Any],
    valid: NDArray[np.bool_] | None = None,
    classes: int = 2,
) -> Counts:
    """Count pixels by true class (row) and predicted class (column).

    Matrices of several images, or of several ranks, are added up; the metrics come from the sum.

    Args:
        truth, predicted: of one shape, whole numbers below ``classes`` (or bool); 0 is background.
        valid: where the image holds a measurement; other pixels are not counted, whatever they
            hold (an ignore label, say).
        classes: number of classes, background included.

    Returns:
        (classes, classes) int64.

    Raises:
        ValueError: shapes differ, or a class is not one of ``classes``.
    """
    if truth.shape != predicted.shape or (valid is not None and valid.shape != truth.shape):
        raise ValueError(f"truth {truth.shape} and predicted {predicted.shape} differ in shape")
    if valid is not None:
        truth, predicted = truth[valid], predicted[valid]
    for labels in (truth, predicted):
        if labels.size and not (labels.min() >= 0 and labels.max() < classes):
            raise ValueError(f"a class is not one of {classes}")
    code = truth.astype(np.int64) * classes + predicted
    return np.bincount(code.ravel(), minlength=classes**2).reshape(classes, classes)


def pixel_metrics(confusion: NDArray[Any]) -> dict[str, float]:
    """Compute `PIXEL_METRICS` from a confusion matrix (C, C), or from many (..., C, C) at once.

    A class that neither truth nor prediction knows has no IoU, recall or precision, and is left out
    of the means. Of one that only truth or only the prediction knows all three are 0: never to
    predict a class does not make its precision better. What is undefined altogether is NaN.
    Foreground is all classes but 0.
    """
    matrix = np.asarray(confusion, dtype=np.float64)
    hit = np.diagonal(matrix, axis1=-2, axis2=-1)
    true, predicted = matrix.sum(axis=-1), matrix.sum(axis=-2)
    total = matrix.sum(axis=(-2, -1))
    both = matrix[..., 1:, 1:].sum(axis=(-2, -1))
    known = true + predicted > 0
    drawn, found = true[..., 1:].sum(axis=-1), predicted[..., 1:].sum(axis=-1)
    values = {
        "mean_iou": _mean(ratio(hit, true + predicted - hit)),
        "foreground_iou": ratio(both, drawn + found - both),
        "dice": ratio(2 * both, drawn + found),
        "pixel_accuracy": ratio(hit.sum(axis=-1), total),
        "macro_recall": _mean(_share(hit, true, known)),
        "macro_precision": _mean(_share(hit, predicted, known)),
    }
    return {name: value if value.ndim else float(value) for name, value in values.items()}  # type: ignore[misc]


def _share(
    part: NDArray[np.float64], whole: NDArray[np.float64], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return `ratio`, but 0 of nothing is 0 for a class that is known."""
    return np.where(known & (whole == 0), 0.0, ratio(part, whole))


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the last axis without NaN, and without a warning where all are NaN."""
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0).sum(axis=-1), known.sum(axis=-1).astype(np.float64))
