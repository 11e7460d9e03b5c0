"""The three routes in Django, without middleware."""
# ruff: noqa: D103

import json
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse
from django.urls import path

settings.configure(ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=__name__)


def home(_request: Any) -> Any:
    return HttpResponse("Hello, World!", content_type="text/plain")


def user(request: Any, user_id: int) -> Any:
    is_verbose = request.GET.get("verbose") == "true"
    return JsonResponse({"id": user_id, "name": f"user-{user_id}", "verbose": is_verbose})


def create(request: Any) -> Any:
    given = json.loads(request.body)
    content = {"id": 1, "name": str(given["name"]), "age": int(given["age"]), "email": str(given["email"])}
    return JsonResponse(content, status=201)


urlpatterns = [path("", home), path("users/<int:user_id>", user), path("users", create)]
app = get_wsgi_application()
