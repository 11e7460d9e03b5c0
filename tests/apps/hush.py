"""An application that lets secrets slip in every way there is; `tests/e2e/test_secrets.py` looks where they come out."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Annotated

from penstock import (
    App,
    BackgroundTasks,
    Cache,
    CookieSessions,
    Form,
    HTTPError,
    RedisStore,
    Request,
    Secret,
    UploadFile,
    WebSocket,
)

log = logging.getLogger("penstock.hush")

STORE_PASSWORD = "Hush90store"
BUILT_IN = "Hush91setting"


@dataclass
class Login:
    user: str
    password: Secret[str]
    pin: int = 0


@dataclass
class Settings:
    name: str
    database_password: str = BUILT_IN


def wsgi(environ, start_response):
    raise ValueError(
        f"wsgi: {environ['HTTP_AUTHORIZATION']}, password={environ['QUERY_STRING'].partition('=')[2]}"
    )


async def asgi(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("http alone")
    fields = dict(scope["headers"])
    raise ValueError(f"asgi: {fields!r}, {scope['query_string']!r}")


app = App(hooks=[CookieSessions(secret=f"{BUILT_IN}-of-32-octets-and-more-for-hmac")])
app.mount("/wsgi", wsgi)
app.mount("/asgi", asgi)
cache = Cache(store=RedisStore(f"redis://bob:{STORE_PASSWORD}@127.0.0.1:1/0"))


def authenticate(password: str) -> None:
    given = {"user": "bob", "password": password}
    token = password
    raise PermissionError(f"no such login: {given}, token={token}")


@app.get("/boom")
async def boom(request: Request) -> str:
    settings = Settings("shop")
    api_key = request.headers["x-api-key"]
    try:
        authenticate(request.query["password"])
    except PermissionError as error:
        error.add_note(f"Authorization: {request.headers['authorization']}")
        raise ValueError(f"{settings}: api_key={api_key!r} for {request.headers!r}") from error
    return ""


@app.get("/thread/{code}")
def in_thread(code: str, request: Request) -> str:
    log.warning("login of %s with %r", "bob", {"password": request.query["password"]})
    log.info("fields %s", request.headers, extra={"api_key": request.headers["x-api-key"], "code": code})
    log.error(
        "password=%s and url https://bob:%s@host/", request.query["password"], request.query["password"]
    )
    raise LookupError(f"{code}: {request.query!r}")


@app.get("/process", run="process")
def in_process(password: str) -> str:
    raise ValueError(f"in a process: password={password}")


@app.post("/json")
async def by_json(login: Login, request: Request) -> str:
    if login.pin:
        raise ValueError(f"{login} {request.body.decode()}")
    return "ok"


@app.post("/form")
async def by_form(user: Annotated[str, Form()], password: Annotated[str, Form()], request: Request) -> str:
    request.session["token"] = password
    raise ValueError(f"{request.form()} {request.session} {request.cookies} password: {password}")


@app.post("/upload")
async def upload(request: Request) -> str:
    form = request.form()
    file = form.file("file")
    assert isinstance(file, UploadFile)
    raise ValueError(f"{file} {form!r} {dict(form.items())}")


@app.get("/background")
async def background(password: str, tasks: BackgroundTasks) -> str:
    tasks.add(authenticate, password)
    return "later"


@app.get("/cached")
async def cached() -> str:
    await cache.aget("x")
    return "kept"


@app.get("/refuse")
async def refuse(password: str) -> str:
    raise HTTPError(403, "not this one")


@app.websocket("/ws")
async def talk(ws: WebSocket, token: str) -> None:
    async for message in ws:
        raise ValueError(f"{ws}: token={token}, {message}")


@app.get("/wait")
async def wait(token: str) -> str:
    import asyncio

    await asyncio.sleep(60)
    return token
