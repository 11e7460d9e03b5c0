"""The three routes in Starlette, which converts and checks nothing by itself."""
# ruff: noqa: D103

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

_FIELDS = {"name": str, "age": int, "email": str}


async def home(_request: Request) -> Response:
    return PlainTextResponse("Hello, World!")


async def user(request: Request) -> Response:
    user_id = request.path_params["user_id"]
    is_verbose = request.query_params.get("verbose") == "true"
    return JSONResponse({"id": user_id, "name": f"user-{user_id}", "verbose": is_verbose})


async def create(request: Request) -> Response:
    given = await request.json()
    if not all(isinstance(given.get(name), kind) for name, kind in _FIELDS.items()):
        return JSONResponse({"detail": "invalid"}, 422)
    return JSONResponse({"id": 1, **given}, 201)


app = Starlette(
    routes=[
        Route("/", home),
        Route("/users/{user_id:int}", user),
        Route("/users", create, methods=["POST"]),
    ]
)
