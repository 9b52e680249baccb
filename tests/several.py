"""Requests with several photos, and what the record says of them."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
from null_repository import write_ensemble, write_null_model
from processes import TritonProcess, free_ports

Photo = bytes | tuple[str, bytes]


def parts(photos: Sequence[Photo]) -> list[tuple[str, tuple[str, bytes]]]:
    """The parts of a form, named `a0.jpg`, `a1.jpg`, ... where no name is given."""
    named = [photo if isinstance(photo, tuple) else (f"a{place}.jpg", photo) for place, photo in enumerate(photos)]
    return [("file", photo) for photo in named]


def post(client: httpx2.Client, path: str, photos: Sequence[Photo], **headers: str) -> httpx2.Response:
    """Send photos in one form."""
    return client.post(path, files=parts(photos), headers=headers)


def problem(reply: httpx2.Response, status: int, slug: str) -> dict[str, Any]:
    """The body of a problem that must be this one."""
    assert (reply.status_code, reply.headers["Content-Type"]) == (status, "application/problem+json"), reply.text
    assert reply.json()["type"] == f"/problems/{slug}", reply.text
    return reply.json()


def recorded(client: httpx2.Client, prediction_id: str) -> dict[str, Any]:
    """What the record says of a prediction, once it is there."""
    reply = client.get(f"/v1/predictions/{prediction_id}")
    assert reply.status_code == 200, reply.text
    return reply.json()


@contextlib.contextmanager
def triton_with(folder: Path, *releases: dict[str, object]) -> Iterator[TritonProcess]:
    """A Triton of its own, so that other tests' gateways see none of these releases: 1, 2, ... with these changes."""
    repository = folder / "repository"
    write_null_model(repository)
    names = [write_ensemble(repository, number, **changes) for number, changes in enumerate(releases, 1)]
    triton = TritonProcess(repository, free_ports(3), load=tuple(names))
    triton.start()
    try:
        yield triton
    finally:
        triton.stop()
