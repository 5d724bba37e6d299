"""Ionograms as inputs of a campaign: their key, what is noted of them, how an archive is listed."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from odm.archive.ionogram.key import IonogramKey
from odm.archive.ionogram.listing import list_ionograms
from odm.catalog.fields import field
from odm.catalog.ionogram.layers import LAYER_SCHEMA, TIME
from odm.catalog.outcomes import OutcomeKind
from odm.catalog.selection import Listing

IONOGRAMS = OutcomeKind(
    name="ionograms",
    inputs="ionograms",
    findings="layers",
    key=(
        field("key_link", pa.string(), "link or station as the file name says, else empty"),
        field("key_time", TIME, "time as the file name says"),
    ),
    finding=LAYER_SCHEMA.remove_metadata(),
    box=(("frequency_min", "frequency_max", 0.0), ("range_min", "range_max", 0.0)),
    largest="confidence",
    shown=(
        "ionogram_id",
        "time",
        "layer",
        "confidence",
        "frequency_min",
        "frequency_max",
        "range_min",
        "range_max",
    ),
    same=("layer",),
    named_by="key_time",
    facts=(
        field("link", pa.string(), "link or station as the file says, else its name"),
        field("time", TIME, "time as the file says, else its name"),
        field("range_convention", pa.string(), "what a range is: backscatter, vertical, oblique"),
        field("frequency_min", pa.float64(), "lowest frequency", "Hz"),
        field("frequency_max", pa.float64(), "highest frequency", "Hz"),
        field("range_min", pa.float64(), "shortest range", "km"),
        field("range_max", pa.float64(), "longest range", "km"),
    ),
)


def list_ionogram_inputs(archive: str) -> Listing:
    """List the ionograms of an archive as inputs, in order of time.

    Raises:
        InputError: there is no such folder, or no ionogram in it.
        TransientError: the store does not answer.
    """
    listing = list_ionograms(archive)
    times = (file.key.time for file in listing.entries)
    passed_over = "{loser.path}: passed over, {winner.path} has the same link and time"
    return Listing.of(listing, key_columns, times, passed_over)


def key_columns(key: IonogramKey) -> dict[str, Any]:
    """Return the columns of `IONOGRAMS` that a key gives."""
    return {"key_link": key.link, "key_time": key.time}
