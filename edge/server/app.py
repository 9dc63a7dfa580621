"""The application: routes, in front of them the guard, and every error as a problem document."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from edge import __version__
from edge.errors import TankerEdgeError
from edge.server import (
    routes_count,
    routes_job_results,
    routes_job_scene,
    routes_jobs,
    routes_models,
    routes_oip,
    routes_ops,
    routes_page,
    routes_view,
)
from edge.server.guard import Guard
from edge.server.observe import CLIENT_CLOSED_REQUEST, Observe
from edge.server.oip_errors import ProtocolErrors
from edge.server.openapi import Documented
from edge.server.problems import HttpError, misfit, problem, respond
from edge.server.shield import Shield

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI, Request
    from fastapi.responses import JSONResponse

    from edge.server.core import Core

ROUTERS = (
    routes_count.router,
    routes_ops.router,
    routes_models.router,
    routes_oip.router,
    routes_jobs.router,
    routes_job_scene.router,
    routes_job_results.router,
    routes_view.router,
    routes_page.router,
)


def create_app(core: Core) -> FastAPI:
    """The ASGI application of a core, which it closes when it ends."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        core.life.ready = True
        core.jobs.start()
        yield
        await asyncio.to_thread(core.close)  # the watchdog is told meanwhile that the event loop answers

    app = Documented(
        title="tanker-edge",
        version=__version__,
        summary="Count oil tankers and other vessels in overhead images of port terminals",
        license_info={"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect is an answer that no route documents
        lifespan=lifespan,
    )
    app.state.core = core
    for router in ROUTERS:
        app.include_router(router)
    app.add_exception_handler(TankerEdgeError, _ours)
    app.add_exception_handler(HttpError, _http)
    app.add_exception_handler(HTTPException, _starlette)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_middleware(Guard, settings=core.settings)
    app.add_middleware(Observe, core=core)
    app.add_middleware(ProtocolErrors)
    app.add_middleware(Shield)  # the last one is outside all others
    return app


def _id(request: Request) -> str | None:
    told: str | None = request.scope.get("state", {}).get("request_id")
    return told


async def _ours(request: Request, error: Any) -> JSONResponse:  # noqa: ANN401 - TankerEdgeError; starlette's type is wider
    return respond(problem(error, _id(request)))


async def _http(request: Request, error: Any) -> JSONResponse:  # noqa: ANN401 - HttpError, as above
    return respond(problem(error, _id(request)), error.headers)


async def _starlette(request: Request, error: Any) -> JSONResponse:  # noqa: ANN401 - HTTPException, as above
    told = problem(HttpError(error.status_code, str(error.detail)), _id(request))
    return respond(told, error.headers)


async def _invalid(request: Request, error: Any) -> JSONResponse:  # noqa: ANN401 - RequestValidationError, as above
    """A parameter that does not fit its description."""
    return respond(problem(misfit(error.errors()[0]), _id(request)))


async def _gone(_: Request, __: Any) -> Response:  # noqa: ANN401 - ClientDisconnect, as above
    """Nobody hears this answer; the log shows why there was no other."""
    return Response(status_code=CLIENT_CLOSED_REQUEST)
