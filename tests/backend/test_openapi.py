"""The HTTP surface against its own description: schemathesis makes up the requests."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from backend.exchange.contract import MEDIA_TYPE
from backend.server.app import create_app
from tests.conftest import TOKEN, RunningBackend

EXAMPLES = 15
# What a body must hold the description cannot say, so a request as described may be refused.
UNSAID = [positive_data_acceptance]

schemathesis.serializer.alias(MEDIA_TYPE, "application/octet-stream")


def never_loaded() -> Any:
    raise AssertionError


# The server's own, which it does not serve.
DESCRIPTION = create_app(never_loaded, TOKEN).openapi()
OPERATIONS = {
    found.ok().label: found.ok()
    for found in schemathesis.openapi.from_dict(DESCRIPTION).get_all_operations()
    if isinstance(found, Ok)
}
# Only a query can be wrong in a way that the description excludes.
WITH_QUERY = [
    f"{method.upper()} {path}"
    for path, methods in DESCRIPTION["paths"].items()
    for method, operation in methods.items()
    if any(parameter["in"] == "query" for parameter in operation.get("parameters", []))
]


@pytest.mark.parametrize("label", OPERATIONS)
def test_requests_as_described(shared_backend: RunningBackend, label: str) -> None:
    check(shared_backend, label, GenerationMode.POSITIVE)


@pytest.mark.parametrize("label", WITH_QUERY)
def test_requests_that_break_the_description(shared_backend: RunningBackend, label: str) -> None:
    check(shared_backend, label, GenerationMode.NEGATIVE)


def check(backend: RunningBackend, label: str, mode: GenerationMode) -> None:
    """No failure of the server, and no answer (status, media type, schema) but those described."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much),
    )
    @given(OPERATIONS[label].as_strategy(generation_mode=mode))
    def examples(case: Case) -> None:
        case.call_and_validate(
            f"http://127.0.0.1:{backend.port}",
            headers=backend.headers,
            excluded_checks=UNSAID,
        )

    examples()
    assert backend.request("GET", "/v1/health").json()["state"] == "ready"
