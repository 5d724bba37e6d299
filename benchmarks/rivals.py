"""ODM_Unet, the same without its parts, and its rivals: one data set, one budget, one loss.

    python benchmarks/rivals.py [--cases NAME ...] [--seeds 0 1 2] [--epochs 24] [--crop 128]
                                [--work runs/cells] [--half-orbits 120] [--report]

Methods without learning stand beside. See `cells` for how it is done and how often.
"""

from __future__ import annotations

from typing import Any

from cells import Case, main

SAME: dict[str, Any] = {"encoder": "tu-mobilenetv3_small_100", "in_channels": 1}
DECODER = [96, 64, 32, 24, 16]
CASES = {
    "odm_unet_small": Case("odm_unet_small"),
    "without ODConv": Case("odm_unet_small", {"odconv": "none"}),
    "without SDI": Case("odm_unet_small", {"sdi_strides": "off"}),
    "unet, same encoder": Case("unet_same_encoder", {**SAME, "decoder_channels": DECODER}),
    "deeplabv3plus, same encoder": Case("deeplabv3plus", SAME),
    "without SCSE": Case("odm_unet_small", {"scse": False}),
    "unetplusplus, same encoder": Case("unetplusplus", {**SAME, "decoder_channels": DECODER}),
    "linknet, same encoder": Case("linknet", SAME),
    "fpn, same encoder": Case("fpn", SAME),
    "manet, same encoder": Case("manet", SAME),
    "pspnet, same encoder": Case("pspnet", SAME),
    "segformer mit_b0": Case("segformer", {"in_channels": 1}),
    "odm_unet": Case("odm_unet"),
}
FIRST = 5
"""So many of them are the default: what two CPU cores do in three quarters of an hour."""

if __name__ == "__main__":
    main("rivals", __doc__, CASES, "odm_unet_small", FIRST)
