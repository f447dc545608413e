"""Reports that libraries send to others about their use: switched off, whatever is set outside."""

from __future__ import annotations

import os

SWITCHES = {
    # onnxruntime sends what is run on what to its maker, and keeps a number of the computer in
    # ~/.cache. Its function of that purpose comes too late: the import sends.
    "ORT_DISABLE_TELEMETRY": "1",
    # Ray's head reports even that it shall not report: to where nobody listens.
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:9",
    # FastAPI and OpenTelemetry send requests, and traces of what failed, to where a company's
    # settings say.
    "FASTAPI_OTEL_AUTO_CONFIGURE": "false",
    "OTEL_SDK_DISABLED": "true",
}


def switch_off() -> None:
    """Switch the reports of this process and of its children off."""
    os.environ.update(SWITCHES)
