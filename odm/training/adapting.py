"""Fit a detector of nuclei to an archive that nobody has labelled.

Most half-orbits hold no nucleus, so that an archive shows what its own background looks like. Some
of its half-orbits become backgrounds of a training: what a first model finds suspicious in them is
ignored, not a negative, since nuclei that are taken for background are unlearnt; nuclei are added
by the policy ``randomised`` with the speckle of the archive; and the simulated skies stay in the
mix, so that nothing learnt is lost. Other half-orbits, of other 5-day cycles where there are
several, are held back: with simulated nuclei planted in them they say how many are found, and
untouched how often anything is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pydantic import Field

from odm.archive.orbit.listing import OrbitFile, list_orbits
from odm.archive.orbit.reader import Orbit, read_orbit
from odm.core.errors import ArchiveError, InputError
from odm.core.settings import Settings
from odm.findings.outlines import Mask
from odm.findings.regions import LEVELS, RegionSettings, find_regions, read_thresholds
from odm.images.canvas import Image
from odm.images.geometry import OrbitImageSettings
from odm.images.masks import IGNORED
from odm.images.spectrogram import geometry_of, spectrogram_image
from odm.models.folder import LoadedModel, load_model, save_model
from odm.models.predictor import Predictor
from odm.scoring.matching import OVERLAPS, mask_overlaps, match_findings
from odm.simulate.orbit.emissions_nuclei import STRONGEST_DB, draw_peak_db
from odm.simulate.orbit.planting import Planted, plant_nuclei
from odm.training.drawn.backgrounds import (
    Backgrounds,
    BackgroundSettings,
    close_folder,
    keep_background,
)
from odm.training.drawn.dataset import DrawnDataset
from odm.training.drawn.settings import DrawnConfig, ValidationSettings
from odm.training.settings import SegmenterSettings

PREVALENCE = 402 / 11_096
"""Share of half-orbits with a nucleus, and `NUCLEI_EACH` of them, in the paper's year."""
NUCLEI_EACH = 1.13
HELD_BACK = 0.3
"""Share of the chosen half-orbits that is held back."""
CONTRAST_EDGES_DB = (3.0, 6.0, 10.0, 15.0, STRONGEST_DB)
PLANTS = 2
"""Nuclei planted in each half-orbit that is held back."""
LOWS = (0.1, 0.2, 0.35, 0.5)
"""Probabilities from which regions may grow."""
_SUSPICIOUS, _SUSPECT = 0.12, 0.3
"""Probability from which a pixel is ignored; one pixel of its area reaches the second."""
_MARGIN = 3  # pixels of the image
_SIMULATED: dict[str, float] = {"emissions": 0.4, "textures": 0.3, "rays": 0.3}
_SHARE = 0.7  # of the archive's half-orbits among those in use

TRAINING = {
    "seed": 0,
    "data": {"batch_size": 16, "validation_batch_size": 16, "augmentation": "randomised"},
    "loss": {"dice": 0.3},
    "optimiser": {
        "name": "adamw",
        "learning_rate": 1e-3,
        "weight_decay": 1e-4,
        "clip_norm": 1.0,
    },
    "schedule": {
        "epochs": 30,
        "warmup_epochs": 1.0,
        "restart_epochs": None,
        "minimum": 1e-5,
        "validation_epochs": 3,
    },
    "compute": {"precision": "bfloat16", "channels_last": True, "ema": 0.995},
    "runtime": {"loader_threads": 1, "checkpoint_steps": 100, "log_steps": 20},
}
"""Settings of the training; see `odm.training.settings`."""

Advance = Callable[..., object]


class AdaptSettings(Settings):
    """What an adaptation takes of an archive.

    Attributes:
        half_orbits: number that is chosen; a part of them is held back.
        seed: of the choice and of what is planted.
        prevalence: share of the archive's half-orbits that hold a nucleus, as expected.
        false_per_100: regions per 100 half-orbits beyond the expected nuclei that the thresholds
            allow.
    """

    half_orbits: int = Field(default=600, ge=20)
    seed: int = Field(default=0, ge=0)
    prevalence: float = Field(default=PREVALENCE, ge=0, le=1)
    false_per_100: float = Field(default=2.0, gt=0)


