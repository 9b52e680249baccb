"""The page's files, named by a version."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.static_files import StaticFile, digest, read_files

INDEX = "index.html"
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Page:
    """The document, and what it refers to as `page/<version>/<name>`; nothing else can be asked for."""

    index: StaticFile
    version: str
    files: Mapping[str, StaticFile]


def read_page(keep_photos: str) -> Page:
    """All files of the page.

    Args:
        keep_photos: `always`, `consent` or `never`; the page tells its users which it is.
    """
    texts = {f"texts/{name}": file for name, file in read_files((_FOLDER / "texts").iterdir()).items()}
    files = read_files((_FOLDER / "static").iterdir()) | texts
    document = files.pop(INDEX)
    version = digest(b"".join(file.content for file in files.values()))
    filled = document.content.replace(b"@version", version.encode()).replace(b"@keep_photos", keep_photos.encode())
    return Page(StaticFile(filled, document.media_type), version, files)
