"""Leading edges of the layers of an ionogram: P'(f), the least group path at each frequency.

`edges_of` finds them in an ionogram, `matrix_edges` in arrays; `edges_found` and `edge_rows` make
columns of the catalog of them, and `edge_of_row` reads these back.
"""

from odm.core.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "CLASSES": "odm.findings.edges.settings",
        "CONVENTION": "odm.findings.edges.edge",
        "EdgeConstants": "odm.findings.edges.settings",
        "EdgeMethod": "odm.findings.edges.settings",
        "EdgeSettings": "odm.findings.edges.settings",
        "LayerEdge": "odm.findings.edges.edge",
        "edge_of_row": "odm.findings.edges.rows",
        "edge_rows": "odm.findings.edges.rows",
        "edges_found": "odm.findings.edges.rows",
        "edges_of": "odm.findings.edges.find",
        "matrix_edges": "odm.findings.edges.find",
    },
)
