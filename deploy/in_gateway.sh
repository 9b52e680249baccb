#!/usr/bin/env bash
# Python in the gateway's container, for commands that need its database and Triton: `make retrain GATEWAY_PYTHON=deploy/in_gateway.sh`.
# build/ is there under the same path, so that what such a command writes is here afterwards. STACK_DIRECTORY names the checkout
# that the stack was started from, where that is another one.
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
mkdir -p "$root/build/retrain"
# what root makes would be closed to the container's user
if [ "$(id -u)" = 0 ]; then chown "${LEAF_UID:-10001}" "$root/build/retrain"; fi
exec docker compose --project-directory "${STACK_DIRECTORY:-$root}" run --rm --no-deps -T --volume "$root/build:$root/build" gateway python "$@"
