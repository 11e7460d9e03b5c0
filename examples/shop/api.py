"""The same for programs: JSON, with a token in place of a session, so without cookies and CSRF."""

from dataclasses import dataclass
from typing import Annotated, Any

from examples.shop.accounts import is_right
from examples.shop.database import Database
from examples.shop.goods import list_goods
from examples.shop.settings import get_secret
from examples.shop.stores import forget_goods, logins, replies, store
from penstock import (
    JWT,
    Claims,
    Depends,
    Field,
    Form,
    HTTPError,
    OAuth2Password,
    OAuth2PasswordForm,
    RateLimit,
    Router,
)

TOKEN_S = 3600

jwt = JWT(get_secret(), algorithms=["HS256"], audience="shop", scheme=OAuth2Password("/api/token"))

everything = RateLimit("600/minute", store=store, name="api")

router = Router("/api", tags=["goods"], hooks=[everything])


@dataclass
class NewItem:
    name: Annotated[str, Field(min_length=1, max_length=80)]
    cents: Annotated[int, Field(ge=0, le=100_000_000, description="The price, in cents.")]


@dataclass
class Item:
    id: int
    name: str
    cents: int
    seller: str
    photo: str | None = None


@dataclass
class Token:
    access_token: str
    token_type: str = "bearer"  # noqa: S105 - its kind
    expires_in: int = TOKEN_S


Member = Annotated[Claims, Depends(jwt)]


@router.post("/token", hooks=[logins])
def token(form: Annotated[OAuth2PasswordForm, Form()], db: Database) -> Token:
    """Name and password for a token, which is good for an hour."""
    if not is_right(db, form.username, form.password):
        raise jwt.refused("wrong name or password")
    return Token(jwt.issue({"sub": form.username}, expires_in_s=TOKEN_S))


@router.get("/goods", hooks=[replies])
def goods() -> list[Item]:
    """The latest hundred. Kept for a minute, or until something changes."""
    return [make_item(row) for row in list_goods()]


@router.get("/goods/{item_id}", responses={404: "There is no such thing."})
def item(item_id: int, db: Database) -> Item:
    return find(db, item_id)


@router.post("/goods", status=201)
def add(new: NewItem, member: Member, db: Database) -> Item:
    """Sell something."""
    with db:
        added = db.execute(
            "insert into goods (name, cents, seller) values (?, ?, ?)", (new.name, new.cents, member.subject)
        )
        db.execute("insert into news (text) values (?)", (f"{member.subject} sells {new.name}",))
    forget_goods()
    return find(db, added.lastrowid or 0)


@router.delete(
    "/goods/{item_id}",
    responses={403: "It is not yours.", 404: "There is no such thing.", 409: "It was sold."},
)
def remove(item_id: int, member: Member, db: Database) -> None:
    if find(db, item_id).seller != member.subject:
        raise HTTPError(403, "only who sells it may remove it")
    if db.execute("select 1 from orders where item = ?", (item_id,)).fetchone():
        raise HTTPError(409, "it was sold")
    with db:
        db.execute("delete from goods where id = ?", (item_id,))
    forget_goods()


def find(db: Database, item_id: int) -> Item:
    row = db.execute("select * from goods where id = ?", (item_id,)).fetchone()
    if row is None:
        raise HTTPError(404, "there is no such thing")
    return make_item(row)


def make_item(row: Any) -> Item:
    return Item(row["id"], row["name"], row["cents"], row["seller"], row["photo"])
