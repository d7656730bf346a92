"""Metrics as Airflow's exporter of OpenTelemetry sends them: OTLP over HTTP, to a receiver on this machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

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


class _Receiver(BaseHTTPRequestHandler):
    """Keeps what comes, by the name of the metric."""

    found: dict[str, dict[str, Any]]

    def do_POST(self) -> None:
        request = ExportMetricsServiceRequest()
        request.ParseFromString(self.rfile.read(int(self.headers["content-length"])))
        for resource in MessageToDict(request).get("resourceMetrics", ()):
            for scope in resource["scopeMetrics"]:
                self.found |= {metric["name"]: metric for metric in scope["metrics"]}
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is that of the base class
        """Say nothing."""


def test_metrics_arrive_at_a_receiver_of_open_telemetry() -> None:
    """A counter as a sum, a gauge as a gauge, a timer as a histogram of milliseconds; the model is an attribute."""
    handler = type("_Handler", (_Receiver,), {"found": {}})
    with HTTPServer(("127.0.0.1", 0), handler) as receiver:
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
    found = {name: metric for name, metric in handler.found.items() if "atscale_aggs" in name}
    assert set(found) == {
        "airflow.atscale_aggs.batches.failed",
        "airflow.atscale_aggs.oldest_aggregate.age",
        "airflow.atscale_aggs.build.duration",
    }, (json.dumps(handler.found), done.stdout, done.stderr)
    (failed,) = found["airflow.atscale_aggs.batches.failed"]["sum"]["dataPoints"]
    (age,) = found["airflow.atscale_aggs.oldest_aggregate.age"]["gauge"]["dataPoints"]
    (duration,) = found["airflow.atscale_aggs.build.duration"]["exponentialHistogram"]["dataPoints"]
    assert failed.get("asInt", failed.get("asDouble")) in {"2", 2.0}
    assert age["asDouble"] == 7200.0
    assert (duration["count"], duration["sum"]) == ("1", 1500.0)
    for point in (failed, age, duration):
        assert {"key": "model", "value": {"stringValue": "tiny_sales"}} in point["attributes"]
