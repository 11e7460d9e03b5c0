import pytest

from penstock import App
from penstock.errors import ApplicationError
from tests.app.driver import get, send


def make_app(policy):
    app = App(trailing_slash=policy)
    app.get("/")(lambda: "root")
    app.get("/a")(lambda: "a")
    app.get("/b/")(lambda: "b/")
    app.get("/both")(lambda: "both")
    app.get("/both/")(lambda: "both/")
    app.post("/items/{item}")(lambda item: f"posted {item}")
    app.get("/{host}/x/")(lambda host: host)
    return app


SAME = [("/", b"root"), ("/a", b"a"), ("/b/", b"b/"), ("/both", b"both"), ("/both/", b"both/")]


@pytest.mark.parametrize("policy", ["strict", "redirect", "ignore"])
@pytest.mark.parametrize(("target", "answer"), SAME)
def test_a_path_with_a_route_of_its_own_takes_it(policy, target, answer):
    assert get(make_app(policy), target).body == answer


@pytest.mark.parametrize("target", ["/a/", "/b", "/a/?x=1", "/nothing/", "//a", "/a//"])
def test_strict_is_404(target):
    assert get(make_app("strict"), target).status == 404


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/a/", "/a"),
        ("/b", "/b/"),
        ("/b?x=1&y=%20", "/b/?x=1&y=%20"),
        ("/%61/?x", "/%61?x"),
        ("/c/../a/", "/a"),
        ("/a%2F/x", "/a%2F/x/"),
        ("//", "/"),
    ],
)
def test_redirect_leads_to_the_other_and_keeps_the_query(target, location):
    response = get(make_app("redirect"), target)

    assert (response.status, response.headers["location"]) == (308, location)


def test_a_redirect_keeps_the_method():
    response = send(make_app("redirect"), "POST", "/items/7/", b"x")

    assert (response.status, response.headers["location"]) == (308, "/items/7")


@pytest.mark.parametrize("target", ["//x", "//x?next=1", "/%5Cevil/../\\evil.example/x", "/\\/x"])
def test_a_redirect_never_leads_to_another_host(target):
    app = App(trailing_slash="redirect")
    app.get("/{a}/{b}/")(lambda a, b: "x")
    app.get("/{a}/{b}/{c}/")(lambda a, b, c: "x")

    response = get(app, target)

    if response.status == 308:
        assert not response.headers["location"].replace("\\", "/").startswith("//")
    else:
        assert response.status == 404


@pytest.mark.parametrize(
    ("target", "answer"), [("/a/", b"a"), ("/b", b"b/"), ("/b?x=1", b"b/"), ("/h/x", b"h")]
)
def test_ignore_answers_by_the_other(target, answer):
    assert get(make_app("ignore"), target).body == answer


@pytest.mark.parametrize("policy", ["redirect", "ignore"])
def test_a_path_with_neither_is_404_and_another_method_is_told(policy):
    app = make_app(policy)

    for target in ("/nothing", "/nothing/", "/a//", "//a//"):
        assert get(app, target).status == 404
    response = send(app, "PUT", "/items/7/")
    assert response.status == (308 if policy == "redirect" else 405)


def test_hooks_see_a_redirect_and_the_path_as_it_came():
    app, log = make_app("redirect"), []
    app.before(lambda request: log.append(request.path))
    app.after(lambda request, response: log.append(response.status))

    get(app, "/a/")

    assert log == ["/a/", 308]


def test_another_policy_is_told_at_once():
    with pytest.raises(ApplicationError, match="trailing_slash='both'"):
        App(trailing_slash="both")
