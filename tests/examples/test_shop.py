"""examples/shop: two workers, a real Redis, and everything it is made of at once."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.app.stores.redis_server import redis_server
from tests.e2e.serving import environment, serving

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 5000
PASSWORD = "correct horse"


class Person(httpx.Client):
    """Somebody with a browser: forms are sent with the token of the page they are on."""

    def __init__(self, url):
        super().__init__(base_url=url, headers={"Origin": url}, timeout=60)

    def send_form(self, path, page=None, files=None, **values):
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.get(page or path).text)[1]
        return self.post(path, data=values | {"csrf_token": token}, files=files)

    def sign_up(self, name):
        reply = self.send_form("/signup", name=name, password=PASSWORD)
        assert reply.status_code == 303, reply.text
        return self


def bearer(url, name):
    reply = httpx.post(f"{url}/api/token", data={"username": name, "password": PASSWORD}, timeout=60)
    return {"Authorization": f"Bearer {reply.json()['access_token']}"}


def wait_until(condition):
    end = time.monotonic() + 30
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    data = str(tmp_path_factory.mktemp("shop"))
    with (
        redis_server() as redis,
        serving(
            *("examples.shop.app:app", "--workers", "2"),
            SHOP_DATA=data,
            SHOP_REDIS_URL=redis.url,
            SHOP_LOGINS_PER_MINUTE="100",
        ) as server,
    ):
        yield server


@pytest.fixture
def person(shop):
    with Person(shop.url) as someone:
        yield someone


@pytest.fixture(scope="module")
def seller(shop):
    """Somebody who is logged in already; `token` is hers for the API."""
    with Person(shop.url) as someone:
        someone.sign_up("sally")
        someone.token = bearer(shop.url, "sally")
        yield someone


STARTING_AT_ONCE = """
import os
import sys

from examples.shop.database import create_tables

failed = 0
for number in range(50):
    os.mkdir(f"{number}")
    os.chdir(f"{number}")  # the folder of the data is in the current one
    wait, start = os.pipe()
    for _ in range(4):
        if not os.fork():
            os.close(start)
            os.read(wait, 1)  # until the last process that could write has closed it: all at once
            create_tables()
            os._exit(0)
    os.close(start)
    os.close(wait)
    failed += sum([os.wait()[1] != 0 for _ in range(4)])
    os.chdir("..")
