"""Which half-orbits are in use in which epoch: a function of the settings and the epoch alone.

The half-orbits of a part are a sequence without end. An epoch uses a stretch of it, and the next
epoch the stretch that begins `fresh` later. Sky and label follow a sequence of low discrepancy (the
R2 sequence of Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018), so that
every stretch has the shares that are asked for; orbits go in steps of about the golden section of
seven years, so that it spans all seasons. When every orbit was met once, they come again with
another seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from odm.archive.orbit.key import Direction
from odm.images.geometry import OrbitImageSettings
from odm.training.drawn.backgrounds import BackgroundMaker
from odm.training.drawn.drawing import Drawing, SkyMaker, code_digest
from odm.training.drawn.settings import FIRST_ORBIT, ORBITS, SkySettings

_SKY_STEP, _LABEL_STEP = 0.7548776662466927, 0.5698402909980532
_HALF_STEP = 46_971
"""Half-orbits from one to the next: odd, so that directions alternate, and without a common divisor
with their number, so that each is met before one comes again."""


@dataclass(frozen=True)
class DrawnSample:
    """One half-orbit in use.

    Attributes:
        name: unlike that of any other in use.
        drawing: what it is.
        has_object: whether it is drawn with a nucleus; of a few the simulator finds no room for it.
    """

    name: str
    drawing: Drawing
    has_object: bool


@dataclass(frozen=True)
class Prepared:
    """Half-orbits of an archive that a part has beside the drawn ones.

    Attributes:
        maker: what reads them.
        count: number of them.
        share: of those in use.
        planted: whether they have nuclei.
    """

    maker: BackgroundMaker
    count: int
    share: float
    planted: bool


@dataclass(frozen=True)
class Pool:
    """The half-orbits of one part.

    Attributes:
        settings: what is drawn.
        image: how it becomes an image.
        fresh: number of new ones in every epoch.
        prepared: those of an archive; None for none.
    """

    settings: SkySettings
    image: OrbitImageSettings
    fresh: int = 0
    prepared: Prepared | None = None

    @property
    def size(self) -> int:
        """Number in use in every epoch."""
        return self.settings.half_orbits

    def samples(self, epoch: int) -> list[DrawnSample]:
        """The half-orbits in use in an epoch, counted from 0."""
        first = epoch * self.fresh
        return [self.sample(place) for place in range(first, first + self.size)]

    def fresh_samples(self, epoch: int) -> list[DrawnSample]:
        """Those in use in an epoch that were not in the epoch before."""
        end = epoch * self.fresh + self.size
        return [self.sample(place) for place in range(end - self.fresh, end)]

    def sample(self, place: int) -> DrawnSample:
        """The half-orbit at a place of the sequence, counted from 0."""
        at = (0.5 + place * _SKY_STEP) % 1
        if self.prepared is not None:
            share = self.prepared.share
            if at < share:
                return self._prepared_sample(self.prepared, place)
            at = (at - share) / (1 - share)
        positive = (0.5 + place * _LABEL_STEP) % 1 < self.settings.prevalence
        sky = self._sky(at)
        number, digit = divmod(place * _HALF_STEP % (2 * ORBITS), 2)
        maker = self._maker(sky, positive, turn=place // (2 * ORBITS))
        drawing = Drawing(maker, FIRST_ORBIT + number, Direction.from_digit(digit))
        label = "nucleus" if positive else "clear"
        name = f"{sky}_{maker.recipe.seed}_{drawing.number:05d}{digit}_{label}"
        return DrawnSample(name, drawing, positive)

    def _prepared_sample(self, prepared: Prepared, place: int) -> DrawnSample:
        # The same one can be in use several times: what is added to it differs.
        number = int(place * prepared.share) % prepared.count
        drawing = Drawing(prepared.maker, number, Direction.ASCENDING)
        return DrawnSample(f"archive_{number:05d}_{place}", drawing, prepared.planted)

    def _sky(self, at: float) -> str:
        total = 0.0
        for sky, share in self.settings.shares.items():
            total += share
            if at < total:
                return sky
        return sky

    def _maker(self, sky: str, positive: bool, turn: int) -> SkyMaker:
        known = self._makers.get((sky, positive, turn))
        if known is not None:
            return known
        recipe = self.settings.recipe(sky, self.image.component, positive=positive, turn=turn)
        maker = SkyMaker(recipe, self.image, code_digest(sky))
        return self._makers.setdefault((sky, positive, turn), maker)

    @cached_property
    def _makers(self) -> dict[tuple[str, bool, int], SkyMaker]:
        return {}
