from .edge import CONVENTION as CONVENTION
from .edge import LayerEdge as LayerEdge
from .find import matrix_edges as matrix_edges
from .settings import CLASSES as CLASSES
from .settings import EdgeConstants as EdgeConstants
from .settings import EdgeMethod as EdgeMethod
from .settings import EdgeSettings as EdgeSettings
