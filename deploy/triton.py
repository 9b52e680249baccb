"""`python3 -m deploy.triton --repository /models`: what Triton's container runs. Standard library only.

On a GPU the plans are checked first (`python -m export verify`), then the newest release that has them is served: one that
has none here yet is left out, as a version without a plan keeps its whole step from loading. `--cpu` serves with the
stand-in backends of server/ instead. Loading and unloading needs the secret of TRITON_CONTROL_SECRET, which the gateway sends.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENSEMBLE = re.compile(r"leaf_ensemble_([1-9][0-9]*)")
NAMED = re.compile(r"leaf_ensemble_([1-9][0-9]*): ")
"""How export's check names a release that this host cannot load."""
LEAST_SECRET_CHARACTERS = 32
EXIT_TIMEOUT_S = 30
CONTROL_HEADER = "admin-key"
RESTRICTED = "model-repository,shared-memory,trace,logging"
"""What may change the server; inference, health and statistics stay open to who reaches it."""
CUDA_POOL_BYTES = 512 * 1024 * 1024
PINNED_POOL_BYTES = 512 * 1024 * 1024
GRPC_THREADS = 8


class StartError(Exception):
    """Triton cannot start as it is set up; says what to do."""


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python3 -m deploy.triton", description=__doc__)
    parser.add_argument("--repository", type=Path, required=True, help="model repository to serve")
    parser.add_argument("--cpu", action="store_true", help="with the CPU stand-ins instead of a GPU")
    parser.add_argument("--installation", type=Path, default=Path("/opt/tritonserver"), help="default %(default)s")
    parser.add_argument("--host", default="0.0.0.0", help="default %(default)s")  # noqa: S104 - of its own container
    return parser.parse_args(arguments)


def newest_ensemble(repository: Path) -> str:
    """The ensemble of the highest-numbered release.

    Raises:
        StartError: there is none, or the folder cannot be read.
    """
    try:
        numbers = [int(match[1]) for path in repository.iterdir() if (match := ENSEMBLE.fullmatch(path.name))]
    except OSError as error:
        raise StartError(
            f"{repository} cannot be read ({error.strerror}): set MODEL_REPOSITORY to a model repository that user "
            f"{os.getuid()} may read."
        ) from error
    if not numbers:
        raise StartError(
            f"{repository} holds no release: write one with `make export`, or use the demo's (`make env`)."
        )
    return f"leaf_ensemble_{max(numbers)}"


def shared_flags(environment: Mapping[str, str]) -> list[str]:
    """Flags of both kinds of machine: who may change the server, its threads, its traces.

    Raises:
        StartError: the secret is missing or short.
    """
    secret = environment.get("TRITON_CONTROL_SECRET", "")
    if len(secret) < LEAST_SECRET_CHARACTERS or not secret.isalnum():
        raise StartError(
            f"TRITON_CONTROL_SECRET needs at least {LEAST_SECRET_CHARACTERS} letters and digits: `make env` writes one."
        )
    flags = [
        f"--{api}={RESTRICTED}:{CONTROL_HEADER}={secret}" for api in ("http-restricted-api", "grpc-restricted-protocol")
    ]
    flags += ["--grpc-infer-allocation-pool-size=64"]
    if age := environment.get("TRITON_CONNECTION_AGE_S", ""):
        # gateways connect anew now and then, and so find Tritons that were added
        flags += [
            f"--grpc-max-connection-age={int(age) * 1000}",
            f"--grpc-max-connection-age-grace={EXIT_TIMEOUT_S * 1000}",
        ]
    if url := environment.get("TRITON_TRACES_URL", ""):
        # rate 0: only requests that the gateway traces
        flags += ["--trace-config=mode=opentelemetry", "--trace-config=rate=0", "--trace-config=level=TIMESTAMPS"]
        flags += [f"--trace-config=opentelemetry,url={url}"]
    return flags


def gpu_command(given: argparse.Namespace, environment: Mapping[str, str], gpus: int) -> list[str]:
    """tritonserver with its own backends; intermediate tensors stay on each GPU in a pool large enough for full batches."""
    return [
        str(given.installation / "bin" / "tritonserver"),
        f"--model-repository={given.repository}",
        "--model-control-mode=explicit",
        f"--load-model={newest_ensemble(given.repository)}",
        "--disable-auto-complete-config",
        "--strict-readiness=true",
        f"--exit-timeout-secs={EXIT_TIMEOUT_S}",
        *(f"--{kind}-address={given.host}" for kind in ("http", "grpc", "metrics")),
        *(f"--cuda-memory-pool-byte-size={gpu}:{CUDA_POOL_BYTES}" for gpu in range(gpus)),
        f"--pinned-memory-pool-byte-size={PINNED_POOL_BYTES}",
        f"--grpc-infer-thread-count={GRPC_THREADS}",
        "--buffer-manager-thread-count=2",
        "--backend-config=dali,release_after_unload=true",
        *shared_flags(environment),
    ]


