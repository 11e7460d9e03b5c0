"""`Secret[...]` as the type of parameters, members, settings and fields of forms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

import pydantic
import pytest

from penstock import App, Cookie, Field, Form, Header, Secret, TestClient, load_settings
from penstock.errors import ConfigError

VALUE = "hunter2-Sekret"


@dataclass
class Login:
    user: str
    password: Annotated[Secret[str], Field(min_length=3)]
    pin: Secret[int] | None = None
    spare: Secret = Secret("a-default")  # noqa: RUF009 - it does not change
    keys: list[Secret[str]] = field(default_factory=list)


class Account(pydantic.BaseModel):
    password: Secret[str]
    pin: Secret[int] = Secret(3)


app = App()
seen: list[Any] = []


@app.post("/body")
def body(login: Login) -> Login:
    seen[:] = [login.password, login.pin]
    return login


@app.post("/pydantic")
def of_pydantic(account: Account) -> Account:
    seen[:] = [account.password, account.pin]
    return account


@app.get("/parameters/{code}")
def parameters(
    code: Secret[str],
    q: Secret[str],
    x_api_key: Annotated[Secret[str], Header()],
    sid: Annotated[Secret[str] | None, Cookie()] = None,
    number: Secret[int] | None = None,
    many: list[Secret[str]] = (),  # type: ignore[assignment]
) -> dict:
    seen[:] = [code, q, x_api_key, sid, number, *many]
    return {"seen": seen}


@app.post("/form")
def form(login: Annotated[Login, Form()]) -> Login:
    seen[:] = [login.password, login.pin]
    return login


@app.post("/field")
def one_field(password: Annotated[Secret[str], Form()]) -> str:
    seen[:] = [password]
    return "ok"


def revealed():
    return [one.reveal() for one in seen]


def test_members_of_a_body_are_checked_and_wrapped():
    client = TestClient(app)

    reply = client.post("/body", json={"user": "bob", "password": VALUE, "pin": 12, "keys": ["a"]})

    assert revealed() == [VALUE, 12]
    assert reply.json() == {
        "user": "bob",
        "password": "[redacted]",
        "pin": "[redacted]",
        "spare": "[redacted]",
        "keys": ["[redacted]"],
    }


@pytest.mark.parametrize("wrong", [{"password": "ab"}, {"password": 5}, {"password": VALUE, "pin": VALUE}])
def test_what_does_not_fit_is_refused_without_being_repeated(wrong):
    reply = TestClient(app).post("/body", json={"user": "bob", **wrong})

    assert reply.status == 422
    assert VALUE not in reply.text
    assert '"ab"' not in reply.text


def test_pydantic_checks_and_wraps_it_too():
    client = TestClient(app)

    reply = client.post("/pydantic", json={"password": VALUE})
    wrong = client.post("/pydantic", json={"password": VALUE, "pin": VALUE})

    assert reply.json() == {"password": "[redacted]", "pin": "[redacted]"}
    assert revealed() == [VALUE, 3]
    assert wrong.status == 422
    assert VALUE not in wrong.text
    assert VALUE not in repr(Account(password=VALUE))


def test_parameters_are_wrapped_wherever_they_stand():
    client = TestClient(app)

    reply = client.get(
        "/parameters/abc?q=def&number=7&many=x&many=y", headers={"x-api-key": "k", "cookie": "sid=s"}
    )

    assert reply.status == 200, reply.text
    assert revealed() == ["abc", "def", "k", "s", 7, "x", "y"]
    assert reply.json() == {"seen": ["[redacted]"] * 7}
    assert client.get("/parameters/abc?q=def&number=x", headers={"x-api-key": "k"}).status == 422


def test_fields_of_forms_are_wrapped():
    client = TestClient(app)

    model = client.post("/form", data={"user": "bob", "password": VALUE, "pin": "12"})
    assert model.status == 200, model.text
    assert revealed() == [VALUE, 12]
    assert client.post("/form", data={"user": "bob", "password": "ab"}).status == 422
    assert client.post("/field", data={"password": VALUE}).text == "ok"
    assert revealed() == [VALUE]


def test_the_document_says_that_it_is_written_and_not_read():
    document = app.openapi()

    login = document["components"]["schemas"]["Login"]["properties"]
    assert login["password"] == {"type": "string", "format": "password", "writeOnly": True, "minLength": 3}
    assert login["pin"]["anyOf"][0] == {"type": "integer", "writeOnly": True}
    assert document["components"]["schemas"]["Account"]["properties"]["password"]["format"] == "password"
    assert "a-default" not in str(document)


def test_settings_are_wrapped():
    made = load_settings(Login, environ={"USER": "bob", "PASSWORD": VALUE, "PIN": "12", "KEYS": "a,b"})

    assert made.password.reveal() == VALUE
    assert made.pin is not None
    assert made.pin.reveal() == 12
    assert [key.reveal() for key in made.keys] == ["a", "b"]
    assert VALUE not in repr(made)
    with pytest.raises(ConfigError) as caught:
        load_settings(Login, environ={"USER": "bob", "PASSWORD": "ab", "PIN": VALUE})
    assert VALUE not in str(caught.value)
