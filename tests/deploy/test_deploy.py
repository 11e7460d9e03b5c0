"""The recipes of deploy/, as far as they can be tried without a container: their form, what they name of each other,
and what they start.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import ssl
import subprocess
import sys
import tempfile
import time
import tomllib
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import yaml

from http_benchmark.targets.trouble import trouble
from penstock.server.certificates import make_self_signed
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
RECIPES = ["httpbin", "nginx", "traefik"]
INSTANCES = ["httpbin-1", "httpbin-2", "httpbin-3"]
WAIT_S = 60


def read(name):
    return yaml.safe_load((DEPLOY / name).read_text("utf-8"))


def instructions():
    """Of the Dockerfile: (word, rest), lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (DEPLOY / "Dockerfile").read_text("utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


def words_of(name):
    """The words of an instruction in its JSON form."""
    (rest,) = [rest for word, rest in instructions() if word == name]
    return json.loads(rest[rest.index("[") :])


def test_compose_files_are_valid():
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    files = [DEPLOY / recipe / "compose.yaml" for recipe in RECIPES]
    done = subprocess.run([*words, *files], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_container_runs_without_rights(recipe):
    for service in read(f"{recipe}/compose.yaml")["services"].values():
        assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", service["user"])
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert re.search(r":v?\d", service["image"]) or service["build"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_compose_file_names_what_there_is(recipe):
    folder = DEPLOY / recipe
    composed = read(f"{recipe}/compose.yaml")

    for service in composed["services"].values():
        if "build" in service:
            context = (folder / service["build"]["context"]).resolve()
            assert context == ROOT
            assert (context / service["build"]["dockerfile"]).is_file()
        for volume in service.get("volumes", []):
            source, _, mode = volume.split(":")
            assert (folder / source).is_file()
            assert mode == "ro"
        assert set(service.get("secrets", [])) <= set(composed.get("secrets", {}))
        assert set(service.get("networks", [])) <= set(composed.get("networks", {}))
        assert set(service.get("depends_on", [])) <= set(composed["services"])
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("recipe", ["nginx", "traefik"])
def test_instances_are_reached_by_the_proxy_alone(recipe):
    composed = read(f"{recipe}/compose.yaml")

    assert composed["networks"]["instances"] == {"internal": True}
    for name in INSTANCES:
        assert "ports" not in composed["services"][name]
        assert composed["services"][name]["networks"] == ["instances"]
        assert composed["services"][recipe]["depends_on"][name] == {"condition": "service_healthy"}
    assert {port.rpartition(":")[2] for port in composed["services"][recipe]["ports"]} == {"8080", "8443"}


def test_the_image_is_built_of_what_there_is_and_runs_without_rights():
    found = instructions()

    users = [rest for word, rest in found if word == "USER"]
    assert users == ["65532:65532"]
    assert all(re.fullmatch(r"python:3\.\d+-slim( AS \w+)?", rest) for word, rest in found if word == "FROM")
    sent = (DEPLOY / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    for word, rest in found:
        if word == "COPY" and not rest.startswith("--from="):
            for source in shlex.split(rest)[:-1]:
                assert (ROOT / source).exists()
                assert f"!{source}" in sent
    assert set(words_of("ENTRYPOINT")) >= {"8000", "0.0.0.0"}
    assert ("EXPOSE", "8000") in found


def test_what_the_build_reads_is_sent():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    copied = {
        source
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from=")
        for source in shlex.split(rest)[:-1]
    }

    assert copied == {
        "pyproject.toml",
        project["project"]["readme"],
        *project["project"]["license-files"],
        *project["tool"]["setuptools"]["packages"]["find"]["where"],
    }


def run_penstock(words, told):
    return subprocess.Popen(
        [sys.executable, "-m", "penstock", *words[1:]],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        stdout=told,
        stderr=told,
    )


def test_both_proxies_have_the_same_instances():
    first, second = (read(f"{recipe}/compose.yaml")["services"] for recipe in ("nginx", "traefik"))

    for name in INSTANCES:
        assert first[name] == second[name] == first["httpbin-1"]


@pytest.mark.parametrize("recipe", ["httpbin", "nginx"])
def test_the_image_serves_and_says_that_it_is_healthy(recipe, tmp_path):
    service = read(f"{recipe}/compose.yaml")["services"]["httpbin" if recipe == "httpbin" else "httpbin-1"]
    port, admin = str(free_port()), str(free_port())
    here = {"0.0.0.0": "127.0.0.1", "8000": port, "127.0.0.1:9100": f"127.0.0.1:{admin}"}
    words = [here.get(word, word) for word in [*words_of("ENTRYPOINT"), *service.get("command", [])]]
    health = [word.replace(":9100", f":{admin}") for word in words_of("HEALTHCHECK")]

    log = tmp_path / "log"
    with log.open("w", encoding="utf-8") as told, run_penstock(words, told) as process:
        try:
            until = time.monotonic() + WAIT_S
            while run_penstock(health, told).wait(WAIT_S):
                assert process.poll() is None, log.read_text("utf-8")
                assert time.monotonic() < until, log.read_text("utf-8")
            with closing(http.client.HTTPConnection("127.0.0.1", int(port), timeout=WAIT_S)) as connection:
                connection.request("GET", "/get", headers={"X-Forwarded-For": "192.0.2.7"})
                answer = json.loads(connection.getresponse().read())
        finally:
            process.terminate()

    assert process.returncode == 0, log.read_text("utf-8")
    assert answer["origin"] == ("192.0.2.7" if "command" in service else "127.0.0.1")


@pytest.mark.need_tool("nginx", "openssl")
def test_nginx_balances_retries_and_ends_tls(need_tool, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    certificate = make_self_signed()
    plain, secure = free_port(), free_port()
    here = {"8080": plain, "8443 ssl": f"{secure} ssl"}
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        servers = [stack.enter_context(trouble()) for _ in range(2)]
        ports = [server.port for server in servers] + [free_port()]  # where nobody listens
        text = (DEPLOY / "nginx" / "nginx.conf").read_text("utf-8")
        for name, port in zip(INSTANCES, ports, strict=True):
            assert text.count(f"server {name}:8000 ") == 1
            text = text.replace(f"{name}:8000", f"127.0.0.1:{port}")
        for old, new in here.items():
            assert text.count(f"listen {old}") == 1
            text = text.replace(f"listen {old}", f"listen 127.0.0.1:{new}")
        text = text.replace("/tmp/", f"{folder}/")
        text = re.sub(r"/run/secrets/(?:cert|key)\.pem", certificate, text)
        configuration = Path(folder, "nginx.conf")
        configuration.write_text(
            f"daemon off;\n{'user root root;' if os.geteuid() == 0 else ''}\n{text}", "utf-8"
        )
        words = [need_tool("nginx"), "-e", "stderr", "-p", folder, "-c", str(configuration)]
        checked = subprocess.run([*words, "-t"], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        with subprocess.Popen(words, stderr=subprocess.DEVNULL) as nginx:
            try:
                wait_for(plain, nginx)
                context = ssl.create_default_context(cafile=certificate)
                for connection in (
                    http.client.HTTPConnection("127.0.0.1", plain, timeout=WAIT_S),
                    http.client.HTTPSConnection("127.0.0.1", secure, timeout=WAIT_S, context=context),
                ):
                    with closing(connection):
                        for _ in range(20):
                            connection.request("GET", "/")
                            reply = connection.getresponse()
                            assert (reply.status, reply.read()) == (200, b"Hello, World!")
                seen = [server.counts().requests for server in servers]
            finally:
                nginx.terminate()

    assert sum(seen) == 40
    assert min(seen) > 5


def wait_for(port, process):
    until = time.monotonic() + WAIT_S
    while True:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)) as connection:
            try:
                connection.request("GET", "/nginx-health")
                assert connection.getresponse().status == 204
                return
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.02)


def test_traefik_is_told_of_what_there_is():
    static, dynamic, composed = (
        read("traefik/traefik.yaml"),
        read("traefik/dynamic.yaml"),
        read("traefik/compose.yaml"),
    )
    traefik = composed["services"]["traefik"]
    mounted = {volume.split(":")[1] for volume in traefik["volumes"]}
    web, tls = dynamic["http"], dynamic["tls"]["stores"]["default"]["defaultCertificate"]

    assert static["providers"]["file"]["filename"] in mounted
    assert "/etc/traefik/traefik.yaml" in mounted
    assert static["ping"]["entryPoint"] in static["entryPoints"]
    published = {port.rpartition(":")[2] for port in traefik["ports"]}
    assert published == {
        static["entryPoints"][name]["address"].removeprefix(":") for name in ("web", "websecure")
    }
    for router in web["routers"].values():
        assert set(router["entryPoints"]) <= set(static["entryPoints"])
        assert router["service"] in web["services"]
        assert set(router["middlewares"]) <= set(web["middlewares"])
    assert "tls" in web["routers"]["httpbin-tls"]
    balancer = web["services"]["httpbin"]["loadBalancer"]
    assert [server["url"] for server in balancer["servers"]] == [f"http://{name}:8000" for name in INSTANCES]
    assert {tls["certFile"], tls["keyFile"]} == {f"/run/secrets/{name}" for name in traefik["secrets"]}


def test_the_health_check_of_traefik_is_answered_by_the_target():
    from http_benchmark.targets.httpbin import app
    from penstock import TestClient

    path = read("traefik/dynamic.yaml")["http"]["services"]["httpbin"]["loadBalancer"]["healthCheck"]["path"]
    with TestClient(app) as client:
        assert client.get(path).status == 200
