"""Lints and renders the Helm chart with Helm itself and holds what comes out against Kubernetes' schemas; no cluster.

.venv/charts/bin/python -m deploy.check_chart                     deploy/chart/ci/*.yaml, all versions
.venv/charts/bin/python -m deploy.check_chart --show VALUES.yaml  the objects as JSON
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import yaml

CHART = Path(__file__).parent / "chart"
VERSIONS = ("1.29.0", "1.31.0", "1.33.0", "1.35.0", "1.37.0")
_WARNING = 2
"""Helm's number for it; 3 is an error."""


def rendered(chart_folder: Path, values: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects that the chart makes, as they would be sent.

    Raises:
        helm_python.HelmError: the values do not fit the chart, which says what to set.
    """
    with helm_python.Chart.load(chart_folder) as chart:
        chart.validate_schema(chart.merge_values(values))
        files = chart.render(values, name="leaf", namespace="plants")
    texts = [text for name, text in sorted(files.items()) if name.endswith(".yaml")]
    return [made for text in texts for made in yaml.load_all(text, Loader=_StrictLoader) if made]


def faults(chart_folder: Path, values: dict[str, Any]) -> Iterator[str]:
    """What Helm's linter and the schemas find."""
    for message in helm_python.lint(chart_folder, values, strict=True)["messages"]:
        if message["severity"] >= _WARNING:
            yield f"helm lint: {message['path']}: {message['error']}"
    for made in rendered(chart_folder, values):
        what = f"{made['kind']} {made['metadata']['name']}"
        for version in VERSIONS:
            try:
                kubernetes_validate.validate(made, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"Kubernetes {version}: {what}: {'.'.join(map(str, error.path))}: {error.message}"
        for container in _containers(made):
            names = [variable["name"] for variable in container.get("env", [])]
            if len(names) != len(set(names)):
                yield f"{what}: {container['name']} gets a variable twice"


def _containers(made: dict[str, Any]) -> list[dict[str, Any]]:
    pod = made.get("spec", {}).get("template", {}).get("spec", {})
    return [*pod.get("initContainers", []), *pod.get("containers", [])]


class _StrictLoader(yaml.SafeLoader):  # type: ignore[misc]
    """Refuses an object that has a key twice, of which YAML would keep the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The object of a node."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len(keys) != len(set(keys)):
            raise yaml.constructor.ConstructorError(None, None, f"a key twice among {keys}", node.start_mark)
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


def main(arguments: list[str] | None = None) -> int:
    """0 where nothing is wrong; else 1, with a line for each fault."""
    parser = argparse.ArgumentParser(prog="python -m deploy.check_chart", description=__doc__)
    parser.add_argument("--chart", type=Path, default=CHART, help="default %(default)s")
    parser.add_argument("--show", metavar="VALUES", help="print the objects for these values")
    given = parser.parse_args(arguments)
    try:
        if given.show:
            text = sys.stdin.read() if given.show == "-" else Path(given.show).read_text(encoding="utf-8")
            json.dump(rendered(given.chart, yaml.safe_load(text)), sys.stdout)
            return 0
        found = [
            f"{file.name}: {fault}"
            for file in sorted((CHART / "ci").glob("*.yaml"))
            for fault in faults(given.chart, yaml.safe_load(file.read_text(encoding="utf-8")))
        ]
    except (helm_python.HelmError, yaml.YAMLError) as error:
        found = [str(error)]
    sys.stderr.writelines(f"{line}\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
