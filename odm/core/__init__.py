"""What every room needs: errors, files, locks, settings, text, progress, and the registry of kinds.

This room imports no other one, and its modules import neither torch nor Ray.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from odm.core.lazy import lazy_names

if TYPE_CHECKING:
    from odm.core.errors import AccessError as AccessError
    from odm.core.errors import AnnotationError as AnnotationError
    from odm.core.errors import ArchiveError as ArchiveError
    from odm.core.errors import InputError as InputError
    from odm.core.errors import OdmError as OdmError
    from odm.core.errors import Stopped as Stopped
    from odm.core.errors import TransientError as TransientError
    from odm.core.kinds import KINDS as KINDS
    from odm.core.locks import FileLock as FileLock
    from odm.core.progress import StatusLine as StatusLine
    from odm.core.settings import Settings as Settings
    from odm.core.settings import read_config as read_config
    from odm.core.statement import SIMULATED_DATA as SIMULATED_DATA
    from odm.core.stored import StoredSettings as StoredSettings

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "AccessError": "odm.core.errors",
        "AnnotationError": "odm.core.errors",
        "ArchiveError": "odm.core.errors",
        "FileLock": "odm.core.locks",
        "InputError": "odm.core.errors",
        "KINDS": "odm.core.kinds",
        "OdmError": "odm.core.errors",
        "SIMULATED_DATA": "odm.core.statement",
        "Settings": "odm.core.settings",
        "StatusLine": "odm.core.progress",
        "Stopped": "odm.core.errors",
        "StoredSettings": "odm.core.stored",
        "TransientError": "odm.core.errors",
        "read_config": "odm.core.settings",
    },
)
