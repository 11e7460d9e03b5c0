"""The three routes in Falcon: as ASGI and as WSGI."""
# ruff: noqa: D101

from typing import Any

import falcon
import falcon.asgi


def _user(request: Any, user_id: int) -> dict[str, Any]:
    is_verbose = request.get_param_as_bool("verbose") or False
    return {"id": user_id, "name": f"user-{user_id}", "verbose": is_verbose}


def _created(given: Any) -> dict[str, Any]:
    return {"id": 1, "name": str(given["name"]), "age": int(given["age"]), "email": str(given["email"])}


class Home:
    def on_get(self, _request: Any, response: Any) -> None:
        response.content_type, response.text = falcon.MEDIA_TEXT, "Hello, World!"


class User:
    def on_get(self, request: Any, response: Any, user_id: int) -> None:
        response.media = _user(request, user_id)


class Users:
    def on_post(self, request: Any, response: Any) -> None:
        response.media, response.status = _created(request.get_media()), 201


class AsyncHome:
    async def on_get(self, _request: Any, response: Any) -> None:
        response.content_type, response.text = falcon.MEDIA_TEXT, "Hello, World!"


class AsyncUser:
    async def on_get(self, request: Any, response: Any, user_id: int) -> None:
        response.media = _user(request, user_id)


class AsyncUsers:
    async def on_post(self, request: Any, response: Any) -> None:
        response.media, response.status = _created(await request.get_media()), 201


wsgi, asgi = falcon.App(), falcon.asgi.App()
for _app, _home, _one, _all in (
    (wsgi, Home(), User(), Users()),
    (asgi, AsyncHome(), AsyncUser(), AsyncUsers()),
):
    _app.add_route("/", _home)
    _app.add_route("/users/{user_id:int}", _one)
    _app.add_route("/users", _all)
