"""What the held requests of this process add to the metrics."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from web.counters import REGISTRY, process
from web.waiters import board


class _Waiting(Collector):
    """The board's own numbers, read when they are asked for."""

    def collect(self) -> Iterable[Metric]:
        own = [process()]
        waiters = GaugeMetricFamily(
            "paydesk_waiters", "Calls held until a transaction moves.", labels=["process"]
        )
        waiters.add_metric(own, board.count)
        reads = CounterMetricFamily(
            "paydesk_waiters_reads", "Queries made to wake them.", labels=["process"]
        )
        reads.add_metric(own, board.reads)
        return waiters, reads


def register() -> None:
    """Add the figures to this process's metrics."""
    REGISTRY.register(_Waiting())