@dataclass(frozen=True)
class Chosen:
    """Half-orbits of an archive, in the order of their time.

    Attributes:
        train: those that become backgrounds.
        held_back: the others.
    """

    train: list[OrbitFile]
    held_back: list[OrbitFile]


def choose_half_orbits(archive: object, number: int, seed: int) -> Chosen:
    """Choose half-orbits by chance, so that they spread over time, hemisphere and mode.

    The choice depends on names and seed alone: what is added to an archive moves few.

    Raises:
        InputError: there is no such archive, or it holds too few.
    """
    entries = list_orbits(archive).entries
    ranked = sorted(entries, key=lambda entry: _chance(seed, entry.key.identity))[:number]
    if len(ranked) < 20:
        raise InputError(f"{archive}: holds {len(ranked)} half-orbits; give 20 or more")
    cycles = sorted({entry.key.cycle for entry in ranked}, key=lambda cycle: _chance(seed, cycle))
    wanted = round(HELD_BACK * len(ranked))
    if len(cycles) < 4:  # too few to hold whole cycles back
        held = {entry.key.identity for entry in ranked[:wanted]}
    else:
        held = set()
        for cycle in cycles:
            if len(held) >= wanted:
                break
            held |= {entry.key.identity for entry in ranked if entry.key.cycle == cycle}
    ranked.sort(key=lambda entry: (entry.key.start, entry.key.identity))
    return Chosen(
        [entry for entry in ranked if entry.key.identity not in held],
        [entry for entry in ranked if entry.key.identity in held],
    )


def _chance(seed: int, name: object) -> bytes:
    return hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest()


# -- backgrounds ------------------------------------------------------------------------------


class FirstLook:
    """A model that looks at half-orbits of an archive.

    Args:
        folder: of the model.
        batch: half-orbits that it is given at once.
    """

    def __init__(self, folder: str, batch: int = 8) -> None:
        self.loaded: LoadedModel = load_model(folder)
        card = self.loaded.card
        self.digest = card.digest
        self.images = OrbitImageSettings.from_dict(dict(card.image))
        self.regions, self.temperature = read_thresholds(card.thresholds)
        self.batch = batch
        self.predict = Predictor(
            self.loaded.model, batch=batch, temperature=self.temperature or 1.0, device="auto"
        )

    def look(
        self, entries: Sequence[OrbitFile], advance: Advance | None = None
    ) -> Iterator[tuple[int, Orbit, Image, Image]]:
        """Yield each half-orbit that can be read: its place, itself with Z, its image and map.

        Raises:
            TransientError: the store does not answer.
        """
        waiting: list[tuple[int, Orbit, Image]] = []
        for place, entry in enumerate(entries):
            try:
                orbit = read_orbit(entry.path, self.images.component)
                image = spectrogram_image(orbit.amplitude[self.images.component], self.images)
            except (ArchiveError, InputError):
                continue  # `odm reprocess` says what is wrong with it
            finally:
                if advance is not None:
                    advance(1)
            waiting.append((place, orbit, image))
            if len(waiting) == self.batch:
                yield from self._seen(waiting)
                waiting = []
        if waiting:
            yield from self._seen(waiting)

    def _seen(
        self, waiting: list[tuple[int, Orbit, Image]]
    ) -> Iterator[tuple[int, Orbit, Image, Image]]:
        maps = self.predict(np.stack([image for _, _, image in waiting]))
        for (place, orbit, image), seen in zip(waiting, maps, strict=True):
            yield place, orbit, image, seen


