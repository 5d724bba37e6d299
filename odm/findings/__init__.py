"""What a model's output says: regions, layers and leading edges, measured on the native data."""

from odm.core.lazy import lazy_names

_NAMES = {
    "edges": "EdgeSettings LayerEdge edges_of matrix_edges",
    "inversion": "Inverted invert",
    "layer_rows": "IonogramFacts edge_of_row edge_rows facts_of find_edges layer_rows",
    "layers": "Layer LayerFinder LayerSegmenter SeenLayers",
    "measure": "MAX_GAP_S measure_regions",
    "outlines": "bounding_box outline_mask",
    "pictures": "draw_layers draw_regions layer_of_row",
    "regions": "Region RegionSettings find_regions region_rows regions_from_mask",
}
__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {name: f"{__name__}.{module}" for module, names in _NAMES.items() for name in names.split()},
)
