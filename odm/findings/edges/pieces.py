"""Pieces of an edge: which of them are the layer's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

JUMP_KM, PIECE_COLUMNS = 75.0, 3
"""An edge in pieces is one where its height jumps, or where so many columns are missing."""
STRAY_KM = 100.0
"""A piece that lies so much farther than one of higher frequencies is a later echo, as behind the
box of another layer: edges rise, up to ripples."""
SPECK_COLUMNS = 3
"""A shorter stretch between gaps is no part of an edge."""


def without_specks(there: NDArray[np.bool_], frequency: Floats) -> NDArray[np.bool_]:
    """Points (F,) but for stretches of a column or two that stand alone; ``frequency`` in Hz."""
    borders = np.diff(np.concatenate([[0], there.astype(np.int8), [0]]))
    starts, ends = np.flatnonzero(borders == 1), np.flatnonzero(borders == -1)
    kept = np.zeros_like(there)
    usual = float(np.median(np.diff(frequency)))
    for start, end in zip(starts, ends, strict=True):
        around = there[max(start - 6, 0) : end + 6].sum()
        if end - start >= SPECK_COLUMNS or around >= 6 or usual > 0.5e6:
            kept[start:end] = True
    return kept


def strays(there: NDArray[np.bool_], edge_km: Floats) -> NDArray[np.bool_]:
    """Points (F,) of pieces that do not go on with the longest one: beyond it at lower frequencies,
    or before it at higher ones."""
    kept = np.flatnonzero(there)
    found = np.zeros_like(there)
    if kept.size < 2:
        return found
    jumps = np.abs(np.diff(edge_km[kept])) > JUMP_KM
    pieces = np.split(kept, np.flatnonzero(jumps | (np.diff(kept) > PIECE_COLUMNS)) + 1)
    longest = max(range(len(pieces)), key=lambda number: pieces[number].size)
    main = edge_km[pieces[longest]]
    for number, piece in enumerate(pieces):
        middle = float(np.median(edge_km[piece]))
        if number < longest:
            found[piece] = middle > main[0] + STRAY_KM
        elif number > longest:
            found[piece] = middle < main[-1] - STRAY_KM
    return found
