"""The same form in FastAPI."""
# ruff: noqa: D103

from typing import Annotated, Any

from fastapi import FastAPI, File, Form, UploadFile

app = FastAPI()


@app.post("/task")
async def in_task(title: Annotated[str, Form()], file: Annotated[UploadFile, File()]) -> dict[str, Any]:
    return {"title": title, "name": file.filename, "size": file.size}


@app.post("/thread")
def in_thread(title: Annotated[str, Form()], file: Annotated[UploadFile, File()]) -> dict[str, Any]:
    return {"title": title, "name": file.filename, "size": file.size}
