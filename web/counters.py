"""What this process counts for the metrics; each process counts its own, named by its label."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable

from flask import Flask, Response, request
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from domain.health import Gauge

REGISTRY = CollectorRegistry(auto_describe=False)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REQUESTS = Counter(
    "paydesk_requests",
    "Requests answered.",
    ["process", "method", "route", "status"],
    registry=REGISTRY,
)
CSP_REPORTS = Counter(
    "paydesk_csp_reports",
    "Violations of the content security policy that browsers reported.",
    ["process", "directive"],
    registry=REGISTRY,
)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def process() -> str:
    """Name this process among the others; after a fork it is another one."""
    return f"{socket.gethostname()}:{os.getpid()}"


class _Given(Collector):
    """Numbers that were read from the database for this one answer."""

    def __init__(self, gauges: Iterable[Gauge]) -> None:
        self._gauges = list(gauges)

    def collect(self) -> Iterable[Metric]:
        families: dict[str, GaugeMetricFamily] = {}
        for each in self._gauges:
            family = families.setdefault(
                each.name, GaugeMetricFamily(each.name, each.help, labels=sorted(each.labels))
            )
            family.add_metric([each.labels[name] for name in sorted(each.labels)], each.value)
        return families.values()


def exposition(gauges: Iterable[Gauge]) -> bytes:
    """Write the database's numbers and this process's counters as Prometheus text."""
    once = CollectorRegistry(auto_describe=False)
    once.register(_Given(gauges))
    return generate_latest(once) + generate_latest(REGISTRY)


def register(app: Flask) -> None:
    """Count every answer of this app by its route, never by its address."""
    # Making the labels anew for each answer costs more than counting it.
    children: dict[tuple[str, str, int], Counter] = {}

    def count(response: Response) -> Response:
        rule = request.url_rule
        method = request.method if request.method in _METHODS else "other"
        key = (method, rule.rule if rule is not None else "none", response.status_code)
        child = children.get(key)
        if child is None:
            child = children[key] = REQUESTS.labels(process(), key[0], key[1], str(key[2]))
        child.inc()
        return response

    app.after_request(count)
