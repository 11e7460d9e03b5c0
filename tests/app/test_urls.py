from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.app.application import App
from penstock.errors import ApplicationError
from penstock.http.request import Request


@pytest.fixture(scope="module")
def app():
    app = App()
    for path, name in (
        ("/", "home"),
        ("/café", "cafe"),
        ("/users/{user_id:int}", "user"),
        ("/text/{text}", "text"),
        ("/files/{name:path}", "file"),
        ("/u/{key:uuid}", "key"),
        ("/f/{x:float}", "number"),
        ("/posts", "posts"),
        ("/posts/{year:int}", "posts"),
        ("/one/{x}", "twice"),
        ("/two/{x}", "twice"),
    ):
        app.get(path, name=name)(lambda request: None)
    return app


@pytest.mark.parametrize(
    ("name", "params", "url"),
    [
        ("home", {}, "/"),
        ("cafe", {}, "/caf%C3%A9"),
        ("user", {"user_id": -7}, "/users/-7"),
        ("user", {"user_id": 7, "tag": ["a", "b c"]}, "/users/7?tag=a&tag=b+c"),
        ("text", {"text": "a/b c?"}, "/text/a%2Fb%20c%3F"),
        ("file", {"name": "a/b c"}, "/files/a/b%20c"),
        ("key", {"key": UUID(int=1)}, "/u/00000000-0000-0000-0000-000000000001"),
        ("posts", {}, "/posts"),
        ("posts", {"year": 2024}, "/posts/2024"),
        ("posts", {"page": 2}, "/posts?page=2"),
    ],
)
def test_a_name_and_its_parameters_make_a_path(app, name, params, url):
    assert app.url_for(name, **params) == url


@pytest.mark.parametrize(
    ("name", "params", "part"),
    [
        ("nothing", {}, "no route is called 'nothing'"),
        ("user", {}, "needs user_id"),
        ("user", {"user_id": "x"}, "does not fit"),
        ("user", {"user_id": None}, "does not fit"),
        ("number", {"x": float("nan")}, "does not fit"),
        ("text", {"text": ""}, "does not fit"),
        ("text", {"text": ".."}, "cannot stand in a path"),
        ("file", {"name": "/etc/passwd"}, "cannot stand in a path"),
        ("file", {"name": "a/../b"}, "cannot stand in a path"),
        ("twice", {"x": "1"}, "several routes"),
    ],
)
def test_what_cannot_be_made_says_why(app, name, params, part):
    with pytest.raises(ApplicationError, match=part):
        app.url_for(name, **params)


@given(text=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_whatever_text_is_written_is_read_again(app, text):
    if text in (".", ".."):
        return
    request = Request.build(target=app.url_for("text", text=text))

    app.resolve(request)

    assert request.path_params == {"text": text}


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_whatever_number_is_written_is_read_again(app, number):
    request = Request.build(target=app.url_for("number", x=number))

    app.resolve(request)

    assert request.path_params == {"x": number}
