"""Which defaults win: augmentation, image size, SDI channels, kind of mask, each changed alone.

    python benchmarks/choices.py [--cases NAME ...] [--seeds 0 1] [--work runs/cells] [--report]

The cell to compare with is that of `rivals.py`, so give both the same folder and budget. The crop
has the same number of pixels for all image sizes.
"""

from __future__ import annotations

from cells import Case, main

SMALL = "odm_unet_small"
CASES = {
    SMALL: Case(SMALL),
    "augmentation none": Case(SMALL, settings={"data.augmentation": "none"}),
    "augmentation of the paper": Case(SMALL, settings={"data.augmentation": "paper"}),
    "images of 256²": Case(SMALL, size=256),
    "images of 1024²": Case(SMALL, size=1024),
    "SDI channels 8": Case(SMALL, {"sdi_channels": 8}),
    "SDI channels 32": Case(SMALL, {"sdi_channels": 32}),
    "labels are boxes": Case(SMALL, mask="box"),
}

if __name__ == "__main__":
    main("choices", __doc__, CASES, SMALL)
