"""Gives TensorRT's Python API the libraries of TensorRT-RTX, which build plans without a GPU; run by `make install-tensorrt`.

Both come as wheels into one environment, whose Python runs this, standard library only. The API looks beside itself for
libraries under TensorRT's own names. One of its functions, which registers plugins and which nothing here calls, TensorRT-RTX
lacks; the loader wants it all the same, so it is compiled.
"""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

LIBRARIES = {
    "libnvinfer.so.11": "libtensorrt_rtx.so.1.*",
    "libnvonnxparser.so.11": "libtensorrt_onnxparser_rtx.so.1.*",
}
"""Name that the API looks for by what TensorRT-RTX calls it."""
PLUGINS = "libnvinfer_plugin.so.11"
NO_PLUGINS = "int initLibNvInferPlugins(void *logger, const char *space) { return 0; }\n"


def link(bindings: Path, libraries: Path) -> str | None:
    """Put the libraries beside the Python API.

    Args:
        bindings: folder of the package `tensorrt_bindings`.
        libraries: folder with TensorRT-RTX's libraries.

    Returns:
        What is wrong and what to do about it, None where all is well.
    """
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return "A C compiler is needed for a library of one line: install gcc, then `make install-tensorrt` again."
    for name, pattern in LIBRARIES.items():
        found = sorted(libraries.glob(pattern))
        if not found:
            return f"{libraries} holds no {pattern}: install the locked versions (requirements/tensorrt.txt)."
        (bindings / name).unlink(missing_ok=True)
        (bindings / name).symlink_to(found[-1])
    command = [compiler, "-shared", "-nostdlib", "-x", "c", "-", "-o", str(bindings / PLUGINS)]
    made = subprocess.run(command, input=NO_PLUGINS, capture_output=True, text=True, timeout=60, check=False)
    return f"{compiler} fails: {made.stderr.strip()}" if made.returncode else None


def folder(package: str) -> Path:
    """Where a package of this environment lies; importing it would need what is linked here."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise SystemExit(f"{package} is not installed here: run `make install-tensorrt`.")
    return Path(spec.origin).parent


if __name__ == "__main__":
    sys.exit(link(folder("tensorrt_bindings"), folder("onnxruntime_ep_nv_tensorrt_rtx")))
