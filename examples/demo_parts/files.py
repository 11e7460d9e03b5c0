"""Files below one folder, read with GET and written with POST.

The folder is `examples/files`, or what DEMO_FILES names. A client chooses the name, so the name is not
trusted: it is resolved, symlinks included, and has to end up below the folder; dotfiles stay hidden. A file
is written under another name and then renamed, so no reader ever sees half of one.

The handlers are plain `def`: they run in the thread pool, where waiting for a disk holds up nobody.
"""

import mimetypes
import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from penstock import HTTPError, Request, Response, Router

FOLDER = Path(os.environ.get("DEMO_FILES") or Path(__file__).parent.parent / "files").resolve()

NAME_LIMIT = 255  # octets; what every file system takes

# What a stranger uploaded must not run as a page of this site.
HARMLESS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}

REFUSED = {400: "This is no file name.", 403: "It leads out of the folder, or is hidden."}

files = Router(prefix="/files", tags=["files"], responses=REFUSED)


@files.get("/{path:path}", responses={200: "The file.", 404: "There is no such file."})
def read_file(path: str) -> Response:
    file = locate(path)
    if not file.is_file():
        raise HTTPError(404, f"there is no file {path!r}")
    media_type = mimetypes.guess_type(file.name)[0]
    return Response(file.read_bytes(), headers=HARMLESS, media_type=media_type or "application/octet-stream")


@files.post(
    "/{path:path}",
    responses={201: "Written.", 409: "It is a folder, or below a file."},
    openapi_extra={"requestBody": {"content": {"application/octet-stream": {}}}},
)
def write_file(path: str, request: Request) -> Response:
    file = locate(path)
    if file.is_dir():
        raise HTTPError(409, f"{path!r} is a folder")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise HTTPError(409, f"a part of {path!r} is a file, not a folder") from None
    write_at_once(file, request.body)
    return Response(status=201, headers={"Location": request.raw_path.decode()})


def locate(path: str) -> Path:
    """The file a client means by `path`; 400 or 403 when it can mean none below the folder."""
    parts = path.split("/")
    if "\0" in path or "" in parts or len(path.encode()) > NAME_LIMIT:
        raise HTTPError(400, f"{path!r} is no file name")
    if any(part.startswith(".") for part in parts):  # "..", too
        raise HTTPError(403, "hidden files stay hidden")
    try:
        file = FOLDER.joinpath(*parts).resolve()
    except RuntimeError:  # a loop of symlinks
        raise HTTPError(403, f"{path!r} leads nowhere") from None
    if not file.is_relative_to(FOLDER):
        raise HTTPError(403, f"{path!r} leads out of the folder")
    return file


def write_at_once(file: Path, content: bytes) -> None:
    with NamedTemporaryFile(dir=file.parent, prefix=".", delete=False) as temporary:
        try:
            temporary.write(content)
            temporary.flush()
            Path(temporary.name).replace(file)
        except BaseException:
            Path(temporary.name).unlink()
            raise
