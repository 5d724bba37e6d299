"""Campaigns: their outcomes, what is still to do, and the catalog of what was found.

`orbit` and `ionogram` hold what belongs to one kind of input; `odm.catalog.kinds` finds it by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from odm.core.lazy import lazy_names

if TYPE_CHECKING:
    from odm.catalog.campaign import Campaign as Campaign
    from odm.catalog.campaign import CampaignCard as CampaignCard
    from odm.catalog.campaign import load_campaign as load_campaign
    from odm.catalog.campaign import open_campaign as open_campaign
    from odm.catalog.catalog import build_catalog as build_catalog
    from odm.catalog.catalog import write_catalog as write_catalog
    from odm.catalog.kinds import kind_of as kind_of
    from odm.catalog.kinds import list_inputs as list_inputs
    from odm.catalog.orbit.regions import read_regions as read_regions
    from odm.catalog.outcomes import Input as Input
    from odm.catalog.outcomes import OutcomeKind as OutcomeKind
    from odm.catalog.outcomes import outcome_table as outcome_table
    from odm.catalog.selection import Listing as Listing
    from odm.catalog.selection import Selection as Selection

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "Campaign": "odm.catalog.campaign",
        "CampaignCard": "odm.catalog.campaign",
        "Input": "odm.catalog.outcomes",
        "Listing": "odm.catalog.selection",
        "OutcomeKind": "odm.catalog.outcomes",
        "Selection": "odm.catalog.selection",
        "build_catalog": "odm.catalog.catalog",
        "kind_of": "odm.catalog.kinds",
        "list_inputs": "odm.catalog.kinds",
        "load_campaign": "odm.catalog.campaign",
        "open_campaign": "odm.catalog.campaign",
        "outcome_table": "odm.catalog.outcomes",
        "read_regions": "odm.catalog.orbit.regions",
        "write_catalog": "odm.catalog.catalog",
    },
)
