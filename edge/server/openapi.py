"""The OpenAPI document: FastAPI's own, with the documents that routes speak of but FastAPI does not see."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from edge.server.marks import Marks
from edge.server.oip import InferRequest
from edge.server.oip_errors import InferenceProblem
from edge.server.problems import MEDIA_TYPE, Problem

WHERE = "#/components/schemas/"
UNSEEN = (Problem, InferenceProblem, InferRequest, Marks)
"""Bodies that are streamed, and answers of error handlers."""
FASTAPIS_OWN = ("HTTPValidationError", "ValidationError")
"""What FastAPI would answer where a parameter does not fit; here that is a Problem."""


class Documented(FastAPI):
    """An application whose OpenAPI document is whole."""

    def openapi(self) -> dict[str, Any]:
        """The document; made once."""
        if not self.openapi_schema:
            _complete(super().openapi())
        return self.openapi_schema or {}


def _complete(document: dict[str, Any]) -> None:
    """Add what is missing, and take out what is never answered."""
    schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
    _, unseen = models_json_schema([(model, "validation") for model in UNSEEN], ref_template=f"{WHERE}{{model}}")
    for name, schema in unseen["$defs"].items():
        schemas.setdefault(name, schema)
    for name in FASTAPIS_OWN:
        schemas.pop(name, None)
    for path, operations in document["paths"].items():
        problem = {"$ref": f"{WHERE}{(InferenceProblem if path.startswith('/v2') else Problem).__name__}"}
        for operation in operations.values():
            told = operation["responses"].get("422", {})
            if "application/json" in told.get("content", {}):
                told.update(description="Unprocessable Content", content={MEDIA_TYPE: {"schema": problem}})
