"""What the streams of this process add to the metrics."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from web.counters import REGISTRY, process
from web.hub import hub


class _Streams(Collector):
    """The hub's own numbers, read when they are asked for."""

    def collect(self) -> Iterable[Metric]:
        own = [process()]
        streams = GaugeMetricFamily("paydesk_streams", "Open event streams.", labels=["process"])
        streams.add_metric(own, hub.count)
        frames = CounterMetricFamily(
            "paydesk_stream_frames", "Frames handed to streams.", labels=["process"]
        )
        frames.add_metric(own, hub.delivered)
        let_go = CounterMetricFamily(
            "paydesk_streams_let_go",
            "Streams ended because the client did not keep up.",
            labels=["process"],
        )
        let_go.add_metric(own, hub.let_go)
        return streams, frames, let_go


def register() -> None:
    """Add the figures to this process's metrics."""
    REGISTRY.register(_Streams())
