"""What the gateway is told that runs beside Triton for development."""

import pytest

from deploy.local import gateway_environment, parse


@pytest.mark.parametrize(
    ("given", "auth"),
    [
        ({}, "open"),
        ({"GATEWAY_AUTH": "required"}, "required"),
        ({"GATEWAY_HOST": "0.0.0.0"}, None),
        ({"GATEWAY_HOST": "0.0.0.0", "GATEWAY_AUTH": "auto"}, "auto"),
    ],
)
def test_this_machine_needs_no_key_unless_the_environment_says_otherwise(
    given: dict[str, str], auth: str | None
) -> None:
    environment = gateway_environment(parse(["--repository", "x", "--grpc-port", "7001"]), given)
    assert environment.get("GATEWAY_AUTH") == auth
    assert environment["GATEWAY_TRITON_URL"] == "127.0.0.1:7001"
