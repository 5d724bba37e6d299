"""Leading edges of the layers of an ionogram: P'(f), the least group path at each frequency.

`matrix_edges` finds them in arrays; `odm.findings.layer_rows.find_edges` in an ionogram.
"""

from odm.findings.edges.edge import CONVENTION, LayerEdge
from odm.findings.edges.find import matrix_edges
from odm.findings.edges.settings import CLASSES, EdgeConstants, EdgeMethod, EdgeSettings

__all__ = [
    "CLASSES",
    "CONVENTION",
    "EdgeConstants",
    "EdgeMethod",
    "EdgeSettings",
    "LayerEdge",
    "matrix_edges",
]
