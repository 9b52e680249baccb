"""Loaded by Schemathesis: photos where the API takes photos, and a check that each refusal is a problem."""

import io

import schemathesis
from hypothesis import strategies as st
from PIL import Image


def _photos() -> list[bytes]:
    files = []
    for name in ("JPEG", "PNG", "WEBP", "BMP", "TIFF"):
        for width, height in ((32, 32), (320, 240), (64, 400)):
            ramp = Image.linear_gradient("L").resize((width, height))
            buffer = io.BytesIO()
            Image.merge("RGB", (ramp, ramp.transpose(Image.Transpose.ROTATE_180), ramp)).save(buffer, name)
            files.append(buffer.getvalue())
    return files


PHOTOS = _photos()
BYTES = st.one_of(st.sampled_from(PHOTOS), st.binary(max_size=200))

for media_type in ("image/*", "image/jpeg", "image/png", "image/webp"):
    schemathesis.openapi.media_type(media_type, BYTES)
schemathesis.openapi.format("binary", BYTES)


@schemathesis.check
def refusals_are_problems(_context: object, response: schemathesis.Response, _case: schemathesis.Case) -> None:
    """RFC 9457, whatever was wrong, and a moment to come back where that helps."""
    if response.status_code < 400 or response.request.method == "HEAD":
        return
    kind = response.headers["content-type"][0]
    assert kind == "application/problem+json", f"{response.status_code} as {kind}"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"].startswith("/problems/")
    assert {"title", "detail", "instance", "request_id"} <= set(problem)
    if response.status_code in (429, 503):
        assert int(response.headers["retry-after"][0]) > 0
