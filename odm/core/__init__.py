"""What every room needs: errors, files, locks, settings, text, progress, and the registry of kinds.

This room imports no other one, and its modules import neither torch nor Ray.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
