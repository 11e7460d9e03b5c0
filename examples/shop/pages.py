"""What all pages have in common."""

from pathlib import Path
from typing import Any

from penstock import HTMLResponse, Request, Templates

FOLDER = Path(__file__).parent

templates = Templates(FOLDER / "templates", strict=True)
templates.environment.filters["price"] = lambda cents: f"{cents / 100:.2f} €"


class LoginNeeded(Exception):
    """Raised where only members may go; the application answers it."""


def page(request: Request, name: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    user = request.session.get("user")
    return templates.render(name, request=request, status=status, user=user, **values)
