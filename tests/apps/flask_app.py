"""A small Flask application: sessions, uploads, `send_file`, streams, hooks, errors."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import flask

FOLDER = Path(os.environ["SHOP_FOLDER"])
app = flask.Flask(__name__)
app.secret_key = "test"
events: list[str] = []


@app.before_request
def begin():
    flask.g.thread = threading.get_ident()


@app.teardown_request
def end(error):
    events.append(f"end of {flask.request.path}")


@app.get("/")
def home():
    flask.session["visits"] = flask.session.get("visits", 0) + 1
    return {"visits": flask.session["visits"], "thread": flask.g.thread == threading.get_ident()}


@app.post("/upload")
def upload():
    sizes = {name: len(file.read()) for name, file in flask.request.files.items()}
    return {"fields": flask.request.form, "sizes": sizes}


@app.post("/raw")
def raw():
    length = 0
    while piece := flask.request.stream.read(10_000):
        length += len(piece)
    return str(length)


@app.get("/stream")
def stream():
    def make():
        try:
            for number in range(1000):
                yield f"{flask.request.args.get('prefix', '')}{number}\n"
        finally:
            events.append("stream ended")

    return flask.Response(flask.stream_with_context(make()), mimetype="text/plain")


@app.get("/forever")
def forever():
    def make():
        try:
            while True:
                yield b"x" * 1000
                time.sleep(0.002)
        finally:
            events.append("forever ended")

    return flask.Response(make())


@app.get("/download")
def download():
    return flask.send_file(FOLDER / "big.bin", as_attachment=True, max_age=60)


@app.get("/files/<path:name>")
def files(name):
    return flask.send_from_directory(FOLDER, name)


@app.get("/where/<int:number>")
def where(number):
    return [flask.request.url, flask.url_for("where", number=number + 1), flask.request.remote_addr]


@app.get("/fail")
def fail():
    raise ValueError("on purpose")


@app.errorhandler(404)
def none(error):
    return "nothing here", 404


@app.get("/events")
def show_events():
    return events
