"""Cross entropy minus the logarithm of Dice, from sums over all pixels of all ranks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from odm.training.ranks import Ranks

SUMS = ("cross_entropy", "weight", "both", "predicted", "drawn")
"""What `MaskLoss.sums` adds up over pixels, in its order."""


class MaskLoss:
    """CE − log(Dice) of a segmentation, as ODM_Unet is trained with (formula 4 of its paper).

    The paper prints CE − log(DiceLoss). That is taken as a slip: DiceLoss is 1 for the worst
    prediction, so −log(DiceLoss) is 0 there and grows without bound towards a perfect one; it
    would reward what it should punish. Meant is CE − log(Dice) = CE − log(1 − DiceLoss), as in
    Wong et al. (2018) and in segmentation_models_pytorch's ``DiceLoss(log_loss=True)``.

    CE is the mean over valid pixels, weighted by the true class where weights are given, and

        Dice = (2 Σ p·t + s) / (Σ p + Σ t + s)

    over the valid pixels of the whole batch and all classes but the background (0), p being the
    softmax and t the truth. All in float32, whatever the network computes in.

    Neither is a mean over samples: the sums are taken over all ranks first, so the loss and its
    gradient do not depend on how a batch is spread over them (`Ranks.differentiable_sum`).

    Args:
        class_weights: one per class, background first; None for equal ones.
        dice: factor of −log(Dice); 0 leaves cross entropy.
        smooth: s, in numerator and denominator: an image without foreground has Dice 1 if
            nothing is predicted either.
    """

    def __init__(
        self,
        class_weights: Sequence[float] | None = None,
        *,
        dice: float = 1.0,
        smooth: float = 1.0,
    ) -> None:
        self.class_weights = None if class_weights is None else tuple(class_weights)
        self.dice = dice
        self.smooth = smooth

    def sums(self, logits: Tensor, truth: Tensor, valid: Tensor) -> Tensor:
        """Add up over pixels what the loss is made of.

        Args:
            logits: (B, C, H, W), any floating dtype.
            truth: (B, H, W), class indices.
            valid: (B, H, W) bool; other pixels, such as ignored ones, add nothing.

        Returns:
            (5,) float32, as `SUMS` names them.
        """
        logits = logits.float()
        truth = truth.long()
        # What is invalid may hold any class; 0 is one that always exists.
        truth = torch.where(valid, truth, 0)
        log_p = F.log_softmax(logits, dim=1)
        weight = valid.float()
        if self.class_weights is not None:
            weights = torch.tensor(self.class_weights, device=logits.device)
            weight = weight * weights[truth]
        surprise = -log_p.gather(1, truth[:, None])[:, 0]
        # `where`, since 0 times an infinite logarithm would be no number.
        entropy = torch.where(valid, surprise, 0.0) * weight
        foreground = torch.where(valid[:, None], log_p[:, 1:].exp(), 0.0)
        is_class = truth[:, None] == torch.arange(1, logits.shape[1], device=logits.device).view(
            1, -1, 1, 1
        )
        return torch.stack(
            [
                entropy.sum(),
                weight.sum(),
                torch.where(is_class, foreground, 0.0).sum(),
                foreground.sum(),
                is_class.float().sum(),
            ]
        )

    def from_sums(self, sums: Tensor) -> dict[str, Tensor]:
        """The loss of sums that were added up over batches or ranks.

        Args:
            sums: (5,), as from `sums`.

        Returns:
            ``loss`` = ``cross_entropy`` − factor · log(``soft_dice``); scalars.
        """
        entropy, weight, both, predicted, drawn = sums.unbind()
        cross_entropy = entropy / weight.clamp(min=torch.finfo(torch.float32).tiny)
        dice = (2 * both + self.smooth) / (predicted + drawn + self.smooth)
        loss = cross_entropy - self.dice * dice.log()
        return {"loss": loss, "cross_entropy": cross_entropy.detach(), "soft_dice": dice.detach()}

    def __call__(
        self, logits: Tensor, truth: Tensor, valid: Tensor, ranks: Ranks | None = None
    ) -> dict[str, Tensor]:
        """The loss of one batch, of which every rank holds a part.

        Args:
            logits: (B, C, H, W).
            truth: (B, H, W), class indices.
            valid: (B, H, W) bool.
            ranks: who else holds a part.

        Returns:
            As `from_sums`; the same on every rank.
        """
        sums = self.sums(logits, truth, valid)
        return self.from_sums(sums if ranks is None else ranks.differentiable_sum(sums))
