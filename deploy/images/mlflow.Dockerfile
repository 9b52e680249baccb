# MLflow's tracking server and registry on PostgreSQL; artifacts lie in /artifacts.
ARG PYTHON_IMAGE=python:3.12.12-slim-bookworm
FROM ${PYTHON_IMAGE} AS packages
WORKDIR /locks
COPY requirements/uv.txt .
RUN pip install --no-cache-dir --require-hashes -r uv.txt && uv venv /opt/venv
COPY requirements/mlflow.txt .
RUN --mount=type=cache,target=/var/cache/uv UV_CACHE_DIR=/var/cache/uv UV_LINK_MODE=copy \
    uv pip sync --compile-bytecode --require-hashes --python /opt/venv/bin/python mlflow.txt

FROM ${PYTHON_IMAGE}
ARG UID=10001
RUN useradd --uid "${UID}" --user-group --no-create-home --shell /usr/sbin/nologin leaf \
    && install --directory --owner leaf --group leaf --mode 0700 /artifacts
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY deploy/__init__.py deploy/health.py deploy/
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp
USER ${UID}:${UID}
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=20s --timeout=10s --start-period=120s --retries=3 \
    CMD ["python", "-m", "deploy.health", "http://127.0.0.1:5000/health"]
# the database's address, with its password, comes in MLFLOW_BACKEND_STORE_URI
CMD ["python", "-m", "mlflow", "server", "--host", "0.0.0.0", "--port", "5000", "--workers", "2", \
     "--serve-artifacts", "--artifacts-destination", "/artifacts"]
