"""Leading edges of the layers of an ionogram: P'(f), the least group path at each frequency.

`edges_of` finds them in an ionogram, `matrix_edges` in arrays.
"""

from odm.findings.edges.edge import CONVENTION, LayerEdge
from odm.findings.edges.find import edges_of, matrix_edges
from odm.findings.edges.settings import CLASSES, EdgeConstants, EdgeMethod, EdgeSettings

__all__ = [
    "CLASSES",
    "CONVENTION",
    "EdgeConstants",
    "EdgeMethod",
    "EdgeSettings",
    "LayerEdge",
    "edges_of",
    "matrix_edges",
]
