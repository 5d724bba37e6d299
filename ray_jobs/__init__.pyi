from .cluster.connection import connect as connect
from .cluster.nodes import check_nodes as check_nodes
from .cluster.room import Cluster as Cluster
from .cluster.room import ClusterError as ClusterError
from .jobs.client import JobClient as JobClient
