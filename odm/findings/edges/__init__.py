"""Leading edges of the layers of an ionogram: P'(f), the least group path at each frequency.

`matrix_edges` finds them in arrays; `odm.findings.layer_rows.find_edges` in an ionogram.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
