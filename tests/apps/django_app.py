"""A small Django project in one file: a form with CSRF and a session, uploads, files, streams; `asgi` and `wsgi`."""

import asyncio
import os
import sys
from pathlib import Path

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import path, re_path, reverse
from django.views.static import serve

FOLDER = Path(os.environ["SHOP_FOLDER"])
PAGE = "<form method=post>{% csrf_token %}<input name=name></form><p>{{ names|join:',' }}</p>"
NAME = "django.template.loaders.locmem.Loader"

settings.configure(
    DEBUG=False,
    SECRET_KEY="test",
    ALLOWED_HOSTS=["127.0.0.1", "shop.example"],
    ROOT_URLCONF=__name__,
    FILE_UPLOAD_MAX_MEMORY_SIZE=10_000,
    INSTALLED_APPS=["django.contrib.sessions"],
    SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {"loaders": [(NAME, {"form.html": PAGE})]},
        }
    ],
)
django.setup()


def form(request):
    names = request.session.get("names", [])
    if request.method == "POST":
        request.session["names"] = [*names, request.POST["name"]]
        return HttpResponseRedirect(reverse("form"))
    return render(request, "form.html", {"names": names})


def upload(request):
    sizes = {name: sum(map(len, file.chunks())) for name, file in request.FILES.items()}
    return JsonResponse({"fields": request.POST, "sizes": sizes})


upload.csrf_exempt = True


def stream(request):
    if hasattr(request, "scope"):
        return StreamingHttpResponse(make_async())
    return StreamingHttpResponse(f"{number}\n" for number in range(1000))


async def make_async():
    for number in range(1000):
        yield f"{number}\n"
        if number % 100 == 0:
            await asyncio.sleep(0)


async def wait(request):
    await asyncio.sleep(0.01)
    return HttpResponse("waited")


def download(request):
    return FileResponse((FOLDER / "big.bin").open("rb"), as_attachment=True)


def fail(request):
    raise ValueError("on purpose")


def where(request):
    return JsonResponse(
        [request.build_absolute_uri(), request.is_secure(), request.META["REMOTE_ADDR"]], safe=False
    )


urlpatterns = [
    path("", form, name="form"),
    path("upload", upload),
    path("stream", stream),
    path("wait", wait),
    path("download", download),
    path("fail", fail),
    path("where", where),
    re_path("^static/(?P<path>.*)$", serve, {"document_root": FOLDER}),
]

sys.modules.setdefault("tests.apps.django_app", sys.modules[__name__])
asgi = get_asgi_application()
wsgi = get_wsgi_application()
