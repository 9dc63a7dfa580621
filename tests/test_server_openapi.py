"""Whatever the OpenAPI document allows, and what it forbids, is asked of a real server: it answers as documented."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.live import serving
from tests.toy_model import scene_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

EXAMPLES, MANY_EXAMPLES = 3, 150
CHECKS = [status_code_conformance, content_type_conformance, response_headers_conformance, response_schema_conformance]
ABLE = {503, 504, 507}
"""Statuses of a server that is full, slow, or has no disk left: it works as it should."""
MODES = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
TIMEOUT_S = 20


@dataclass(frozen=True)
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
            there["job_id"] = self._receiving() if operation.path.endswith("/scene") else self._done()
        return {name: value for name, value in there.items() if name in names}

    def _receiving(self) -> str:
        """A job that waits for its scene."""
        answer = self.client.post("/v1/jobs", json={"upload": {"name": "a.png", "size": 1000}})
        return str(answer.raise_for_status().json()["id"])

    def _done(self) -> str:
        """A job that is done."""
        job = self.client.post("/v1/jobs", content=self.scene).raise_for_status().json()
        end = time.monotonic() + TIMEOUT_S
        while job["state"] != "done":
            assert time.monotonic() < end, job
            time.sleep(0.01)
            job = self.client.get(f"/v1/jobs/{job['id']}").json()
        return str(job["id"])


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("server")
    scene = scene_file(folder / "a.png").read_bytes()
    with serving(folder, keep_s=3600, max_waiting_jobs=10_000) as (client, _), requests.Session() as session:
        url = f"{client.base_url}/openapi.json"
        yield Api(client, scene, schemathesis.openapi.from_url(url, config=SchemathesisConfig()), session)


def _ask(api: Api, case: Any) -> None:  # noqa: ANN401 - a case of schemathesis
    """Send a request; its answer must be as documented."""
    answer = case.call_and_validate(session=api.session, checks=CHECKS, timeout=TIMEOUT_S)
    assert answer.status_code < 500 or answer.status_code in ABLE, answer.text


def _fault(api: Api, operation: Any, mode: Any, examples: int, known: dict[str, str]) -> str | None:  # noqa: ANN401 - schemathesis has no public names
    """What is wrong with the answers to some requests, with the request."""

    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck),
        phases=[Phase.generate], derandomize=examples == EXAMPLES, print_blob=False,
    )  # fmt: skip
    @given(operation.as_strategy(mode, path_parameters=known or None))
    def ask(case: Any) -> None:  # noqa: ANN401 - as above
        _ask(api, case)

    try:
        ask()
    except Unsatisfiable:  # nothing can be sent that the document forbids
        return None
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault
        return f"{operation.label} ({mode.value}): {error}"
    return None


def _faults(api: Api, examples: int) -> list[str]:
    """What is wrong with the answers of all operations, each asked for what is there and for what is not."""
    faults = []
    for operation in api.operations:
        for mode in MODES:
            for known in ({}, api.known(operation)):
                faults.append(_fault(api, operation, mode, examples, known))
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
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault
                faults.append(f"{operation.label}: {error}")
    return faults


def test_answers_are_as_documented(api: Api) -> None:
    assert len(api.operations) > 12
    faults = _faults(api, EXAMPLES)
    assert not faults, "\n\n".join(faults)


@pytest.mark.slow
def test_many_answers_are_as_documented(api: Api) -> None:
    faults = [*_boundary_faults(api), *_faults(api, MANY_EXAMPLES)]
    assert not faults, "\n\n".join(faults)