sys.exit(failed)
"""


def test_workers_that_start_at_once_share_one_new_database(tmp_path):
    ended = subprocess.run(
        [sys.executable, "-c", STARTING_AT_ONCE],
        check=False,
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
    )

    assert (ended.returncode, ended.stderr) == (0, "")


def test_a_session_begins_with_signing_up_and_holds_in_every_worker(shop, person):
    person.sign_up("ann")

    for _ in range(20):
        reply = person.get("/", headers={"Connection": "close"})  # each time whichever worker comes
        assert "Log out ann" in reply.text
    assert person.send_form("/logout", page="/").status_code == 303
    assert "Log in" in person.get("/").text


def test_the_password_counts_and_a_name_is_given_once(shop, person):
    person.sign_up("bob")
    person.send_form("/logout", page="/")

    assert person.send_form("/login", name="bob", password="wrong horse").status_code == 403
    assert person.send_form("/signup", name="bob", password=PASSWORD).status_code == 409
    assert person.send_form("/signup", name="B<b>", password=PASSWORD).status_code == 422
    assert person.send_form("/login", name="bob", password=PASSWORD).status_code == 303
    assert "Log out bob" in person.get("/").text


@pytest.mark.parametrize("path", ["/signup", "/login", "/logout", "/sell", "/goods/1/buy"])
def test_no_form_is_taken_without_its_token(shop, person, path):
    assert person.post(path, data={"name": "eve", "password": PASSWORD}).status_code == 403


@pytest.mark.parametrize("path", ["/sell", "/orders"])
def test_who_is_not_logged_in_is_sent_to_the_login(shop, person, path):
    reply = person.get(path)

    assert (reply.status_code, reply.headers["location"]) == (303, "/login")


def test_a_photo_is_stored_under_a_name_of_the_shop(shop, seller):
    reply = seller.send_form(
        "/sell", name="A <b>pump</b>", price="12.50", files={"photo": ("../../evil.html", PNG)}
    )

    assert reply.status_code == 303
    page = seller.get("/").text
    assert "A &lt;b&gt;pump&lt;/b&gt;" in page
    assert "12.50 €" in page
    photo = seller.get(re.search(r'src="(/photos/[0-9a-f]{16}\.png)"', page)[1])
    assert photo.content == PNG
    assert photo.headers["content-type"] == "image/png"


def test_what_is_no_photo_is_refused(shop, seller):
    files = {"photo": ("page.png", b"<script>alert(1)</script>", "image/png")}

    assert seller.send_form("/sell", name="x", price="1", files=files).status_code == 415
    assert seller.send_form("/sell", name="", price="1").status_code == 422
    assert seller.send_form("/sell", name="x", price="-1").status_code == 422


def test_an_order_is_confirmed_after_the_reply(shop, seller):
    seller.send_form("/sell", name="Lamp", price="3")
    item = re.search(r"/goods/(\d+)/buy", seller.get("/").text)[1]

    assert seller.send_form(f"/goods/{item}/buy", page="/").headers["location"] == "/orders"

    wait_until(lambda: "Lamp, 3.00 € <small>confirmed" in seller.get("/orders").text)
    assert seller.send_form("/goods/99999/buy", page="/").status_code == 404


class TestAPI:
    @pytest.fixture
    def api(self, shop):
        with httpx.Client(base_url=f"{shop.url}/api", timeout=60) as client:
            yield client

    def test_goods_are_added_and_removed_by_who_has_a_token(self, shop, seller, person, api):
        person.sign_up("gina")
        sally, gina = seller.token, bearer(shop.url, "gina")

        added = api.post("/goods", json={"name": "Rope", "cents": 250}, headers=sally)

        assert added.status_code == 201
        item = added.json()
        assert item == {"id": item["id"], "name": "Rope", "cents": 250, "seller": "sally", "photo": None}
        assert api.get(f"/goods/{item['id']}").json() == item
        assert api.delete(f"/goods/{item['id']}").status_code == 401
        assert api.delete(f"/goods/{item['id']}", headers=gina).status_code == 403
        assert api.delete(f"/goods/{item['id']}", headers=sally).status_code == 204
        assert api.get(f"/goods/{item['id']}").status_code == 404

    def test_a_fault_is_a_problem_that_names_its_place(self, seller, api):
        reply = api.post("/goods", json={"name": "", "cents": "many"}, headers=seller.token)

        assert reply.status_code == 422
        assert reply.headers["content-type"] == "application/problem+json"
        assert '"name"' in reply.text
        assert '"cents"' in reply.text

    def test_the_list_comes_from_the_cache_until_goods_change_in_whichever_worker(self, seller, api):
        close = {"Connection": "close"}
        for number in range(5):
            name = f"thing {number}"
            api.post("/goods", json={"name": name, "cents": 1}, headers=seller.token | close)

            replies = [api.get("/goods", headers=close) for _ in range(4)]

            assert all(reply.json()[0]["name"] == name for reply in replies)
            assert [reply.headers["x-cache"] for reply in replies[1:]] == ["HIT"] * 3

    def test_a_token_that_was_made_up_is_refused(self, shop, api):
        reply = api.post("/goods", json={"name": "x", "cents": 1}, headers={"Authorization": "Bearer a.b.c"})

        assert reply.status_code == 401
        assert reply.headers["www-authenticate"].startswith("Bearer")

    def test_it_is_described(self, shop):
        described = httpx.get(f"{shop.url}/openapi.json", timeout=60).json()

        assert described["paths"].keys() == {"/api/token", "/api/goods", "/api/goods/{item_id}"}
        assert described["paths"]["/api/goods"]["post"]["security"]


def test_news_of_all_workers_reach_every_stream_and_one_that_comes_back(shop, seller):
    lines = []
    with httpx.stream("GET", f"{shop.url}/live", timeout=60) as stream:
        seller.send_form("/sell", name="Globe", price="5")
        for line in stream.iter_lines():
            lines.append(line)
            if line == "data: sally sells Globe":
                break
    number = next(line for line in reversed(lines) if line.startswith("id: "))[4:]
    seller.send_form("/sell", name="Atlas", price="5")

    with httpx.stream("GET", f"{shop.url}/live", headers={"Last-Event-ID": number}, timeout=60) as stream:
        first = next(line for line in stream.iter_lines() if line.startswith("data: "))

    assert first == "data: sally sells Atlas"


def test_it_says_that_it_is_well(shop):
    assert httpx.get(f"{shop.url}/health", timeout=60).json() == {"status": "ok"}


def test_passwords_are_not_guessed_without_end(tmp_path):
    def guess(number):
        return httpx.post(
            f"{server.url}/api/token", data={"username": "ann", "password": str(number)}, timeout=60
        )

    with redis_server() as redis:
        variables = {"SHOP_DATA": str(tmp_path), "SHOP_REDIS_URL": redis.url, "SHOP_LOGINS_PER_MINUTE": "2"}
        with (
            serving("examples.shop.app:app", "--workers", "2", **variables) as server,
            ThreadPoolExecutor(8) as pool,
        ):
            guesses = list(pool.map(guess, range(8)))  # at once: both workers count

    refused = [guess for guess in guesses if guess.status_code == 429]
    assert {guess.status_code for guess in guesses} == {401, 429}
    assert len(refused) >= 4
    assert int(refused[0].headers["retry-after"]) > 0


def test_when_redis_is_lost_the_shop_stays_open_and_says_so_once(tmp_path):
    with redis_server() as redis:
        variables = {"SHOP_DATA": str(tmp_path), "SHOP_REDIS_URL": redis.url}
        with serving("examples.shop.app:app", **variables) as server, Person(server.url) as person:
            person.sign_up("ann")
            token = bearer(server.url, "ann")
            redis.kill()

            for number in range(5):
                added = person.post("/api/goods", json={"name": f"n{number}", "cents": 1}, headers=token)
                assert added.status_code == 201
                assert person.get("/api/goods").json()[0]["name"] == f"n{number}"
                assert person.get("/").status_code == 200

            assert len(re.findall(r"penstock\.store.*(?:lost|gone|fail)", server.log)) <= 2, server.log
            redis.start()
            wait_until(lambda: httpx.get(f"{server.url}/api/goods", timeout=60).headers["x-cache"] == "HIT")


def test_without_redis_one_line_says_what_that_means(tmp_path):
    with (
        serving("examples.shop.app:app", "--workers", "2", SHOP_DATA=str(tmp_path)) as server,
        Person(server.url) as person,
    ):
        person.sign_up("ann")

        for _ in range(10):
            assert "Log out ann" in person.get("/", headers={"Connection": "close"}).text
        assert "SHOP_REDIS_URL is not set" in server.log


def test_a_person_signs_up_sells_and_sees_news_in_a_browser(shop, seller, page, tmp_path):
    (tmp_path / "photo.png").write_bytes(PNG)
    page.goto(f"{shop.url}/signup")
    page.fill("input[name=name]", "kate")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button")
    page.wait_for("document.querySelector('nav').innerText.includes('Log out kate')")
    page.click("nav a[href='/sell']")
    page.fill("input[name=name]", "Kettle")
    page.fill("input[name=price]", "19.90")
    page.attach("input[name=photo]", tmp_path / "photo.png")
    page.click("main button")

    page.wait_for("document.querySelector('article h2').innerText == 'Kettle'")
    page.wait_for("document.querySelector('#news').innerText.includes('kate sells Kettle')")
    seller.send_form("/sell", name="Ladle", price="2")
    page.wait_for("document.querySelector('#news li').innerText == 'sally sells Ladle'")
    page.click("article form button")
    page.wait_for("document.querySelector('.orders').innerText.includes('Kettle, 19.90 €')")

    for dark in (False, True):
        page.goto(shop.url)
        page.resize(390, 844, dark=dark)
        assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.console == []
    assert page.hosts == {"127.0.0.1"}


def test_the_page_about_the_api_has_every_operation(shop, page):
    page.goto(f"{shop.url}/docs")
    page.wait_for("document.querySelectorAll('.opblock, details.operation').length == 5")

    assert page.console == []
    assert page.hosts == {"127.0.0.1"}
