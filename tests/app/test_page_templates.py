import builtins
import logging
import re
import threading
from types import SimpleNamespace

import pytest

pytest.importorskip("jinja2")

from penstock import CSRF, App, HTMLResponse, Request, StreamResponse, Templates, TestClient
from penstock.errors import ApplicationError, MissingExtra

PAGES = {
    "page.html": "<h1>{{ title }}</h1>{% for one in items %}<li>{{ one }}</li>{% endfor %}",
    "mail.txt": "Dear {{ title }}",
    "links.html": "{{ url_for('user', user_id=7, full='yes') }}",
    "form.html": "<form>{{ csrf_field() }}</form>{{ csrf_token() }}",
    "fails.html": "one\ntwo\n{{ broken() }}",
    "outer.html": "{% extends 'base.html' %}{% block body %}\n{{ missing.deep }}{% endblock %}",
    "base.html": "<body>{% block body %}{% endblock %}</body>",
    "syntax.html": "one\n{% if %}",
    "includes.html": "{% include 'nothing.html' %}",
    "global.html": "{{ brand }}",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in PAGES.items():
        tmp_path.joinpath(name).write_text(text)
    return tmp_path


@pytest.fixture
def templates(folder):
    return Templates(folder)


def test_a_page_is_rendered_and_escaped(templates):
    page = templates.render("page.html", title="<b>&", items=['"x"'])

    assert isinstance(page, HTMLResponse)
    assert page.media_type == "text/html; charset=utf-8"
    assert page.body == b"<h1>&lt;b&gt;&amp;</h1><li>&#34;x&#34;</li>"


def test_text_is_not_escaped(templates):
    page = templates.render("mail.txt", title="<b>")

    assert (page.body, page.media_type) == (b"Dear <b>", "text/plain; charset=utf-8")
    assert templates.render_text("mail.txt", title="<b>") == "Dear <b>"


def test_status_headers_and_type_can_be_said(templates):
    page = templates.render(
        "mail.txt", status=404, headers={"X-A": "1"}, media_type="text/calendar", title="x", name="in context"
    )

    assert (page.status, page.headers["x-a"], page.media_type) == (404, "1", "text/calendar")


def test_links_are_those_of_the_application_below_the_prefix_of_a_proxy(folder):
    app = App()

    @app.get("/users/{user_id}")
    def user(user_id: int) -> None: ...

    templates, request = Templates(folder, app=app), Request.build()
    request.prefix = "/shop"

    assert templates.render_text("links.html") == "/users/7?full=yes"
    assert templates.render_text("links.html", request=request) == "/shop/users/7?full=yes"


def test_links_need_an_application(templates):
    with pytest.raises(ApplicationError, match="app=app"):
        templates.render("links.html")


def test_a_form_with_its_field_is_accepted_by_the_hook(folder):
    templates = Templates(folder)
    app = App(hooks=[CSRF("s" * 40, field="proof")])

    @app.get("/form")
    def form(request: Request) -> HTMLResponse:
        return templates.render("form.html", request=request)

    @app.post("/form")
    def send() -> str:
        return "taken"

    with TestClient(app, base_url="https://testserver") as client:
        page = client.get("/form").text
        found = re.fullmatch(r'<form><input type="hidden" name="proof" value="([\w-]+)"></form>[\w-]+', page)
        fields = {"origin": "https://testserver", "content-type": "application/x-www-form-urlencoded"}
        taken = client.post("/form", content=f"proof={found[1]}".encode(), headers=fields)
        refused = client.post("/form", content=b"proof=x", headers=fields)

    assert taken.text == "taken"
    assert refused.status == 403


def test_a_token_needs_the_request_and_the_hook(templates):
    with pytest.raises(ApplicationError, match="request=request"):
        templates.render("form.html")
    with pytest.raises(RuntimeError, match="CSRF"):
        templates.render("form.html", request=Request.build())


def test_a_failure_names_the_line_of_the_template(templates, folder):
    with pytest.raises(Exception, match="broken") as raised:
        templates.render("fails.html")

    assert f"in the template {folder / 'fails.html'}, line 3" in raised.value.__notes__


def test_a_syntax_error_names_the_line(templates):
    with pytest.raises(Exception, match="Expected an expression") as raised:
        templates.render("syntax.html")

    assert "in the template syntax.html, line 2" in raised.value.__notes__


def test_the_line_is_in_the_log_of_the_request(templates, caplog):
    app = App()
    app.get("/")(lambda: templates.render("fails.html"))

    with TestClient(app, raise_server_exceptions=False) as client, caplog.at_level(logging.ERROR):
        assert client.get("/").status == 500

    assert "fails.html, line 3" in caplog.text


def test_a_template_that_is_not_there_is_named_with_where_it_was_looked_for(templates, folder):
    with pytest.raises(LookupError, match=re.escape(f"'none.html' is not in {folder}")):
        templates.render("none.html")
    with pytest.raises(LookupError, match=r"nothing\.html"):
        templates.render("includes.html")


@pytest.mark.parametrize("name", ["../secret.html", "/etc/passwd", "a/../../secret.html"])
def test_no_name_leads_out_of_the_folder(tmp_path, name):
    tmp_path.joinpath("secret.html").write_text("secret")
    inner = tmp_path / "templates"
    inner.mkdir()

    with pytest.raises(LookupError):
        Templates(inner).render(name)


def test_strict_templates_refuse_names_that_are_not_there(folder):
    assert Templates(folder).render_text("page.html") == "<h1></h1>"
    with pytest.raises(Exception, match="title"):
        Templates(folder, strict=True).render("page.html")
    with pytest.raises(Exception, match="missing") as raised:
        Templates(folder).render("outer.html")
    assert f"in the template {folder / 'outer.html'}, line 2" in raised.value.__notes__


def test_the_first_folder_that_has_a_name_counts(folder, tmp_path_factory):
    own = tmp_path_factory.mktemp("own")
    own.joinpath("mail.txt").write_text("own")

    templates = Templates([own, folder], globals={"brand": "Shop"})

    assert templates.render_text("mail.txt") == "own"
    assert templates.render_text("global.html") == "Shop"


def test_filters_go_into_the_environment(folder):
    folder.joinpath("filter.html").write_text("{{ 'a' | twice }}")
    templates = Templates(folder)
    templates.environment.filters["twice"] = lambda text: text * 2

    assert templates.render_text("filter.html") == "aa"


@pytest.mark.parametrize(
    ("auto_reload", "in_development", "text"),
    [(None, True, "new"), (None, False, "old"), (True, False, "new"), (False, True, "old")],
)
def test_changes_are_seen_in_development(folder, auto_reload, in_development, text):
    file = folder / "changing.html"
    file.write_text("old")
    templates = Templates(folder, auto_reload=auto_reload)
    request = Request.build()
    request.connection = SimpleNamespace(server=SimpleNamespace(in_development=in_development))
    assert templates.render_text("changing.html", request=request) == "old"

    file.write_text("new")
    import os

    os.utime(file, (1, 1))

    assert templates.render_text("changing.html", request=request) == text


def test_a_page_can_be_a_stream(templates, folder):
    app = App()
    numbers = [str(number) for number in range(1_000)]
    app.get("/")(lambda: templates.stream("page.html", status=201, title="t", items=numbers))
    app.get("/fails")(lambda: templates.stream("fails.html"))

    with TestClient(app) as client:
        reply = client.get("/")
        with pytest.raises(Exception, match="broken") as raised:
            client.get("/fails")

    assert reply.status == 201
    assert reply.text == "<h1>t</h1>" + "".join(f"<li>{number}</li>" for number in numbers)
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert isinstance(templates.stream("mail.txt"), StreamResponse)
    assert f"in the template {folder / 'fails.html'}, line 3" in raised.value.__notes__


def test_threads_share_it(folder):
    templates, wrong = Templates(folder), []

    def render(number):
        for _ in range(50):
            text = templates.render_text("page.html", title=number, items=range(20))
            if not text.startswith(f"<h1>{number}</h1>"):
                wrong.append(text)

    threads = [threading.Thread(target=render, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_a_folder_must_be_there(tmp_path):
    with pytest.raises(ApplicationError, match="is no directory"):
        Templates(tmp_path / "none")


def test_without_jinja2_the_extra_is_named(monkeypatch, folder):
    real = builtins.__import__

    def absent(name, *args, **kwargs):
        if name == "jinja2":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", absent)

    with pytest.raises(MissingExtra, match=r"penstock\[templates\]"):
        Templates(folder)
