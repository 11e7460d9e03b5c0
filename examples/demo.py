"""The demo application, what `make run` serves: a tour of Penstock in one screen.

    penstock run examples.demo:app

Everything a framework does most is here once: text, JSON and HTML, path and query parameters, the request, a
hook, and three routers from `demo_parts/` for files, users and figures.
"""

from examples.demo_parts.figures import Figures
from examples.demo_parts.files import files
from examples.demo_parts.pages import index_page, page
from examples.demo_parts.users import users
from penstock import App, HTMLResponse, Request, Response

app = App(
    title="Penstock demo",
    description="Everything a framework does most, once.",
    openapi_url="/openapi.json",
    tag_descriptions={
        "users": "Kept in memory.",
        "files": "Below one folder.",
        "figures": "Of the demo itself.",
    },
)
figures = Figures()

app.include(files)
app.include(users)
app.include(figures.router)


@app.after
def count(request: Request, response: Response) -> None:
    figures.count(request.route, response.status)


@app.get("/")
def index(request: Request) -> HTMLResponse:
    return HTMLResponse(index_page(app.routes(), request.host))


@app.get("/about")
def about() -> HTMLResponse:
    return HTMLResponse(page("about.html"))


@app.get("/api/hello")
async def hello(name: str = "World") -> dict[str, str]:
    return {"message": f"Hello, {name}!"}


@app.get("/echo/{text}")
async def echo(text: str) -> str:
    return text


@app.get("/user-agent")
async def user_agent(request: Request) -> str:
    return request.headers.get("user-agent", "")
