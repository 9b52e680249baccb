# Export beside the TensorRT that serves. Target `plans` builds plans and needs nothing but TensorRT; `exporter` also has
# torch, for whole releases. One tag with Triton's image: a plan loads only in the TensorRT that built it.
ARG TRITON_TAG=26.08
ARG TENSORRT_DIGEST=
FROM nvcr.io/nvidia/tensorrt:${TRITON_TAG}-py3${TENSORRT_DIGEST} AS plans
WORKDIR /app
COPY export export
COPY deploy/__init__.py deploy/plans.py deploy/probe.py deploy/triton.py deploy/
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp
ARG UID=10001
USER ${UID}:${UID}
ENTRYPOINT []
CMD ["python3", "-m", "deploy.plans", "--repository", "/models"]

FROM plans AS exporter
USER 0
WORKDIR /locks
COPY requirements/uv.txt .
RUN python3 -m pip install --no-cache-dir --break-system-packages --require-hashes -r uv.txt \
    && uv venv --system-site-packages --python "$(command -v python3)" /opt/venv
COPY requirements/export.txt .
RUN --mount=type=cache,target=/var/cache/uv UV_CACHE_DIR=/var/cache/uv UV_LINK_MODE=copy \
    uv pip install --compile-bytecode --require-hashes --python /opt/venv/bin/python -r export.txt
WORKDIR /app
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin
ARG UID=10001
USER ${UID}:${UID}
ENTRYPOINT ["python", "-m", "export"]
CMD ["--help"]
