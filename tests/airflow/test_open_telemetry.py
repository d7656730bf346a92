"""Metrics as Airflow's exporter of OpenTelemetry sends them: OTLP over HTTP, to a receiver on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

pytestmark = pytest.mark.airflow

_TASK = """
from datetime import timedelta

from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics.stats_utils import get_stats_factory
from opentelemetry import metrics

from airflow_atscale_aggs.metrics import emission

stats.initialize(factory=get_stats_factory(), export_legacy_names=False)
emission.emit_failed("tiny_sales")
emission.emit_failed("tiny_sales")
emission.emit_age("tiny_sales", timedelta(hours=2))
emission._emit("timing", "build.duration", timedelta(seconds=1.5), model="tiny_sales")
metrics.get_meter_provider().force_flush()
"""
"""What a task does; its process ends at once, so that nothing waits for the next interval."""


class _Receiver(HTTPServer):
    """Keeps the metrics that come, by name."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.found: dict[str, Metric] = {}


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        request = ExportMetricsServiceRequest()
        request.ParseFromString(self.rfile.read(int(self.headers["content-length"])))
        assert isinstance(self.server, _Receiver)
        for resource in request.resource_metrics:
            for scope in resource.scope_metrics:
                self.server.found |= {metric.name: metric for metric in scope.metrics}
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is that of the base class
        """Say nothing."""


def test_metrics_arrive_at_a_receiver_of_open_telemetry() -> None:
    """A counter as a sum, a gauge as a gauge, a timer as a histogram of milliseconds; the model is an attribute."""
    with _Receiver() as receiver:
        threading.Thread(target=receiver.serve_forever, daemon=True).start()
        options = {
            "AIRFLOW__METRICS__OTEL_ON": "True",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.server_port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_METRIC_EXPORT_INTERVAL": "60000",
        }
        done = subprocess.run(
            [sys.executable, "-c", _TASK], env={**os.environ, **options}, capture_output=True, text=True, check=False
        )
        receiver.shutdown()

    assert done.returncode == 0, done.stderr
    found = {name: metric for name, metric in receiver.found.items() if "atscale_aggs" in name}
    names = ("batches.failed", "oldest_aggregate.age", "build.duration")
    assert set(found) == {f"airflow.atscale_aggs.{name}" for name in names}, (sorted(receiver.found), done.stderr)
    failed, age, duration = (found[f"airflow.atscale_aggs.{name}"] for name in names)
    (counted,) = failed.sum.data_points
    (measured,) = age.gauge.data_points
    (timed,) = duration.exponential_histogram.data_points
    assert 2 in {counted.as_int, counted.as_double}
    assert measured.as_double == 7200
    assert (timed.count, timed.sum, duration.unit) == (1, 1500, "ms")
    for point in (counted, measured, timed):
        assert ("model", "tiny_sales") in {(known.key, known.value.string_value) for known in point.attributes}
