"""Validation of masks: one confusion matrix and one loss over all pixels of all ranks."""

from __future__ import annotations

import torch
from torch import Tensor

from odm.scoring.pixels import pixel_metrics
from odm.training.losses import SUMS, MaskLoss
from odm.training.ranks import Ranks


class MaskMeter:
    """Adds up a validation, batch by batch, and gives its metrics.

    Everything is kept as sums over pixels, so the result depends neither on the batches nor on
    how the samples are spread over the ranks, equally or not.

    Args:
        classes: number of classes, background included.
        loss: the loss to report.
        device: where the sums are kept.
    """

    def __init__(self, classes: int, loss: MaskLoss, device: torch.device | str = "cpu") -> None:
        self.loss = loss
        self.classes = classes
        # By true class, then predicted class; as a list, and with one place more for what is
        # invalid, which costs less than picking the valid pixels out.
        self.counts = torch.zeros(classes**2 + 1, dtype=torch.int64, device=device)
        self.sums = torch.zeros(len(SUMS), dtype=torch.float64, device=device)

    @torch.no_grad()
    def update(self, logits: Tensor, truth: Tensor, valid: Tensor) -> None:
        """Add one batch.

        Args:
            logits: (B, C, H, W).
            truth: (B, H, W), class indices.
            valid: (B, H, W) bool; other pixels are not counted.
        """
        self.sums += self.loss.sums(logits, truth, valid)
        code = truth.long() * self.classes + logits.argmax(1)
        code = torch.where(valid, code, self.classes**2)
        self.counts += torch.bincount(code.flatten(), minlength=self.classes**2 + 1)

    def compute(self, ranks: Ranks | None = None) -> dict[str, float]:
        """The metrics of everything that all ranks have added.

        Returns:
            ``loss``, ``cross_entropy``, and what `odm.scoring.pixels` gives: ``mean_iou``,
            ``foreground_iou``, ``dice`` (of whole pixels), ``pixel_accuracy``, ``macro_recall``,
            ``macro_precision``. NaN where there is nothing to tell.
        """
        ranks = ranks or Ranks(device=self.sums.device)
        sums, counts = ranks.sum(self.sums), ranks.sum(self.counts)
        matrix = counts[:-1].view(self.classes, self.classes)
        losses = self.loss.from_sums(sums)
        values = {name: float(losses[name]) for name in ("loss", "cross_entropy")}
        return values | pixel_metrics(matrix.cpu().numpy())
