"""`module:app`: what is found, and the one line that says why not."""

from __future__ import annotations

import sys

import pytest

from penstock.cli.load import is_application, load_application
from penstock.errors import ApplicationError, ConfigError

APPLICATION = """
class Application:
    methods = frozenset({"GET"})
    def resolve(self, request): ...
    async def startup(self, server): ...
    async def shutdown(self): ...

app = Application()
"""


def write(folder, name, text=APPLICATION):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def refused(path, kind=ConfigError):
    with pytest.raises(kind) as caught:
        load_application(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_application_of_a_module_in_the_working_directory_is_found(folder):
    write(folder, "shop.py")

    assert is_application(load_application("shop:app"))


@pytest.mark.parametrize("path", ["web.site.shop:app", "web.site.shop:holder.app"])
def test_dots_lead_into_packages_and_attributes(folder, path):
    write(folder, "web/site/shop.py", APPLICATION + "class holder:\n    app = app\n")

    assert is_application(load_application(path))


def test_working_directory_comes_first_on_the_import_path(folder):
    write(folder, "shop.py")
    sys.path.insert(0, "/nonexistent/bin")

    load_application("shop:app")

    assert sys.path[0] == str(folder)


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("shop", "shop:app"),
        ("shop:", "shop:app"),
        (":app", "module:app"),
        ("", "module:app"),
        ("shop.py", "shop:app"),
        ("shop.py:api", "shop:api"),
        ("./web/shop.py:app", "web.shop:app"),
        ("shop:.app", "shop:.app"),
        ("..shop:app", "shop:app"),
    ],
)
def test_path_of_another_form_is_explained(folder, path, hint):
    assert refused(path) == f"{path!r} does not name an application; expected module:app, such as {hint}"


def test_module_that_is_absent_is_told_with_the_near_one(folder):
    write(folder, "shop.py")

    message = refused("shoop:app")

    assert message == (
        f"no module named 'shoop' in {folder} or among the installed packages; did you mean 'shop'?"
    )


def test_submodule_that_is_absent_is_told_with_the_near_one(folder):
    write(folder, "store/__init__.py", "")
    write(folder, "store/checkout.py")

    message = refused("store.chekout:app")

    assert message == (
        f"no module named 'store.chekout' in {folder} or among the installed packages; "
        "did you mean 'store.checkout'?"
    )


def test_submodule_that_is_absent_is_told(folder):
    write(folder, "web/__init__.py", "")

    message = refused("web.shop:app")

    assert message == f"no module named 'web.shop' in {folder} or among the installed packages"


@pytest.mark.parametrize(
    ("text", "place", "last"),
    [
        ("import absent_package\n", "shop.py:1", "ModuleNotFoundError: No module named 'absent_package'"),
        ("\nx = 1 / 0\n", "shop.py:2", "ZeroDivisionError: division by zero"),
        ("def f():\n    raise ValueError\nf()\n", "shop.py:2", "ValueError"),
        ("x = (\n", "shop.py:1", "SyntaxError: '(' was never closed"),
        ("import sys\nsys.exit(3)\n", "shop.py:2", "SystemExit: 3"),
        ("from math import nothing\n", "shop.py:1", "ImportError: cannot import name 'nothing' from 'math'"),
    ],
)
def test_import_that_raises_names_the_line(folder, text, place, last):
    write(folder, "shop.py", text)

    message = refused("shop:app", ApplicationError)

    assert message.startswith(f"cannot import 'shop': {place}: {last}")


def test_line_is_the_users_own_not_the_librarys(folder):
    write(folder, "shop.py", "import json\n\nsettings = json.loads('{')\n")

    message = refused("shop:app", ApplicationError)

    assert message.startswith("cannot import 'shop': shop.py:3: JSONDecodeError: Expecting property name")


def test_import_that_fails_deeper_names_the_deeper_file(folder):
    write(folder, "shop.py", "import web.database\n")
    write(folder, "web/database.py", "\n\nimport absent_package\n")

    message = refused("shop:app", ApplicationError)

    assert message == (
        "cannot import 'shop': web/database.py:3: ModuleNotFoundError: No module named 'absent_package'"
    )


def test_module_that_imports_an_absent_part_of_itself_is_not_called_absent(folder):
    write(folder, "web/__init__.py", "import web.absent\n")

    message = refused("web.absent:app", ApplicationError)

    assert message.startswith("cannot import 'web.absent': web/__init__.py:1: ModuleNotFoundError")


def test_attribute_that_is_absent_suggests_the_application_there_is(folder):
    write(folder, "shop.py", APPLICATION + "api = app\ndel app\n")

    assert refused("shop:app") == "module 'shop' (shop.py) has no attribute 'app'; did you mean 'api'?"


def test_attribute_that_is_absent_suggests_the_near_name(folder):
    write(folder, "shop.py", "application = None\n")

    message = refused("shop:aplication")

    assert message == "module 'shop' (shop.py) has no attribute 'aplication'; did you mean 'application'?"


def test_attribute_that_is_absent_deeper_names_its_owner(folder):
    write(folder, "shop.py", "class holder: ...\nholder = holder()\n")

    assert refused("shop:holder.app") == "an object of type holder in 'shop' has no attribute 'app'"


def test_folder_is_not_a_module_with_an_application(folder):
    write(folder, "web/shop.py")

    message = refused("web:app")

    assert message == "module 'web' (a folder without __init__.py) has no attribute 'app'"


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("Application", "the class Application"),
        ("make", "an object of type function"),
        ("number", "an object of type int"),
        ("nothing", "an object of type NoneType"),
    ],
)
def test_object_that_is_no_application_is_told(folder, name, what):
    write(folder, "shop.py", APPLICATION + "def make(): ...\nnumber = 5\nnothing = None\n")

    message = refused(f"shop:{name}")

    hint = "; if it makes one, write app = ... in the module, and name that" if name == "make" else ""
    assert message == (
        f"'shop:{name}' is {what}, not an application; "
        f"name an instance of penstock.App, or an ASGI or WSGI application{hint}"
    )


def test_looking_for_an_application_does_not_compile_it(folder):
    write(folder, "shop.py", "from penstock import App\napp = App()\n")

    application = load_application("shop:app")

    application.get("/late")(lambda: None)  # would be refused once compiled
    assert [row.path for row in application.routes()] == ["/late"]


def test_interrupt_during_the_import_is_not_swallowed(folder):
    write(folder, "shop.py", "raise KeyboardInterrupt\n")

    with pytest.raises(KeyboardInterrupt):
        load_application("shop:app")
