"""The three routes in Flask."""
# ruff: noqa: D103

from typing import Any

from flask import Flask, Response, request

app = Flask(__name__)


@app.get("/")
def home() -> Response:
    return Response("Hello, World!", mimetype="text/plain")


@app.get("/users/<int:user_id>")
def user(user_id: int) -> dict[str, Any]:
    is_verbose = request.args.get("verbose") == "true"
    return {"id": user_id, "name": f"user-{user_id}", "verbose": is_verbose}


@app.post("/users")
def create() -> tuple[dict[str, Any], int]:
    given = request.get_json()
    return {"id": 1, "name": str(given["name"]), "age": int(given["age"]), "email": str(given["email"])}, 201
