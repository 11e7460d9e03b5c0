"""Sign up, log in, log out: pages with forms, for people with a session."""

import sqlite3
from dataclasses import dataclass, field
from typing import Annotated

from examples.shop.database import Database
from examples.shop.pages import LoginNeeded, page
from examples.shop.stores import logins
from penstock import (
    Depends,
    Field,
    Form,
    HTMLResponse,
    RedirectResponse,
    Request,
    Response,
    Router,
    hash_password,
    rotate_csrf,
    verify_password,
)

router = Router(include_in_schema=False)


@dataclass
class Credentials:
    name: Annotated[str, Field(pattern="^[a-z][a-z0-9]{1,19}$")]
    password: Annotated[str, Field(min_length=8, max_length=200)] = field(repr=False)


def current_user(request: Request) -> str:
    """A dependency of pages for members: who is logged in. Everybody else is sent to the login."""
    name = request.session.get("user")
    if name is None:
        raise LoginNeeded
    return str(name)


User = Annotated[str, Depends(current_user)]


def log_in(request: Request, name: str) -> Response:
    request.session.rotate()  # nobody who knew the session before knows it now
    request.session["user"] = name
    rotate_csrf(request)
    return RedirectResponse("/", 303)


@router.get("/signup")
def signup_form(request: Request) -> HTMLResponse:
    return page(request, "account.html", title="Sign up", other=("/login", "I have an account"))


@router.post("/signup")
def sign_up(request: Request, db: Database, account: Annotated[Credentials, Form()]) -> Response:
    hashed = hash_password(account.password)
    try:
        with db:
            db.execute("insert into users values (?, ?)", (account.name, hashed))
    except sqlite3.IntegrityError:
        return page(request, "account.html", status=409, title="Sign up", error="That name is taken.")
    return log_in(request, account.name)


@router.get("/login")
def login_form(request: Request) -> HTMLResponse:
    return page(request, "account.html", title="Log in", other=("/signup", "I am new here"))


@router.post("/login", hooks=[logins])
def login(
    request: Request, db: Database, name: Annotated[str, Form()], password: Annotated[str, Form()]
) -> Response:
    if not is_right(db, name, password):
        return page(request, "account.html", status=403, title="Log in", error="Wrong name or password.")
    return log_in(request, name)


@router.post("/logout")
def logout(request: Request) -> RedirectResponse:
    request.session.clear()
    return RedirectResponse("/", 303)


def is_right(db: sqlite3.Connection, name: str, password: str) -> bool:
    row = db.execute("select password from users where name = ?", (name,)).fetchone()
    return verify_password(password, row["password"] if row else None)
