"""Whatever the OpenAPI document allows, and what it forbids, is asked of a real server: it answers as documented."""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from tests.live import serving, wait_until
from tests.toy_model import scene_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    import requests

schemathesis = pytest.importorskip("schemathesis", minversion="4.30", reason="those for Python 3.10 are older")
checks = importlib.import_module("schemathesis.specs.openapi.checks")
FailureGroup = importlib.import_module("schemathesis.core.failures").FailureGroup

EXAMPLES, MANY_EXAMPLES = 3, 150
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
ABLE = {503, 504, 507}
"""Statuses of a server that is full, slow, or has no disk left: it works as it should."""
MODES = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
TIMEOUT_S = 20


@dataclass
class Api:
    """A server, and what its document says of it."""

    client: httpx.Client
    scene: bytes
    schema: Any
    session: requests.Session

    @property
    def operations(self) -> list[Any]:
        """All that can be asked."""
        return [result.ok() for result in self.schema.get_all_operations()]

    def known(self, operation: Any) -> dict[str, str]:  # noqa: ANN401 - schemathesis has no public name for it
        """Parameters of a path that name something that is there."""
        names = {parameter.name for parameter in operation.path_parameters}
        there = {"name": "toy", "version": "1"}
        if "job_id" in names:
            there["job_id"] = self._job(operation)
        return {name: value for name, value in there.items() if name in names}

    def _job(self, operation: Any) -> str:  # noqa: ANN401 - as above
        """A job that waits for its scene, one that may be removed, or one that is done and stays."""
        if operation.path.endswith("/scene"):
            answer = self.client.post("/v1/jobs", json={"upload": {"name": "a.png", "size": 1000}})
            return str(answer.raise_for_status().json()["id"])
        return self._counted() if operation.method == "delete" else self.done

    @cached_property
    def done(self) -> str:
        """A job that is done."""
        return self._counted()

    def _counted(self) -> str:
        """A new job, done."""
        job = self.client.post("/v1/jobs", content=self.scene).raise_for_status().json()
        wait_until(lambda: self.client.get(f"/v1/jobs/{job['id']}").json()["state"] == "done", TIMEOUT_S)
        return str(job["id"])


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("server")
    scene = scene_file(folder / "a.png").read_bytes()
    with (
        serving(folder, keep_s=3600, max_waiting_jobs=10_000) as (client, _),
        importlib.import_module("requests").Session() as session,
    ):
        url = f"{client.base_url}/openapi.json"
        yield Api(client, scene, schemathesis.openapi.from_url(url), session)


def _ask(api: Api, case: Any) -> None:  # noqa: ANN401 - a case of schemathesis
    """Send a request; its answer must be as documented."""
    answer = case.call_and_validate(session=api.session, checks=CHECKS, timeout=TIMEOUT_S)
    assert answer.status_code < 500 or answer.status_code in ABLE, answer.text


def _words(error: BaseException) -> str:
    """An error, or all errors of a group."""
    return "\n".join([str(error), *map(str, getattr(error, "exceptions", ()))])


def _fault(api: Api, label: str, cases: Any, examples: int) -> str | None:  # noqa: ANN401 - a strategy
    """What is wrong with the answers to some requests, with the request."""

    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate], derandomize=examples == EXAMPLES, print_blob=False,
    )  # fmt: skip
    @given(cases)
    def ask(case: Any) -> None:  # noqa: ANN401 - as above
        _ask(api, case)

    try:
        ask()
    except Unsatisfiable:  # nothing can be sent that the document forbids
        return None
    except (Exception, FailureGroup) as error:  # noqa: BLE001 - whatever it is, it is a fault
        return f"{label}: {_words(error)}"
    return None


def _faults(api: Api, examples: int) -> list[str]:
    """What is wrong with the answers of all operations, each asked for what is there and for what is not."""
    faults = []
    for operation in api.operations:
        for known in [{}, api.known(operation)] if operation.path_parameters else [{}]:
            cases = {mode.value: operation.as_strategy(mode, path_parameters=known or None) for mode in MODES}
            if known or not operation.path_parameters:
                shown = operation.get_strategies_from_examples(path_parameters=known)
                cases |= {f"example {i}": strategy for i, strategy in enumerate(shown)}
            faults += [_fault(api, f"{operation.label} ({kind})", cases[kind], examples) for kind in cases]
    return [fault for fault in faults if fault]


def _boundary_faults(api: Api) -> list[str]:
    """What is wrong with the answers to requests at and beyond the bounds of each parameter, one by one."""
    faults = []
    for operation in api.operations:
        config = api.schema.config.generation_for(operation=operation)
        known = api.known(operation)
        for case in api.schema.iter_coverage_cases(operation, generation_modes=list(MODES), generation_config=config):
            case.path_parameters = {**(case.path_parameters or {}), **known} or None
            try:
                _ask(api, case)
            except (Exception, FailureGroup) as error:  # noqa: BLE001 - whatever it is, it is a fault
                faults.append(f"{operation.label}: {_words(error)}")
    return faults


def test_answers_are_as_documented(api: Api) -> None:
    assert len(api.operations) > 12
    faults = _faults(api, EXAMPLES)
    assert not faults, "\n\n".join(faults)


def test_an_answer_that_is_not_documented_is_noticed(api: Api) -> None:
    path = "/v2/models/{name}/ready"
    document = api.client.get("/openapi.json").json()
    document["paths"] = {path: document["paths"][path]}
    del document["paths"][path]["get"]["responses"]["404"]
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=str(api.client.base_url))
    (fault,) = _faults(replace(api, schema=schema), EXAMPLES)
    assert "Received: 404" in fault


def test_the_document_is_whole(api: Api) -> None:
    document = api.client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    for ref in re.findall(r'"\$ref": ?"#/components/schemas/([^"]+)"', json.dumps(document)):
        assert ref in schemas
    assert {"Problem", "InferenceProblem", "InferRequest"} <= set(schemas)
    assert "HTTPValidationError" not in schemas, "no answer looks like that"
    for path, operations in document["paths"].items():
        for operation in operations.values():
            errors = {int(status): told for status, told in operation["responses"].items() if int(status) >= 400}
            assert {401, 403, 500, 503} <= set(errors), path
            assert all(list(told["content"]) == ["application/problem+json"] for told in errors.values()), path


@pytest.mark.slow
def test_many_answers_are_as_documented(api: Api) -> None:
    faults = [*_boundary_faults(api), *_faults(api, MANY_EXAMPLES)]
    assert not faults, "\n\n".join(faults)
