from .estimate import ClusterSize as ClusterSize
from .estimate import Rates as Rates
from .runner import run_on_ray as run_on_ray
