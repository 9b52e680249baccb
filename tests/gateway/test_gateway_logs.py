"""What the log holds of a request, and what it never holds."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from photos import encode, photo, picture
from processes import ROOT, TritonProcess, running_gateway

KEY = "leaf_0123abcd_" + "k" * 43
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzb21lYm9keSJ9.c2lnbmF0dXJl"
SECRETS = {
    "a key": KEY,
    "part of a key": "k" * 20,
    "a token": "eyJhbGciOiJIUzI1NiJ9",
    "an end user": "farmer-jane-0712345678",
    "a file name": "jane_on_her_field",
    "a comment in the photo": "Plot-of-Jane",
    "a cookie": "session-of-jane",
    "a query": "jane-in-the-query",
}


def exif() -> bytes:
    """Camera owner and the like, in the tags that Pillow's own debug log shows."""
    from PIL import Image

    tags = Image.Exif()
    tags[0x010E] = tags[0x013B] = SECRETS["a comment in the photo"]
    return tags.tobytes()


@pytest.mark.parametrize("with_addresses", [False, True])
def test_a_debug_log_holds_no_secret_and_nobody(
    null_triton: TritonProcess, tmp_path: Path, with_addresses: bool
) -> None:
    settings = {"log_level": "debug", "log_addresses": with_addresses}
    with running_gateway(null_triton.grpc_url, tmp_path / "log", **settings) as gateway:
        user = {"X-End-User": SECRETS["an end user"], "Cookie": f"id={SECRETS['a cookie']}"}
        credentials: list[dict[str, str]] = [
            {},
            {"Authorization": f"Bearer {KEY}"},
            {"Authorization": f"Bearer {TOKEN}"},
            {"X-API-Key": KEY},
        ]
        image = encode(picture(), exif=exif())
        tiff = encode(picture(), "TIFF", exif=exif())
        name = f"{SECRETS['a file name']}.jpg"
        with httpx2.Client(base_url=gateway.url, headers=user, timeout=10) as http:
            for headers in credentials:
                http.post("/v1/predict", content=image, headers=headers)
                http.post("/v1/predict", content=tiff, headers=headers)
                http.post("/v1/predict", files={"file": (name, image)}, headers=headers)
                http.post("/v1/predict", content=image[:-2000], headers=headers)
                http.post("/v1/predict", files={"file": (name, b"broken")}, headers=headers)
                http.post("/v1/predict", content=photo("refuse=internal"), headers=headers)
                http.get(f"/v1/predict?api_key={KEY}&q={SECRETS['a query']}", headers=headers)
                http.get(f"/there/is/nothing/{KEY}", headers=headers)
    log = gateway.log.read_text()
    assert log.count('"request"') >= 32
    for what, secret in SECRETS.items():
        assert secret not in log, what
    addresses = [json.loads(line).get("client") for line in log.splitlines() if '"event": "request"' in line]
    assert set(addresses) == ({"127.0.0.1"} if with_addresses else {None})


def test_the_line_of_a_request(null_triton: TritonProcess, tmp_path: Path) -> None:
    with running_gateway(null_triton.grpc_url, tmp_path / "log") as gateway:
        httpx2.post(f"{gateway.url}/v1/predict", content=photo(), headers={"X-Request-ID": "good"})
        httpx2.post(f"{gateway.url}/v1/predict", content=b"nothing", headers={"X-Request-ID": "bad"})
        httpx2.get(f"{gateway.url}/{'x' * 5000}", headers={"X-Request-ID": "long"})
    lines = [json.loads(line) for line in gateway.log.read_text().splitlines()]
    requests = {line["request_id"]: line for line in lines if line["event"] == "request"}
    good = requests["good"]
    assert (good["route"], good["method"], good["status"]) == ("/v1/predict", "POST", 200)
    assert (good["caller"], good["decision"]) == ("open", "accepted")
    assert good["duration_ms"] > 0
    assert requests["bad"]["problem"] == "/problems/unsupported-format"
    assert requests["long"]["route"] == "unmatched"
    assert len(requests["long"]["path"]) <= 200


def test_a_known_caller_is_a_kind_and_no_more(null_triton: TritonProcess, tmp_path: Path) -> None:
    environment = os.environ | {"GATEWAY_DATA_DIR": str(tmp_path / "log.state")}
    command = [sys.executable, "-m", "gateway", "keys", "create", "--name", "bot-of-jane"]
    command += ["--scope", "predict", "--scope", "delegate"]
    made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=True)
    found = re.search(r"leaf_[0-9a-f]{8}_[\w-]{43}", made.stdout)
    assert found
    key = found[0]
    user = SECRETS["an end user"]
    settings = {"auth": "required", "log_level": "debug"}
    with (
        running_gateway(null_triton.grpc_url, tmp_path / "log", **settings) as gateway,
        httpx2.Client(base_url=gateway.url, headers={"X-End-User": user}, timeout=10) as http,
    ):
        assert http.post("/v1/predict", content=photo(), headers={"X-API-Key": key}).status_code == 200
        files = {"file": (f"{SECRETS['a file name']}.jpg", photo())}
        assert http.post("/v1/predict", files=files, headers={"Authorization": f"Bearer {key}"}).status_code == 200
        assert http.post("/v1/predict", content=photo(), headers={"X-API-Key": f"{key}x"}).status_code == 401
    log = gateway.log.read_text()
    lines = [json.loads(line) for line in log.splitlines() if '"event": "request"' in line]
    asked = [line for line in lines if line["route"] == "/v1/predict"]
    assert [(line["status"], line.get("caller")) for line in asked] == [(200, "key"), (200, "key"), (401, None)]
    for secret in (key, key[14:40], user, "jane"):
        assert secret not in log


WRITING = """
import logging, sys
import structlog
from gateway.logs import configure_logs
configure_logs("debug")
def fail(header):
    raise RuntimeError("refused " + header[:6])
try:
    fail("secret-in-a-variable")
except RuntimeError:
    structlog.get_logger().exception("defect")
    logging.getLogger("library").exception("defect")
logging.getLogger("library").debug("what a library parses")
logging.getLogger("library").info("Bearer abcdefghijkl postgresql://user:pass@host/db")
structlog.get_logger().info("%s", key=sys.argv[1], token=sys.argv[2], url="redis://:pass@host")
structlog.get_logger().debug("own")
"""


def test_tracebacks_show_no_values_and_credentials_are_masked() -> None:
    command = [sys.executable, "-c", WRITING, KEY, TOKEN]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["event"] for line in lines[:2]] == ["defect", "defect"]
    assert all(line["exception"][0]["exc_value"] == "refused secret" for line in lines[:2])
    assert "fail" in json.dumps(lines[0]["exception"])  # the frames are there, their variables are not
    assert "secret-in-a-variable" not in text.replace('fail("secret-in-a-variable")', "")
    assert "what a library parses" not in text
    assert lines[2]["event"] == "Bearer *** postgresql://***@host/db"
    assert (lines[3]["key"], lines[3]["token"], lines[3]["url"]) == ("***", "***", "redis://***@host")
    assert lines[4]["event"] == "own"
