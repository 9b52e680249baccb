#!/usr/bin/env bash
# Diagnose a photo with curl: examples/predict.sh PHOTO   (GATEWAY_URL, GATEWAY_KEY)
set -euo pipefail
photo=${1:?say which photo: examples/predict.sh PHOTO}
url=${GATEWAY_URL:-http://127.0.0.1:8080}
headers=(-H "Accept-Language: en")
[[ -n ${GATEWAY_KEY:-} ]] && headers+=(-H "Authorization: Bearer $GATEWAY_KEY")

# the photo as the body; -F "file=@$photo" sends it as a form instead
curl --silent --show-error --fail-with-body --max-time 30 --retry 2 \
     "${headers[@]}" -H "Content-Type: application/octet-stream" --data-binary "@$photo" "$url/v1/predict"
echo
