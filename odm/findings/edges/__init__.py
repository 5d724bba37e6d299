"""Leading edges of the layers of an ionogram: P'(f), the least group path at each frequency.

`edges_of` finds them in an ionogram, `matrix_edges` in arrays; `edges_found` and `edge_rows` make
columns of the catalog of them, and `edge_of_row` reads these back.
"""

from typing import TYPE_CHECKING

from odm.core.lazy import lazy_names

if TYPE_CHECKING:
    from odm.findings.edges.edge import CONVENTION as CONVENTION
    from odm.findings.edges.edge import LayerEdge as LayerEdge
    from odm.findings.edges.find import edges_of as edges_of
    from odm.findings.edges.find import matrix_edges as matrix_edges
    from odm.findings.edges.rows import edge_of_row as edge_of_row
    from odm.findings.edges.rows import edge_rows as edge_rows
    from odm.findings.edges.rows import edges_found as edges_found
    from odm.findings.edges.settings import CLASSES as CLASSES
    from odm.findings.edges.settings import EdgeConstants as EdgeConstants
    from odm.findings.edges.settings import EdgeMethod as EdgeMethod
    from odm.findings.edges.settings import EdgeSettings as EdgeSettings

_HOMES = {
    "CLASSES": "settings",
    "CONVENTION": "edge",
    "EdgeConstants": "settings",
    "EdgeMethod": "settings",
    "EdgeSettings": "settings",
    "LayerEdge": "edge",
    "edge_of_row": "rows",
    "edge_rows": "rows",
    "edges_found": "rows",
    "edges_of": "find",
    "matrix_edges": "find",
}
__getattr__, __dir__, __all__ = lazy_names(
    __name__, {name: f"{__name__}.{module}" for name, module in _HOMES.items()}
)
