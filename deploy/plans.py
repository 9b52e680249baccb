"""`python3 -m deploy.plans --repository /models`: TensorRT plans of every release that this host cannot load yet.

Runs once before Triton starts, in the container with the same TensorRT; where all plans are right it ends at once. It goes by
what `python -m export verify` says of each release. Standard library only.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from deploy.triton import NAMED, ROOT, StartError, compute_capabilities, newest_ensemble


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python3 -m deploy.plans", description=__doc__)
    parser.add_argument("--repository", type=Path, required=True, help="model repository")
    return parser.parse_args(arguments)


def wanting(repository: Path, capabilities: list[str]) -> tuple[list[int], str]:
    """Numbers of the releases that this host cannot load, ascending, and what is wrong with them."""
    said = ""
    for capability in sorted(set(capabilities)):
        command = [sys.executable, "-m", "export", "verify", "--repository", str(repository)]
        command += ["--compute-capability", capability]
        said += subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stderr
    return sorted({int(number) for number in NAMED.findall(said)}), said


def build(repository: Path, capabilities: list[str]) -> None:
    """Build what is wanting, then look again.

    Raises:
        StartError: a plan cannot be built, or is still not one for this host.
    """
    newest_ensemble(repository)  # says what to do where there is none
    for number in wanting(repository, capabilities)[0]:
        command = [sys.executable, "-m", "export", "plan", "--repository", str(repository), "--release", str(number)]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            raise StartError(
                f"The plans of release {number} could not be built; export has said why, above. Until they are, Triton loads no "
                f"release of the same steps: move leaf_ensemble_{number} and each step's {number}/ out of {repository} meanwhile."
            )
    _, said = wanting(repository, capabilities)
    if said:
        raise StartError(f"After building, this host still cannot load all releases:\n{said.strip()}")


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0, or 1 with one sentence."""
    given = parse(arguments)
    try:
        build(given.repository, compute_capabilities())
    except StartError as error:
        sys.stderr.write(f"plans: {error}\n")
        return 1
    sys.stderr.write(f"plans: this host can load every release in {given.repository}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
