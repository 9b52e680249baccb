# The stock Triton with the stand-ins of server/: the production configurations on a machine without a GPU.
ARG TRITON_TAG=26.08
ARG TRITON_DIGEST=
FROM nvcr.io/nvidia/tritonserver:${TRITON_TAG}-py3${TRITON_DIGEST}
WORKDIR /locks
COPY requirements/uv.txt .
RUN python3 -m pip install --no-cache-dir --break-system-packages --require-hashes -r uv.txt && uv venv --python /usr/bin/python3 /opt/venv
COPY requirements/server-container.txt .
RUN --mount=type=cache,target=/var/cache/uv UV_CACHE_DIR=/var/cache/uv UV_LINK_MODE=copy \
    uv pip sync --compile-bytecode --require-hashes --python /opt/venv/bin/python server-container.txt
WORKDIR /app
COPY server server
COPY deploy/__init__.py deploy/health.py deploy/probe.py deploy/triton.py deploy/
ENV PATH=/opt/venv/bin:/opt/tritonserver/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp
USER 1000:1000
EXPOSE 8000 8001 8002
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=10s --start-period=120s --retries=3 \
    CMD ["python", "-m", "deploy.health", "http://127.0.0.1:8000/v2/health/ready"]
# the stock entrypoint greets and checks for a GPU
ENTRYPOINT []
CMD ["python", "-m", "deploy.triton", "--cpu", "--repository", "/models"]
