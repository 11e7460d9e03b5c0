"""`need_package("flask")`: the package, or a loud skip, or under CI=true a failure. `django_application`: views served."""

from __future__ import annotations

import importlib
import os
import sys
import types

import pytest

DJANGO_URLS = "penstock_test_urls"


def import_package(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        verdict = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        verdict(f"the package {name!r} is not installed; this test runs it (the dev extra brings it)")


@pytest.fixture(scope="session")
def need_package():
    return import_package


def pytest_configure(config):
    config.addinivalue_line("markers", "need_package(*names): packages the test runs")


def pytest_runtest_setup(item):
    for marker in item.iter_markers("need_package"):
        for name in marker.args:
            import_package(name)


@pytest.fixture
def django_application(need_package):
    """`django_application("wsgi", [path(...)])`: a handler of a Django project with these URLs."""
    need_package("django")
    import django
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            DEBUG=False,
            SECRET_KEY="test",
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF=DJANGO_URLS,
            LOGGING_CONFIG=None,
            FILE_UPLOAD_MAX_MEMORY_SIZE=1000,
        )
        django.setup()
    from django.core.asgi import get_asgi_application
    from django.core.wsgi import get_wsgi_application
    from django.urls import clear_url_caches, set_script_prefix

    from penstock.gateway.asgi import ASGIHandler
    from penstock.gateway.wsgi import WSGIHandler

    def make(interface, urlpatterns):
        module = sys.modules[DJANGO_URLS] = types.ModuleType(DJANGO_URLS)
        module.urlpatterns = urlpatterns
        clear_url_caches()
        if interface == "asgi":
            return ASGIHandler(get_asgi_application())
        return WSGIHandler(get_wsgi_application())

    yield make
    del sys.modules[DJANGO_URLS]
    set_script_prefix("/")
