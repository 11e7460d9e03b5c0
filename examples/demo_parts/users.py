"""Users, kept in memory: create, read, update, delete.

A dataclass parameter is the JSON body. Types are checked before the handler runs, and whatever
`__post_init__` refuses with a ValueError is a 422 like a wrong type. Plain `def` handlers run in several
threads, hence the lock.
"""

from dataclasses import dataclass
from itertools import count
from threading import Lock

from penstock import HTTPError, JSONResponse, Router

users = Router(prefix="/users")


@dataclass
class UserData:
    name: str
    email: str

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("name must not be empty")
        if "@" not in self.email:
            raise ValueError("email must contain an @")


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


@users.post("")
def create_user(data: UserData) -> JSONResponse:
    with _lock:
        user = User(next(_numbers), data.name, data.email)
        _users[user.id] = user
    return JSONResponse(user, status=201, headers={"Location": f"/users/{user.id}"})


@users.get("/{user_id}")
def get_user(user_id: int) -> User:
    with _lock:
        return find(user_id)


@users.put("/{user_id}")
def replace_user(user_id: int, data: UserData) -> User:
    with _lock:
        find(user_id)
        _users[user_id] = user = User(user_id, data.name, data.email)
    return user


@users.delete("/{user_id}")
def delete_user(user_id: int) -> None:
    with _lock:
        find(user_id)
        del _users[user_id]


def find(user_id: int) -> User:
    user = _users.get(user_id)
    if user is None:
        raise HTTPError(404, f"there is no user {user_id}")
    return user
