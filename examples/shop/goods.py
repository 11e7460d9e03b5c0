"""Goods, for people: look, and sell."""

import secrets
from decimal import Decimal
from typing import Annotated, Any

from examples.shop.accounts import User
from examples.shop.database import Database, open_database
from examples.shop.pages import page
from examples.shop.settings import settings
from examples.shop.stores import cache, forget_goods, fresh_s
from penstock import Form, HTMLResponse, HTTPError, RedirectResponse, Request, Router, UploadFile

PHOTOS = {b"\x89PNG\r\n\x1a\n": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif"}

router = Router(include_in_schema=False)


def list_goods() -> list[dict[str, Any]]:
    """Made once for everybody, and again when goods change."""

    def make() -> list[dict[str, Any]]:
        db = open_database()
        try:
            rows = db.execute("select * from goods order by id desc limit 100")
            return [dict(row) for row in rows]
        finally:
            db.close()

    goods: list[dict[str, Any]] = cache.remember("goods", fresh_s, make, tags=["goods"])
    return goods


@router.get("/")
def index(request: Request) -> HTMLResponse:
    return page(request, "index.html", goods=list_goods())


@router.get("/sell")
def sell_form(request: Request, user: User) -> HTMLResponse:  # noqa: ARG001 - only for members
    return page(request, "sell.html")


@router.post("/sell", body_limit=4_000_000)
def sell(
    user: User,
    db: Database,
    name: Annotated[str, Form(min_length=1, max_length=80)],
    price: Annotated[Decimal, Form(ge=0, le=1_000_000)],
    photo: UploadFile | None = None,
) -> RedirectResponse:
    stored = save_photo(photo) if photo is not None and photo.size else None
    with db:
        db.execute(
            "insert into goods (name, cents, photo, seller) values (?, ?, ?, ?)",
            (name, int(price * 100), stored, user),
        )
        db.execute("insert into news (text) values (?)", (f"{user} sells {name}",))
    forget_goods()
    return RedirectResponse("/", 303)


def save_photo(photo: UploadFile) -> str:
    """Under a name of our own: what a client says of name and type is not believed."""
    begin = photo.file.read(8)
    ending = next((ending for magic, ending in PHOTOS.items() if begin.startswith(magic)), None)
    if ending is None:
        raise HTTPError(415, "a photo is a PNG, JPEG or GIF")
    return photo.save(settings.folder / "photos" / f"{secrets.token_hex(8)}{ending}").name