def suspicious(seen: Image) -> Mask:
    """Return where a map (H, W) uint8 says that there may be a nucleus, with a margin."""
    weak = (seen >= _SUSPICIOUS * LEVELS).astype(np.uint8)
    count, labels, _, _ = cv2.connectedComponentsWithStats(weak, connectivity=8)
    strong = np.bincount(labels[seen >= _SUSPECT * LEVELS], minlength=count)
    suspects = strong > 0
    suspects[0] = False
    side = 2 * _MARGIN + 1
    grown = cv2.dilate(suspects[labels].astype(np.uint8), np.ones((side, side), np.uint8))
    return grown > 0


def prepare_backgrounds(
    chosen: Chosen,
    model: str,
    settings: AdaptSettings,
    work: Path,
    advance: Advance | None = None,
) -> Backgrounds:
    """Prepare half-orbits of an archive as backgrounds, or find those that are prepared already.

    Args:
        chosen: which.
        model: folder of the first model, which says what is suspicious.
        settings: seed of what is planted.
        work: folder that gets them, in a folder named after what they are made of.
        advance: called with the number of half-orbits just looked at.

    Raises:
        InputError: most cannot be read, or the folder cannot be written.
    """
    first = FirstLook(model)
    names = {
        part: [entry.key.stem for entry in entries]
        for part, entries in (("train", chosen.train), ("validation", chosen.held_back))
    }
    made_of: dict[str, Any] = {"half_orbits": names, "model": first.digest, "seed": settings.seed}
    digest = hashlib.sha256(repr(made_of).encode()).hexdigest()
    folder = work / f"backgrounds-{digest[:12]}"
    try:
        return Backgrounds.open(folder)
    except InputError:
        pass
    counts = {"train": 0, "validation": 0}
    for _, _, image, seen in first.look(chosen.train, advance):
        mask = np.where(suspicious(seen), np.uint8(IGNORED), np.uint8(0))
        keep_background(folder, "train", counts["train"], (image, mask))
        counts["train"] += 1
    for place, orbit, _, seen in first.look(chosen.held_back, advance):
        planted = plant_in(orbit, seen, settings.seed, chosen.held_back[place], first.images)
        image = spectrogram_image(planted.amplitude, first.images)
        geometry = geometry_of(orbit, first.images)
        classes = np.where(planted.ignored, np.uint8(IGNORED), np.uint8(0))
        classes[planted.numbers > 0] = 1
        mask = geometry.mask_from_native(np.rot90(classes))
        mask[suspicious(seen) & (mask == 0)] = IGNORED
        keep_background(folder, "validation", counts["validation"], (image, mask))
        counts["validation"] += 1
    for part, entries in (("train", chosen.train), ("validation", chosen.held_back)):
        if counts[part] < max(4, len(entries) // 2):
            raise InputError(
                f"only {counts[part]} of {len(entries)} half-orbits of the archive can be read: "
                "odm reprocess orbits says what is wrong with the others"
            )
    return close_folder(folder, counts, first.images, made_of)


def plant_in(
    orbit: Orbit, seen: Image, seed: int, entry: OrbitFile, images: OrbitImageSettings
) -> Planted:
    """Plant nuclei in a half-orbit, always the same ones, where nothing is suspicious."""
    name = hashlib.blake2b(entry.key.identity.encode(), digest_size=8).digest()
    rng = np.random.default_rng([seed, int.from_bytes(name)])
    native = geometry_of(orbit, images).mask_to_native(suspicious(seen).astype(np.uint8))
    contrasts = [draw_peak_db(rng, 0.5) for _ in range(PLANTS)]
    amplitude = orbit.amplitude[images.component]
    return plant_nuclei(amplitude, contrasts, rng, np.rot90(native > 0, -1))


def data_set(backgrounds: Backgrounds, seed: int) -> DrawnDataset:
    """Return the data set of the training: the archive's half-orbits with drawn ones."""
    counts = backgrounds.counts
    # Each of the archive's is in use about three times, with other nuclei.
    in_use = min(1200, 4 * counts["train"])
    validation = min(200, round(counts["validation"] / _SHARE))
    config = DrawnConfig(
        kind="drawn orbits",
        image=backgrounds.image,
        seed=21 + 2 * seed,
        skies=_SIMULATED,
        half_orbits=in_use,
        fresh=in_use // 20,
        validation=ValidationSettings(seed=22 + 2 * seed, half_orbits=validation),
        backgrounds=BackgroundSettings(folder=str(backgrounds.folder.absolute()), share=_SHARE),
    )
    return DrawnDataset(config)


def training_settings() -> SegmenterSettings:
    """Return the settings of the training, where the user gives no others."""
    return SegmenterSettings.model_validate(TRAINING)


# -- thresholds and sheet ---------------------------------------------------------------------


@dataclass(frozen=True)
class Counted:
    """What a model finds in half-orbits that are held back, with regions that grow from ``low``.

    Attributes:
        low: probability from which regions grow.
        untouched: for each half-orbit the confidences of the regions in it as it is.
        planted: for each half-orbit, and each nucleus planted in it, contrast in dB and confidence
            of the region that finds it, 0 for none.
    """

    low: float
    untouched: list[list[float]]
    planted: list[list[tuple[float, float]]]

    def part(self, places: Sequence[int]) -> Counted:
        """Return what is counted of some half-orbits."""
        return Counted(
            self.low,
            [self.untouched[place] for place in places],
            [self.planted[place] for place in places],
        )

    def recall(self, least: float) -> float:
        """Share of the planted nuclei that is found with at least a confidence."""
        found = [confidence >= least for one in self.planted for _, confidence in one]
        return float(np.mean(found)) if found else 0.0

    def per_100(self, least: float) -> float:
        """Regions with at least a confidence per 100 untouched half-orbits."""
        number = sum(confidence >= least for one in self.untouched for confidence in one)
        return 100 * number / max(len(self.untouched), 1)

    def least_confidence(self, settings: AdaptSettings) -> float:
        """Return the lowest confidence at which no more is found than nuclei are expected, and
        `AdaptSettings.false_per_100` beyond them."""
        candidates = sorted({value for one in self.untouched for value in one}, reverse=True)
        for value in candidates:
            expected = 100 * settings.prevalence * NUCLEI_EACH * self.recall(value)
            if self.per_100(value) > expected + settings.false_per_100:
                return float(np.nextafter(value, 1))
        return 0.0


def count_found(
    model: str,
    chosen: Chosen,
    first: str,
    settings: AdaptSettings,
    lows: Sequence[float] = (),
    advance: Advance | None = None,
) -> list[Counted]:
    """Count what a model finds in the half-orbits that are held back.

    Args:
        model: its folder.
        chosen: the half-orbits.
        first: folder of the model that said what is suspicious, so that the same is planted.
        settings: seed of what is planted.
        lows: probabilities from which regions may grow; none for the model's own thresholds.
        advance: called with the number of half-orbits just looked at.

    Returns:
        One for each of ``lows``, or that of the model's own thresholds.
    """
    looking, own = FirstLook(first), FirstLook(model)
    tried = [_tried(own.regions, low) for low in lows] or [own.regions]
    counted = [Counted(one.low_threshold, [], []) for one in tried]
    for place, orbit, image, seen in looking.look(chosen.held_back, advance):
        planted = plant_in(orbit, seen, settings.seed, chosen.held_back[place], own.images)
        shown = spectrogram_image(planted.amplitude, own.images)
        geometry = geometry_of(orbit, own.images)
        plain, changed = own.predict(np.stack([image, shown]))
        truth = [
            np.rot90(planted.numbers == number + 1) for number in range(len(planted.contrasts_db))
        ]
        for regions, one in zip(tried, counted, strict=True):
            before = find_regions(plain, geometry, regions)
            one.untouched.append([region.confidence for region in before])
            after = find_regions(changed, geometry, regions)
            confidences = [region.confidence for region in after]
            overlaps, _ = mask_overlaps(truth, [region.mask for region in after])
            match = match_findings(overlaps, confidences, OVERLAPS[0])
            best = {nucleus: confidences[region] for nucleus, region in match.pairs}
            one.planted.append(
                [(db, best.get(number, 0.0)) for number, db in enumerate(planted.contrasts_db)]
            )
    return counted


def _tried(regions: RegionSettings, low: float) -> RegionSettings:
    """Settings that keep what is found however sure it is."""
    threshold = max(low, min(regions.threshold, 0.5))
    return replace(
        regions,
        low_threshold=low,
        threshold=threshold,
        minimum_confidence=0.0,
        averaged="log_odds",
    )


@dataclass(frozen=True)
class Fitted:
    """Thresholds of an adapted model, and its sheet.

    Attributes:
        regions: settings of regions.
        sheet: recall by contrast and regions per 100 half-orbits, as plain values.
    """

    regions: RegionSettings
    sheet: dict[str, Any]


def fit_thresholds(
    counted: Sequence[Counted], regions: RegionSettings, settings: AdaptSettings
) -> Fitted:
    """Choose thresholds, and tell what they give: fitted on one half of the half-orbits and counted
    on the other, both ways; the model gets those that all of them give."""
    places = list(range(len(counted[0].untouched)))
    found: list[tuple[float, bool]] = []
    regions_found = 0
    for mine, others in ((places[::2], places[1::2]), (places[1::2], places[::2])):
        best, least = _best([one.part(mine) for one in counted], settings)
        other = next(one for one in counted if one.low == best.low).part(others)
        found += [(db, confidence >= least) for one in other.planted for db, confidence in one]
        regions_found += sum(value >= least for one in other.untouched for value in one)
    best, least = _best(counted, settings)
    tried = _tried(regions, best.low)
    chosen = replace(tried, minimum_confidence=least)
    return Fitted(chosen, _sheet(found, regions_found, len(places)))


def _best(counted: Sequence[Counted], settings: AdaptSettings) -> tuple[Counted, float]:
    """The counts with the highest recall at the confidence that they allow, and that."""
    rated = [
        (one.recall(least), one, least)
        for one in counted
        for least in (one.least_confidence(settings),)
    ]
    _, best, least = max(rated, key=lambda rating: rating[0])
    return best, least


def sheet_of(counted: Counted, least: float) -> dict[str, Any]:
    """Return the sheet of a model with thresholds of its own."""
    found = [(db, confidence >= least) for one in counted.planted for db, confidence in one]
    number = sum(value >= least for one in counted.untouched for value in one)
    return _sheet(found, number, len(counted.untouched))


def _sheet(found: list[tuple[float, bool]], regions: int, half_orbits: int) -> dict[str, Any]:
    """Recall by contrast, and regions per 100 half-orbits."""
    rows = []
    for low, high in pairwise(CONTRAST_EDGES_DB):
        inside = [hit for db, hit in found if low <= db < high or db == high == STRONGEST_DB]
        rows.append(
            {"from_db": low, "to_db": high, "planted": len(inside), "found": int(sum(inside))}
        )
    return {
        "planted": len(found),
        "found": int(sum(hit for _, hit in found)),
        "by_contrast": rows,
        "untouched_half_orbits": half_orbits,
        "regions_in_untouched": regions,
    }


def save_adapted(
    trained: str, out: str, fitted: Fitted, temperature: float | None, facts: Mapping[str, Any]
) -> str:
    """Save a trained model with its thresholds, and with what it was adapted to; its digest."""
    loaded = load_model(trained)
    card = loaded.card
    thresholds: dict[str, Any] = fitted.regions.to_dict()
    if temperature is not None:
        thresholds["temperature"] = temperature
    saved = save_model(
        out,
        loaded.model,
        image=card.image,
        thresholds=thresholds,
        training_data=card.training_data,
        metrics={**card.metrics, "adapted": fitted.sheet},
        notes={**card.notes, "adapted_to": dict(facts)},
        half=True,
    )
    return saved.digest
