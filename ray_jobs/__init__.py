"""Ray: cluster connection, datasets, training, reprocessing and job submission."""

from typing import TYPE_CHECKING

from odm.core.lazy import lazy_names

if TYPE_CHECKING:
    from ray_jobs.cluster.connection import connect as connect
    from ray_jobs.cluster.nodes import check_nodes as check_nodes
    from ray_jobs.cluster.room import Cluster as Cluster
    from ray_jobs.cluster.room import ClusterError as ClusterError
    from ray_jobs.jobs.client import JobClient as JobClient

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "Cluster": "ray_jobs.cluster.room",
        "ClusterError": "ray_jobs.cluster.room",
        "JobClient": "ray_jobs.jobs.client",
        "check_nodes": "ray_jobs.cluster.nodes",
        "connect": "ray_jobs.cluster.connection",
    },
)