def cpu_command(given: argparse.Namespace, environment: Mapping[str, str]) -> list[str]:
    """The launcher of server/, which brings the stand-in backends."""
    newest_ensemble(given.repository)  # says what to do in the words of this machine
    return [
        *(sys.executable, "-m", "server", "--repository", str(given.repository)),
        *("--installation", str(given.installation), "--host", given.host, "--"),
        *shared_flags(environment),
    ]


def compute_capabilities() -> list[str]:
    """One a GPU, such as 8.9.

    Raises:
        StartError: this container sees no GPU.
    """
    query = ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise StartError(
            f"No GPU is seen here ({error}). Install NVIDIA's container toolkit and a driver of at least 580, or use the "
            "profile `cpu` (COMPOSE_PROFILES in .env)."
        ) from error
    return answer.stdout.split()


def unplanned(repository: Path, capabilities: list[str]) -> set[int]:
    """Numbers of the releases that this host cannot load; export's own check has said why.

    Raises:
        StartError: it fails, and names no release.
    """
    numbers: set[int] = set()
    for capability in sorted(set(capabilities)):
        command = [sys.executable, "-m", "export", "verify", "--repository", str(repository)]
        command += ["--compute-capability", capability]
        checked = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
        sys.stderr.write(checked.stderr)
        named = {int(number) for number in NAMED.findall(checked.stderr)}
        if checked.returncode and not named:
            raise StartError("The plans could not be checked: see above.")
        numbers |= named
    return numbers


def without(repository: Path, numbers: set[int], folder: Path) -> Path:
    """Fill `folder` with links to a repository's files, but for some releases.

    Folders are real, as Triton fails on one link that leads nowhere: releases may be pruned meanwhile. What is written later is
    not seen.

    Raises:
        StartError: no release is left.
    """
    versions = {str(number) for number in numbers}
    for source in sorted(repository.resolve().iterdir()):
        match, target = ENSEMBLE.fullmatch(source.name), folder / source.name
        if source.name.startswith(".") or (match and match[1] in versions):
            continue
        for file in (path for path in source.rglob("*") if path.is_file()):
            inner = file.relative_to(source)
            if inner.parts[0] not in versions:
                (target / inner).parent.mkdir(parents=True, exist_ok=True)
                (target / inner).symlink_to(file)
    if not any(ENSEMBLE.fullmatch(path.name) for path in folder.iterdir()):
        raise StartError("Triton is not started with plans that it cannot load: see above; `make plans` builds them.")
    return folder


def loadable(repository: Path, capabilities: list[str]) -> Path:
    """What to serve on this host: the repository, or where a release has no plan yet, links to the others.

    Raises:
        StartError: no release can be loaded.
    """
    numbers = unplanned(repository, capabilities)
    if not numbers:
        return repository
    try:
        served = without(repository, numbers, Path(tempfile.mkdtemp(prefix="leaf_models_")))
    except OSError as error:
        raise StartError(f"The releases that have plans cannot be linked to ({error}): give /tmp room.") from error
    listed = ", ".join(map(str, sorted(numbers)))
    sys.stderr.write(
        f"triton: release {listed} is left out, see above; it and later ones can be promoted once `make plans` has built their "
        "plans and Triton has been started again.\n"
    )
    return served


def main(arguments: list[str] | None = None) -> int:
    """Becomes tritonserver, or exit code 1 with one sentence."""
    given = parse(arguments)
    try:
        if given.cpu:
            command = cpu_command(given, os.environ)
        else:
            capabilities = compute_capabilities()
            newest_ensemble(given.repository)  # says what to do where there is none
            given.repository = loadable(given.repository, capabilities)
            command = gpu_command(given, os.environ, len(capabilities))
        os.execv(command[0], command)  # noqa: S606 - signals reach it itself
    except StartError as error:
        sys.stderr.write(f"triton: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"triton: {command[0]} cannot be run ({error.strerror}).\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
