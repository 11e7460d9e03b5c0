from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional
from uuid import UUID

from penstock.app.application import App
from tests.app.driver import content, faults, get, send

if TYPE_CHECKING:
    from penstock.http.handler import BodyStream
    from penstock.http.request import Request
    from penstock.http.response import Response


@dataclass
class Item:
    name: str
    key: Optional[UUID] = None  # noqa: UP045
    tags: list[str] | None = None


def test_annotations_as_text_bind():
    app = App()

    @app.get("/{n}")
    def handler(n: int, tag: list[int], maybe: Optional[bool] = None) -> dict[str, object]:  # noqa: UP045
        return {"n": n, "tag": tag, "maybe": maybe}

    @app.post("/")
    async def create(item: Item) -> Item:
        return item

    assert content(get(app, "/7?tag=1&tag=2&maybe=on")) == {"n": 7, "tag": [1, 2], "maybe": True}
    assert content(send(app, "POST", "/", {"name": "x", "tags": ["a"]})) == {
        "name": "x",
        "key": None,
        "tags": ["a"],
    }
    assert faults(send(app, "POST", "/", {"name": 1, "key": 2})) == [
        ("body", "name", "str"),
        ("body", "key", "uuid"),
    ]


def test_our_own_names_may_be_imported_for_type_checking_only():
    app = App()

    @app.get("/")
    def handler(r: Request) -> Response:
        return r.method

    @app.post("/")
    def upload(s: BodyStream) -> str:
        return "x"

    assert get(app, "/").body == b"GET"
    assert send(app, "POST", "/").body == b"x"
