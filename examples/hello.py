"""The smallest application: `penstock run examples.hello:app`."""

from penstock import App

app = App()


@app.get("/")
async def home() -> str:
    return "Hello, World!"


@app.get("/hello/{name}")
async def hello(name: str, excited: bool = False) -> dict[str, str]:
    return {"message": f"Hello, {name}{'!' if excited else '.'}"}
