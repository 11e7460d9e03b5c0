"""schemathesis against servers, over sockets: what an application answers is what its document says.

It makes requests that fit the document and requests that do not, the same ones each time.
"""

from __future__ import annotations

import subprocess
import sys

import pytest
from openapi_spec_validator import validate

from penstock.http.json import loads
from tests.e2e.serving import serving
from tests.examples.conftest import Site

# What becomes of undeclared methods: those of RFC 9110 and PATCH. Others are answered 501, and are no failure.
CONFIGURATION = """
[phases.coverage]
unexpected-methods = ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE"]
"""
CONFORMANCE = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,missing_required_header,unsupported_method,allow_header_conformance"
)
TIME_LIMIT_S = 250


def survive(folder, url: str, checks: str, examples: int) -> None:
    """Fail with what schemathesis found."""
    configuration = folder / "schemathesis.toml"
    configuration.write_text(CONFIGURATION)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(configuration)),
            *("run", f"{url}/openapi.json", "--checks", checks, "--seed", "1", "--no-color"),
            *("--max-examples", str(examples), "--suppress-health-check", "all", "--warnings", "off"),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-2_000:]


@pytest.mark.slow
def test_the_demo_survives_every_check(tmp_path):
    with serving("examples.demo:app", DEMO_FILES=str(tmp_path / "files")) as server:
        validate(loads(Site(server).get("/openapi.json").content))

        survive(tmp_path, server.url, "all", examples=6)

        assert "Traceback" not in server.log


@pytest.mark.slow
def test_every_kind_of_parameter_and_body_is_answered_as_described(tmp_path):
    with serving("tests.apps.described:app") as server:
        validate(loads(Site(server).get("/openapi.json").content))

        survive(tmp_path, server.url, CONFORMANCE, examples=3)

        assert "Traceback" not in server.log
