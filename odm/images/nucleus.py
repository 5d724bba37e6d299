"""What counts as a nucleus, in numbers; ``docs/nucleus.md`` says where they are from.

Labels, simulators, augmentation and frozen tests take them from here.
"""

from __future__ import annotations

LEAST_AREA, MOST_AREA = 500, 8000
"""Pixels of the file inside the outline: one row (2.048 s) by one frequency (24.4 Hz) each."""
OUTLINE_SHARE, OUTLINE_DB = 0.3, 1.0
"""The outline is where the excess over the surroundings falls below this share of its peak in dB,
or below so many dB, whichever comes first when going outward."""
WEAKEST_DB = 3.0
"""A peak of less excess is ignored: nobody can say whether it is one."""
