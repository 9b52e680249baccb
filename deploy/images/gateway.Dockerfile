# The gateway: its own locked packages, an unprivileged user; it writes to /state and /tmp only.
ARG PYTHON_IMAGE=python:3.12.12-slim-bookworm
FROM ${PYTHON_IMAGE} AS packages
WORKDIR /locks
COPY requirements/uv.txt .
RUN pip install --no-cache-dir --require-hashes -r uv.txt && uv venv /opt/venv
COPY requirements/gateway.txt .
RUN --mount=type=cache,target=/var/cache/uv UV_CACHE_DIR=/var/cache/uv UV_LINK_MODE=copy \
    uv pip sync --compile-bytecode --require-hashes --python /opt/venv/bin/python gateway.txt

FROM ${PYTHON_IMAGE}
ARG UID=10001
RUN useradd --uid "${UID}" --user-group --no-create-home --shell /usr/sbin/nologin leaf \
    && install --directory --owner leaf --group leaf --mode 0700 /state /keys
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY client client
COPY gateway gateway
COPY deploy/__init__.py deploy/health.py deploy/first_keys.py deploy/
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    GATEWAY_HOST=0.0.0.0 \
    GATEWAY_PORT=8080 \
    GATEWAY_METRICS_HOST=0.0.0.0 \
    GATEWAY_METRICS_PORT=9464 \
    GATEWAY_DATA_DIR=/state
USER ${UID}:${UID}
EXPOSE 8080 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-m", "deploy.health", "http://127.0.0.1:8080/health/ready"]
CMD ["python", "-m", "gateway"]
