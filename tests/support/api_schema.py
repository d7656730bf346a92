"""Calls of the REST API that its own OpenAPI suggests, right ones and wrong ones, and what answers must keep to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import AcceptedNegativeData, FailureGroup
from schemathesis.generation import GenerationMode

from tests.support.api_calls import Calls, Operation
from tests.support.api_server import PREFIX

_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
)


@dataclass
class SchemaCalls:
    """Makes calls after the OpenAPI and checks the answers.

    Attributes:
        answered: calls by status.
        findings: what is wrong, each kind once, with how to make it again.
    """

    calls: Calls
    answered: Counter[int] = field(default_factory=Counter)
    findings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        load_all_checks()
        names = {check.__name__: check for check in CHECKS.get_all()}
        self._checks: list[Any] = [names[name] for name in _CHECKS]
        self.description: dict[str, Any] = self.calls.server.client().get("/openapi.json").json()
        # The paths of the description begin where Airflow serves the application.
        self.description["servers"] = [{"url": PREFIX}]
        self._schema = schemathesis.openapi.from_dict(self.description)
        self._schema.app = self.calls.server.app
        self._headers = {"Authorization": f"Bearer {self.calls.server.token('admin')}"}

    def try_operation(self, operation: Operation, *, examples: int, seed_number: int) -> None:
        """Call an operation with right and wrong values; half of the calls name things that exist."""
        described = self._schema[operation.path][operation.method]
        real = {name: self.calls.things[name] for name in operation.parameters("path")}
        for number, mode in enumerate((GenerationMode.POSITIVE, GenerationMode.NEGATIVE)):
            for at_real_things in (True, False):
                try:
                    cases = described.as_strategy(generation_mode=mode)
                    self._try(operation, cases, real if at_real_things else {}, (examples // 4, seed_number + number))
                except Exception as error:
                    # An operation may have nothing that could be wrong.
                    if type(error).__name__ not in {"Unsatisfiable", "NoSuchExample"}:
                        raise

    def _try(
        self, operation: Operation, cases: st.SearchStrategy[Any], real: dict[str, str], often: tuple[int, int]
    ) -> None:
        examples, seed_number = often

        @seed(seed_number)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @given(cases)
        def run(case: Any) -> None:
            self._call(operation, case, real)

        call: Callable[[], None] = run
        call()

    def _call(self, operation: Operation, case: Any, real: dict[str, str]) -> None:
        if real:
            # A wrong value of a path is kept; what is wrong may stand elsewhere.
            case.path_parameters = {**(case.path_parameters or {}), **real}
        if any("\n" in unquote(str(value)) for value in (case.path_parameters or {}).values()):
            # Starlette hands no address with a line break to a mounted application: Airflow answers it itself.
            return
        answer = case.call(headers=self._headers)
        self.answered[answer.status_code] += 1
        try:
            case.validate_response(answer, checks=self._checks if not real else self._checks[:-1])
        except FailureGroup as group:
            for failure in group.exceptions:
                if isinstance(failure, AcceptedNegativeData) and _repeats(case, operation):
                    continue
                kind = f"{case.method} {case.operation.path}: {type(failure).__name__} {answer.status_code}"
                self.findings.setdefault(kind, f"{failure}\n{case.as_curl_command()}\n{answer.text[:500]}")


def _repeats(case: Any, operation: Operation) -> bool:
    """Whether a parameter that is no list stands several times in the query: the last one counts, as in Airflow."""
    schemas = operation.parameters("query")
    return any(
        isinstance(value, list | dict) and schemas.get(name, {}).get("type") != "array"
        for name, value in (case.query or {}).items()
    )
