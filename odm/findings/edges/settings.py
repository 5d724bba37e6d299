"""How leading edges are found: what a user chooses, and the constants that were tuned.

`EdgeSettings` is stored with a campaign. `TUNED` holds every constant of the edge finder; its
values were fitted to simulated ionograms of seeds 71 to 73, 404, 505, 606, 707, 808 and 901 to 904
(see `benchmarks/edges.py`). A change of any of them changes the edges of a campaign.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from odm.core.errors import InputError

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
Mask = NDArray[np.bool_]
EdgeMethod = Literal["path", "feng"]
Isolation = Literal["raw", "boxes", "segments"]
Window = tuple[float, float]
"""First and last distance in km from an edge or a path; negative distances lie before it."""
BEHIND: Window = (0.0, np.inf)
"""All of a profile that lies behind an edge or a path."""

CLASSES = ("Es", "F")
"""Layers whose edges are known; a segmentation has them as 1 and 2, and the background as 0."""


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """How edges are found.

    Attributes:
        method: ``path`` or ``feng``.
        layers: ``raw``, ``boxes`` or ``segments``: how one layer is isolated from the others.
        least_contrast_db: a mean profile that rises less is no echo.
        least_columns: an edge of fewer points is none.
    """

    method: EdgeMethod = "path"
    layers: Isolation = "boxes"
    least_contrast_db: float = 4.5
    least_columns: int = 8

    def __post_init__(self) -> None:
        for name, value, known in (
            ("edge", self.method, get_args(EdgeMethod)),
            ("layers", self.layers, get_args(Isolation)),
        ):
            if value not in known:
                raise InputError(f"{name} {value!r} is none of {', '.join(known)}")


class Onset(NamedTuple):
    """How the echo of a layer begins: its power goes as a power of the delay behind the edge.

    Attributes:
        powers: the exponents that are tried.
        ranges_km, usual: (N,) the usual exponent at these ranges, linear between them; empty where
            nothing is known.
        weight: factor by which an exponent is worse for each unit squared that it is off the usual.
        dynamic_db: values this far below the peak are not matched: side lobes of the sounder's code
            may lie there, or a fainter trace.
    """

    powers: tuple[float, ...]
    ranges_km: tuple[float, ...] = ()
    usual: tuple[float, ...] = ()
    weight: float = 0.0
    dynamic_db: float = 13.0

    def penalty(self, range_km: Floats, powers: Floats) -> Floats:
        """Return factors (F, K) of the misfit of exponents (K,) at ranges (F,) in km."""
        if not self.ranges_km:
            return np.ones((range_km.size, powers.size))
        usual = np.interp(range_km, self.ranges_km, self.usual)
        return np.asarray(1 + self.weight * (powers[None] - usual[:, None]) ** 2)


@dataclass(frozen=True)
class EdgeConstants:
    """Constants of the edge finder, in the order of its steps.

    Units are part of the names: ``_km`` of group range, ``_db`` of level, ``_mhz`` of frequency.
    Columns are frequencies of the ionogram, gates are its ranges.
    """

    # Ranges that edges can be found on.
    uneven_share: float = 0.01
    """Steps between ranges may differ by this share of their mean."""
    finest_gate_km: float = 5.0
    """Finer gates are averaged, as many as fit into this: shapes grow with their square."""
    coarsest_gate_km: float = 25.0
    """A rise is not seen in coarser gates."""

    # Level above the noise of each column.
    noise_blocks: int = 16
    """Parts of a column whose medians are compared."""
    noise_rank: int = 2
    """Rank, from the quietest, of the block that is the noise: echoes may fill most of a column."""
    noise_missing_share: float = 0.3
    """A block of which more is missing tells nothing about the noise."""
    noise_correction_db: float = 0.4
    """The chosen block lies this far below the median of the noise."""
    disturbed_db: float = 4.0
    """A column whose noise is this much above that of the others holds interference."""

    # Isolation of one layer.
    nearest_km: float = 90.0
    """No layer is nearer; the direct signal may be."""
    box_margin_km: float = 30.0
    """A box is widened by so much below."""
    box_margin_columns: int = 1
    """A box is widened by so many columns on either side."""
    segment_window_km: Window = (-40.0, 80.0)
    """An edge lies so near the lower border of its layer's segment."""
    least_layer_values: int = 30
    """A segment of fewer values is no layer."""
    least_layer_columns: int = 4
    """A segment or box of fewer columns is no layer."""
    bridged_columns: int = 12
    """A segment with a wider hole is two."""
    cover_gates: int = 3
    """Another layer within so many gates below a segment hides its border."""
    border_columns: int = 5
    """Width of the median that smooths a segment's border."""
    apart_km: float = 100.0
    """The second path through an ionogram that is not cut is at least so far from the first."""

    # Search for the path of the first arrival.
    search_step_km: float = 15.0
    """Approximate step of the search; the path is refined afterwards."""
    search_behind_km: float = 30.0
    """Depth over which the level behind a range is averaged."""
    search_before_km: float = 30.0
    """Depth over which the level before a range is averaged."""
    search_long_before_km: float = 150.0
    """Depth over which earlier echoes are looked for."""
    search_floor_db: float = -3.0
    """Lower levels are raised to this."""
    search_cap_db: float = 20.0
    """A strong echo is no better evidence than one of this rise."""
    search_headroom_db: float = 6.0
    """Levels are cut off so far above the cap."""
    first_arrival: float = 0.5
    """Weight of earlier echoes: the first arrival counts, not the strongest."""
    climb_km_mhz: float = 900.0
    """Largest slope upwards; edges climb by 100 to 850 km/MHz near their highest frequency."""
    sink_km_mhz: float = 260.0
    """Largest slope downwards, as travelling disturbances make it."""
    climb_cost_db: float = 0.25
    """Cost of each step up between neighbouring columns."""
    sink_cost_db: float = 1.2
    """Cost of each step down between neighbouring columns."""
    free_steps: int = 2
    """Steps up that cost nothing."""

    # Mean profiles along a path.
    floor_db: float = -4.0
    ceiling_db: float = 45.0
    """Levels are cut off at the floor and the ceiling before they are averaged."""
    smooth_mhz: float = 0.5
    """Half-width of the triangle over which columns are averaged."""
    pool_mhz: float = 2.0
    """Half-width over which columns share a shape: pulse and exponent change slowly."""
    profile_measured_share: float = 0.3
    """Smallest share of the weight of neighbours that must have been measured."""
    pulses_km: tuple[float, ...] = (6.0, 10.0, 15.0, 21.0, 28.0)
    """Widths of the sounder's pulse at half power that are tried."""
    reach_km: Window = (-75.0, 55.0)
    """Extent of a profile around the path."""
    base_km: Window = (-np.inf, -36.0 + 1e-6)
    """The level before the rise is taken from here."""
    peak_km: Window = (-12.0, 40.0)
    """The peak of a profile is sought here."""
    shift_km: float = 36.0
    """Largest distance of the edge from the path."""
    fine_km: float = 0.5
    """Step on which shapes are computed."""
    contrasts_db: tuple[float, ...] = tuple(1.5 * step for step in range(1, 10))
    """Peaks above the noise for which there are shapes."""
    trusted_db: float = 12.0
    """Columns of more contrast have no more weight in the choice of the shape."""
    own_behind_km: Window = (0.0, 25.0)
    """A single column's rise is measured over this, against `base_km`."""
    resampled: int = 8
    """Number of times that columns are weighted anew (a Bayesian bootstrap)."""
    onsets: Mapping[str, Onset] = field(
        default_factory=lambda: {
            "F": Onset((-0.6, 0.25, 1.0)),
            # A layer at 110 km: the range tells the elevation, and with it how the antenna's gain,
            # the focusing and the layer's reflection change along the first rays.
            "Es": Onset(
                (-0.5, -0.3, -0.1, 0.1, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3),
                (230.0, 265.0, 315.0, 400.0, 525.0, 700.0, 1000.0),
                (0.9, 0.85, 0.45, 0.33, 0.2, 0.07, -0.15),
                weight=2.0,
                dynamic_db=16.0,
            ),
        }
    )
    """How the echo of each layer begins."""

    # Two traces of one layer.
    split_mhz: tuple[float, ...] = (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8)
    """Distances in frequency between the traces that are tried."""
    split_ratios_db: tuple[float, ...] = tuple(-float(ratio) for ratio in range(1, 17))
    """Powers of the first trace against the main one that are tried."""
    split_apart_km: tuple[float, ...] = (
        16.0, 19.0, 23.0, 28.0, 34.0, 41.0, 50.0, 60.0, 72.0, 86.0, 103.0,
    )  # fmt: skip
    """Distances in range between the traces for which there are shapes."""
    split_power: float = -0.6
    """Exponent of both rises."""
    split_reach_km: Window = (-150.0, 36.0)
    """Extent of the profiles around the main trace."""
    split_shift_km: float = 15.0
    """Largest distance of the main trace from its path."""
    split_contrasts_db: tuple[float, ...] = tuple(float(contrast) for contrast in range(4, 21, 2))
    """Peaks above the noise for which there are shapes of two rises."""
    split_dynamic_db: float = 20.0
    """Values this far below the peak are not matched."""
    split_far_km: Window = (-np.inf, -110.0)
    split_close_km: Window = (-75.0, -36.0)
    """The level before both traces is the lower of those far and close."""
    split_peak_km: Window = (-12.0, np.inf)
    """The peak of the main trace is sought here."""
    faint_db: float = -10.4
    """A fainter first trace does not count: 10 dB of power."""
    fainter_db_mhz: float = 3.5
    """Correction of a trace's power by the split: in means of dB noise makes faint power fainter,
    the more the farther the traces are apart."""
    fainter_from_mhz: float = 0.25
    """Split without a correction."""
    faint_ahead_km: float = 40.0
    """So far before the main trace something is not the beginning of the same."""
    faint_behind_km: float = 25.0
    """Depth over which a faint path and the main trace are compared."""
    least_gain: float = 0.3
    """Two rises are accepted if they reduce the misfit by this share."""
    expected_db: float = 6.0
    """The first trace should be seen where it should rise by so much."""
    visible_db: float = 2.0
    """It is seen where it rises by this."""
    unseen_share: float = 0.3
    """Two rises are rejected where a larger share of the first is not seen."""
    visible_reach_km: Window = (-75.0, 20.0)
    """Extent of the profiles in which the first trace is looked for,"""
    visible_before_km: Window = (-np.inf, -36.0)
    """and what of that lies before its rise."""
    split_least_db: float = 10.0
    """Columns with less contrast do not tell one trace from two."""
    split_least_columns: int = 15
    """So many columns must tell."""
    main_less_before: tuple[float, ...] = (0.5, 0.2)
    """Weights of the level before the main trace: against a diffuse echo, and a near trace."""
    main_window_km: Window = (-25.0, 130.0)
    """The main trace is sought here, from the first path."""
    main_before_km: float = 15.0
    main_behind_km: float = 25.0
    """Depths over which the main trace's onset is measured."""
    main_ceiling_db: float = 40.0
    """Stronger levels are no better onset."""
    slope_columns: int = 8
    """The main trace goes on below its lowest frequency with the slope of so many columns."""
    split_hidden_share: float = 0.6
    """Values nearer to the other trace than this share of the distance are left in the profile."""
    split_move_share: float = 0.35
    """The edge of two traces may move by so much of their distance, which is known."""

    # Points that can be relied on.
    last_gates: int = 3
    """An edge in the last gates may lie beyond the window."""
    own_least_db: float = 2.0
    """A disturbed column has an edge only if it rises by so much itself."""
    measured_km: Window = (-30.0, -6.0)
    """An edge is seen against these ranges before it."""
    measured_share: float = 0.5
    """Smallest share of them that must have been measured."""
    common_percentile: float = 15.0
    """A rise that this percentile of the columns has is there at nearly all frequencies."""
    common_db: float = 4.0
    """Such a rise is a disturbance of the sounder: the delays of a layer change with frequency."""
    common_before_km: float = 30.0
    common_behind_km: float = 25.0
    """Depths over which a rise of all columns is measured."""
    common_least_columns: int = 10
    """Fewer columns tell nothing about all frequencies."""
    cut_km: float = 75.0
    """Range before an edge that is checked for values that were cut out."""
    cut_share: float = 0.2
    """An edge with more of that range cut out is not known to be one."""
    cover_km: float = 12.0
    """Another layer so far before an edge lies upon it."""
    cover_reach_km: Window = (-60.0, 25.0)
    """Extent of the profiles in which the rise of a covered edge is looked for,"""
    cover_before_km: Window = (-60.0, -12.0)
    """and what of that lies before its rise."""
    cover_least_db: float = 2.0
    """A smaller rise is not seen."""
    cover_bridged_mhz: float = 0.6
    """A covered edge does not go on across a wider gap,"""
    cover_bridged_steps: float = 1.5
    """nor across one of more usual steps, where those are wider."""
    cover_open_columns: int = 3
    """A shorter stretch, such as a hole in another layer's segment, is no open one."""
    cover_sigma: float = 3.0
    """Factor of the error under another layer."""
    cover_confidence: float = 0.5
    """Factor of the confidence under another layer."""
    speck_columns: int = 3
    """A shorter stretch between gaps is no part of an edge,"""
    speck_around: int = 6
    """unless so many points lie within as many columns on either side,"""
    speck_step_mhz: float = 0.5
    """or the usual step is wider than this."""
    jump_km: float = 75.0
    """An edge is in pieces where its height jumps by more,"""
    piece_columns: int = 3
    """or where more columns are missing."""
    stray_km: float = 100.0
    """A piece that lies so much farther than one of higher frequencies is a later echo, as behind
    the box of another layer: edges rise, up to ripples."""
    interference_share: float = 0.3
    """An edge is flagged where a larger share of its columns is disturbed."""
    sigma_scale: Mapping[str, float] = field(default_factory=lambda: {"F": 2.25, "Es": 2.25})
    """Errors against what resampling tells: neighbours err alike."""
    systematic_km: Mapping[str, float] = field(default_factory=lambda: {"F": 3.5, "Es": 7.0})
    """Errors that resampling cannot tell: the shape of the rise is not known. Both so that 68 % of
    the errors on the ionograms of seeds 71 to 73 lie within."""
    sure_db: float = 4.0
    """An edge of this contrast is as likely as not."""
    sure_scale_db: float = 2.0
    """Scale of the logistic curve of confidence over contrast."""
    confident_gates: float = 4.0
    """Confidence is the chance that an edge lies within so many gates of the truth."""

    # The method of Feng et al. Its own constants were not published.
    feng_threshold_db: float = 5.0
    """Threshold of the denoised map."""
    feng_behind_km: float = 25.0
    """A rise that falls again sooner is no edge."""
    feng_share: float = 0.7
    """Share of that depth that is above the threshold."""
    feng_sigma_km: float = 120.0
    """Standard deviation of the weight around the first fit."""
    feng_degree: int = 4
    """Degree of the polynomial, with at least four points for each."""
    feng_outliers: float = 2.5
    """Standard deviations beyond which a point has no part in the fit."""
    feng_trust_db: float = 6.0
    """Contrast that stands for the confidence of a polynomial."""


TUNED = EdgeConstants()
"""The constants with which edges are found."""
