"""A form with a file, in the ways Penstock takes it."""
# ruff: noqa: D103

from typing import Annotated

from penstock import App, Form, FormLimits, MultipartStream, UploadFile

app = App()


@app.post("/task")
async def in_task(title: Annotated[str, Form()], file: UploadFile) -> dict[str, object]:
    return {"title": title, "name": file.filename, "size": file.size}


@app.post("/thread")
def in_thread(title: Annotated[str, Form()], file: UploadFile) -> dict[str, object]:
    return {"title": title, "name": file.filename, "size": file.size}


@app.post("/disk", form_limits=FormLimits(memory_bytes=2**20))
async def on_disk(title: Annotated[str, Form()], file: UploadFile) -> dict[str, object]:
    return {"title": title, "name": file.filename, "size": file.size}


@app.post("/stream")
async def as_stream(form: MultipartStream) -> dict[str, object]:
    found: dict[str, object] = {}
    async for part in form:
        if part.filename is None:
            found["title"] = (await part.aread()).decode()
        else:
            found |= {"name": part.filename, "size": sum([len(piece) async for piece in part])}
    return found
