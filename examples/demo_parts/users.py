"""Users, kept in memory: create, read, update, delete.

A dataclass parameter is the JSON body. Types and constraints are checked before the handler runs, and
`/openapi.json` tells them. Plain `def` handlers run in several threads, hence the lock.
"""

from dataclasses import dataclass
from itertools import count
from threading import Lock
from typing import Annotated

from penstock import Field, HTTPError, JSONResponse, Router

NOBODY = {404: "There is no such user."}

users = Router(prefix="/users", tags=["users"])


@dataclass
class UserData:
    name: Annotated[str, Field(pattern=r"[^\s]", examples=["Ada"])]
    email: Annotated[str, Field(pattern="@", examples=["ada@example.org"])]


@dataclass
class User:
    id: int
    name: str
    email: str


_lock = Lock()
_users: dict[int, User] = {}
_numbers = count(1)


@users.get("")
def list_users() -> list[User]:
    with _lock:
        return list(_users.values())


@users.post("", responses={201: User})
def create_user(data: UserData) -> JSONResponse:
    with _lock:
        user = User(next(_numbers), data.name, data.email)
        _users[user.id] = user
    return JSONResponse(user, status=201, headers={"Location": f"/users/{user.id}"})


@users.get("/{user_id}", responses=NOBODY)
def get_user(user_id: int) -> User:
    with _lock:
        return find(user_id)


@users.put("/{user_id}", responses=NOBODY)
def replace_user(user_id: int, data: UserData) -> User:
    with _lock:
        find(user_id)
        _users[user_id] = user = User(user_id, data.name, data.email)
    return user


@users.delete("/{user_id}", responses=NOBODY)
def delete_user(user_id: int) -> None:
    with _lock:
        find(user_id)
        del _users[user_id]


def find(user_id: int) -> User:
    user = _users.get(user_id)
    if user is None:
        raise HTTPError(404, f"there is no user {user_id}")
    return user
