"""`DrawnDataset`: to a training what a data set of files is, but drawn while the training runs."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from odm.core.errors import InputError
from odm.core.kinds import ORBITS
from odm.core.settings import read_config
from odm.images.geometry import OrbitImageSettings
from odm.simulate.orbit.archive import SIMULATOR_VERSION
from odm.training.drawn.backgrounds import ARCHIVE, Backgrounds
from odm.training.drawn.pool import DrawnSample, Pool, Prepared
from odm.training.drawn.settings import WITHOUT_FAMILIES, DrawnConfig


@dataclass(frozen=True)
class DrawnLabels:
    """What the labels are; see `odm.datasets.labels.regions.RegionLabels`."""

    source: str = "simulation"
    classes: tuple[str, ...] = ("nucleus",)


class DrawnDataset:
    """Half-orbits that are drawn, and prepared ones of an archive beside them.

    Args:
        config: its settings.
        base: folder that a relative ``backgrounds.folder`` starts from.

    Attributes:
        pools: the half-orbits of ``train`` and ``validation``.

    Raises:
        InputError: the backgrounds are not there, or are other images.
    """

    kind = replace(
        ORBITS,
        parts={**ORBITS.parts, "samples": "odm.training.drawn.source:DRAWN_HALF_ORBITS"},
    )
    annotations = DrawnLabels()
    archive = ""

    def __init__(self, config: DrawnConfig, base: str | Path = ".") -> None:
        self.config = config
        self.backgrounds: Backgrounds | None = None
        if config.backgrounds is not None:
            self.backgrounds = Backgrounds.open(Path(base) / config.backgrounds.folder)
            if self.backgrounds.image != config.image:
                raise InputError(
                    f"{self.backgrounds.folder}: its images have other settings than those drawn"
                )
        self.pools = {
            "train": Pool(
                config.for_training, config.image, config.fresh, self._prepared("train", False)
            ),
            "validation": Pool(
                config.for_validation, config.image, prepared=self._prepared("validation", True)
            ),
        }

    def _prepared(self, part: str, planted: bool) -> Prepared | None:
        """Half-orbits of the archive for a part, if there are any."""
        settings, backgrounds = self.config.backgrounds, self.backgrounds
        if settings is None or backgrounds is None or not backgrounds.counts.get(part):
            return None
        count = backgrounds.counts[part]
        return Prepared(backgrounds.maker(part), count, settings.share, planted)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read ``drawn.yaml``.

        Raises:
            InputError: a setting that cannot be, or no backgrounds where it names them.
        """
        return cls(read_config(path, DrawnConfig), Path(path).parent)

    @property
    def settings(self) -> OrbitImageSettings:
        """How a half-orbit becomes an image."""
        return self.config.image

    @cached_property
    def digest(self) -> str:
        """SHA-256 that names the data set: its settings, and the version of the simulator."""
        facts = {"settings": self.recipe, "simulator_version": SIMULATOR_VERSION}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    @cached_property
    def recipe(self) -> dict[str, Any]:
        """What is drawn, as plain values."""
        own = {"version", "image", "validation", "backgrounds"}
        content = self.config.model_dump(mode="json", exclude=own)
        content["image"] = self.settings.to_dict()
        content["validation"] = self.config.for_validation.model_dump(mode="json")
        if self.config.backgrounds is not None and self.backgrounds is not None:
            share = self.config.backgrounds.share
            content["backgrounds"] = {"digest": self.backgrounds.digest, "share": share}
        return content

    def samples(self, part: str) -> list[DrawnSample]:
        """Return the half-orbits of a part, of training those of the first epoch.

        Raises:
            InputError: no such part.
        """
        if part not in self.pools:
            raise InputError(f"drawn half-orbits have no part {part!r}: give train or validation")
        return self.pools[part].samples(0)

    def number_drawn(self, epochs: int) -> int:
        """Number of half-orbits that so many epochs and their validations need."""
        training, validation = self.pools["train"], self.pools["validation"]
        return training.size + (epochs - 1) * training.fresh + validation.size

    @property
    def sample_bytes(self) -> int:
        """Size of an image with its mask."""
        return (self.settings.channels + 1) * self.settings.height * self.settings.width

    def check_fits(self, limit_gb: float, number: int | None = None) -> None:
        """Check that the cache has room for half-orbits.

        Args:
            limit_gb: its size, in 1e9 bytes.
            number: of half-orbits; None for what is in use at once, and half as many again that
                are drawn ahead or have just left.

        Raises:
            InputError: it has not.
        """
        in_use = sum(pool.size for pool in self.pools.values())
        needed_gb = 1e-9 * self.sample_bytes * (1.5 * in_use if number is None else number)
        if needed_gb > limit_gb:
            raise InputError(
                f"a cache of {limit_gb:g} GB (runtime.drawn_gb, or --cache-gb) is too small: these "
                f"half-orbits need {needed_gb:.2g}"
            )

    # -- for people ------------------------------------------------------------------------------

    @property
    def headline(self) -> str:
        """A line on what there is."""
        pool = self.pools["train"]
        after = f", {pool.fresh} new ones every epoch" if pool.fresh else ""
        return f"{pool.size} drawn half-orbits for training{after}"

    @property
    def settings_text(self) -> str:
        """A line on images."""
        image = self.settings
        return f"image {image.mode} {image.height} x {image.width}, component {image.component}"

    @cached_property
    def parts(self) -> list[dict[str, Any]]:
        """What each part holds in the first epoch, as plain values."""
        rows = []
        for part, pool in self.pools.items():
            samples = pool.samples(0)
            skies = Counter(sample.drawing.maker.sky for sample in samples)
            names = [*pool.settings.shares, *([ARCHIVE] if pool.prepared else [])]
            positive = sum(sample.has_object for sample in samples)
            rows.append(
                {
                    "part": part,
                    "half_orbits": len(samples),
                    "with_nuclei": positive,
                    "seed": pool.settings.seed,
                    "skies": {sky: skies[sky] for sky in names},
                }
            )
        return rows

    @property
    def warnings(self) -> Sequence[str]:
        """What may be unlike what was meant."""
        config = self.config
        skies = [sky for sky in config.shares if sky in WITHOUT_FAMILIES]
        if not skies or not (config.families or config.held_out):
            return ()
        return (f"families do not apply to {', '.join(skies)}: what is left out may occur there",)

    def describe(self) -> dict[str, Any]:
        """Return the data set as plain values, for JSON."""
        return {"digest": self.digest, "parts": self.parts, "recipe": self.recipe}
