"""The server of the page: addresses, and what answers them."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import anyio.to_thread
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from secateur.errors import RecordingNotFoundError, SecateurError, SettingsError
from secateur.review.safety import Access, Guard
from secateur.review.session import ReviewSession
from secateur.review.traces import PageRequest
from secateur.review.verdicts import ConflictError

STATIC = Path(str(files("secateur.review").joinpath("static")))
_AT_ONCE = 4
"""Requests that are worked on at a time; more wait."""
_POLL = 0.2
_LONGEST_POLL = 20.0
_NOTICED = 0.01
"""Progress that is news."""


def application(session: ReviewSession, access: Access) -> Starlette:
    """The application for one session; it ends the session when it ends itself.

    Whoever serves it sets `state.stopping`, which says whether the server has been told to stop: nobody waits
    for news then.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = _AT_ONCE
        yield
        await run_in_threadpool(session.close)

    app = Starlette(
        routes=[
            Route("/", _page),
            Mount("/static", StaticFiles(directory=STATIC, check_dir=False)),
            Route("/api/recordings", _json(lambda session, request: session.recordings())),
            Route("/api/agreement", _json(lambda session, request: session.agreement())),
            Route("/api/recordings/{id}", _json(lambda s, r: s.describe(r.path_params["id"]))),
            Route("/api/recordings/{id}/traces", _traces),
            Route("/api/recordings/{id}/probability", _json(_probability)),
            Route("/api/recordings/{id}/events", _json(lambda s, r: s.events(r.path_params["id"]))),
            Route("/api/recordings/{id}/alarms", _json(lambda s, r: s.alarms(r.path_params["id"]))),
            Route("/api/recordings/{id}/acts", _acts, methods=["POST"]),
            Route("/api/recordings/{id}/attribution", _json(_attribution)),
            Route("/api/recordings/{id}/changes", _changes),
        ],
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={SecateurError: _refusal, HTTPException: _http_error, Exception: _fault},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False  # it would lead out of the path that the page lies below
    app.state.session = session
    app.state.stopping = lambda: False
    return app


def _json(answer: Callable[[ReviewSession, Request], Any]) -> Callable[[Request], Response]:
    """An endpoint that answers in JSON, in a thread of its own."""

    def endpoint(request: Request) -> Response:
        return JSONResponse(answer(request.app.state.session, request))

    return endpoint


def _page(request: Request) -> Response:
    index = STATIC / "index.html"
    if not index.is_file():
        raise HTTPException(404, "the page itself is missing from this installation")
    return FileResponse(index)


def _traces(request: Request) -> Response:
    session: ReviewSession = request.app.state.session
    asked = PageRequest(
        begin=_number(request, "begin", 0.0),
        seconds=_number(request, "seconds", 10.0),
        high=_number(request, "high", 0.0),
        low=_number(request, "low", 0.0),
        notch=_number(request, "notch", 0.0),
        width=_integer(request, "width", 1024),
    )
    montage = request.query_params.get("montage", "")
    page = session.traces(request.path_params["id"], montage, asked)
    return Response(page.to_bytes(), media_type="application/octet-stream")


def _probability(session: ReviewSession, request: Request) -> Any:
    return session.probability(request.path_params["id"], _integer(request, "points", 1000))


def _attribution(session: ReviewSession, request: Request) -> Any:
    onset, duration = _number(request, "onset", 0.0), _number(request, "duration", 0.0)
    return session.attribution(request.path_params["id"], onset, duration)


async def _acts(request: Request) -> Response:
    session: ReviewSession = request.app.state.session
    try:
        act = json.loads(await request.body())
    except (ValueError, RecursionError):
        act = None
    if not isinstance(act, dict):
        raise SettingsError("an act is a JSON object")
    return JSONResponse(await run_in_threadpool(session.act, request.path_params["id"], act))


async def _changes(request: Request) -> Response:
    """Wait until something is new of a recording, or for 20 s."""
    session: ReviewSession = request.app.state.session
    id, since = request.path_params["id"], _integer(request, "since", -1)
    until = time.monotonic() + _LONGEST_POLL
    version, duration, progress, alarms, live = await run_in_threadpool(session.state, id)
    before = duration, progress, live
    known_alarms = _integer(request, "alarms", alarms)
    stopping: Callable[[], bool] = request.app.state.stopping
    while (
        version == since and alarms == known_alarms and time.monotonic() < until and not stopping()
    ):
        await asyncio.sleep(_POLL)
        if await request.is_disconnected():
            break
        version, duration, progress, alarms, live = await run_in_threadpool(session.state, id)
        if (duration, live) != (before[0], before[2]) or progress > before[1] + _NOTICED:
            break
    answer = {"version": version, "duration": duration, "progress": progress}
    return JSONResponse({**answer, "alarms": alarms, "live": live})


def _number(request: Request, name: str, default: float) -> float:
    text = request.query_params.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SettingsError(f"{name} is no number")
    return value


def _integer(request: Request, name: str, default: int) -> int:
    value = _number(request, name, float(default))
    if value != int(value):
        raise SettingsError(f"{name} is no whole number")
    return int(value)


def _refusal(request: Request, error: Exception) -> Response:
    if isinstance(error, ConflictError):
        return JSONResponse(error.answer, 409)
    session: ReviewSession = request.app.state.session
    gone = isinstance(error, RecordingNotFoundError)
    return JSONResponse({"error": session.without_folder(str(error))}, 404 if gone else 400)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


def _fault(request: Request, error: Exception) -> Response:
    """What nobody thought of; the server's own log has the rest."""
    return JSONResponse({"error": f"the server failed ({type(error).__name__})"}, 500)
