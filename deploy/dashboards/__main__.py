"""`python -m deploy.dashboards`: write deploy/grafana/dashboards/ anew."""

import json
from pathlib import Path

from deploy.dashboards import answers, machines, serving

FOLDER = Path(__file__).parents[1] / "grafana" / "dashboards"


def texts() -> dict[str, str]:
    """The JSON of each dashboard by file name."""
    made = (
        serving.traffic(),
        serving.latency(),
        machines.triton(),
        machines.gpu(),
        answers.decisions(),
        answers.drift(),
        answers.bot(),
    )
    return {f"{one['uid']}.json": json.dumps(one, indent=1) + "\n" for one in made}


def main() -> None:
    """Write what is there now and remove what is no more."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in set(FOLDER.glob("*.json")):
        old.unlink()
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
