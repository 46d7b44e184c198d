"""Evaluators: one network after the other, in processes of this machine, or on a Ray cluster. No torch."""

from edgewright.evaluation.crew import Crew, require_crew
from edgewright.evaluation.limit import Patience
from edgewright.evaluation.pool import ProcessPool
from edgewright.evaluation.ray_cluster import RayCluster, require_cluster
from edgewright.evaluation.serial import one_by_one
from edgewright.evaluation.slow import Attention, Slow
from edgewright.evaluation.spec import EvaluateOne, EvaluatorSpec

__all__ = [
    "Attention",
    "Crew",
    "EvaluateOne",
    "EvaluatorSpec",
    "Patience",
    "ProcessPool",
    "RayCluster",
    "Slow",
    "one_by_one",
    "require_cluster",
    "require_crew",
]
