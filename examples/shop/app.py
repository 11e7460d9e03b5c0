"""A small shop, whole: `penstock run examples.shop.app:app --workers 2`, then http://localhost:8000.

Pages with sign-up and sessions, photos, an API with tokens and its description at /docs, cache and limits in
Redis, live news, work after the reply, SQLite. Each file is one of these; this one puts them together.
"""

from examples.shop import accounts, api, goods, live, orders
from examples.shop.database import Database, create_tables
from examples.shop.pages import FOLDER, LoginNeeded
from examples.shop.settings import get_secret, settings
from examples.shop.stores import sessions, store
from penstock import (
    CSRF,
    App,
    RedirectResponse,
    Request,
    RequestID,
    Response,
    Router,
    SecurityHeaders,
    StaticFiles,
)

app = App(
    title="Shop",
    version="1.0",
    description="Buy and sell. **Log in** with the name and password of the pages.",
    docs_url="/docs",
    hooks=[RequestID(), SecurityHeaders(csp="default-src 'self'; frame-ancestors 'none'; base-uri 'none'")],
)

people = Router(hooks=[sessions, CSRF(get_secret())])  # those with a browser and cookies
for part in (accounts, goods, orders):
    people.include(part.router)

app.include(people)
app.include(live.router)
app.include(api.router)
app.mount("/static", StaticFiles(FOLDER / "static"))
app.mount(
    "/photos", StaticFiles(settings.folder / "photos", cache_control={"*": "max-age=31536000, immutable"})
)

app.on_startup(create_tables)
app.on_shutdown(store.aclose)
app.every(seconds=live.EVERY_S)(live.news.refresh)


@app.exception_handler(LoginNeeded)
def to_login(_request: Request, _error: LoginNeeded) -> Response:
    return RedirectResponse("/login", 303)


@app.get("/health", include_in_schema=False)
def health(db: Database) -> dict[str, str]:
    """For whoever asks whether this still works: what it cannot do without."""
    db.execute("select 1 from goods limit 1")
    return {"status": "ok"}
