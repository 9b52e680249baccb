# The Telegram bot: its own locked packages, an unprivileged user; it writes to /state and /tmp only.
ARG PYTHON_IMAGE=python:3.12.12-slim-bookworm
FROM ${PYTHON_IMAGE} AS packages
WORKDIR /locks
COPY requirements/uv.txt .
RUN pip install --no-cache-dir --require-hashes -r uv.txt && uv venv /opt/venv
COPY requirements/bot.txt .
RUN --mount=type=cache,target=/var/cache/uv UV_CACHE_DIR=/var/cache/uv UV_LINK_MODE=copy \
    uv pip sync --compile-bytecode --require-hashes --python /opt/venv/bin/python bot.txt

FROM ${PYTHON_IMAGE}
ARG UID=10001
RUN useradd --uid "${UID}" --user-group --no-create-home --shell /usr/sbin/nologin leaf \
    && install --directory --owner leaf --group leaf --mode 0700 /state
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY client client
COPY bot bot
COPY deploy/__init__.py deploy/health.py deploy/
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    BOT_HTTP_HOST=0.0.0.0 \
    BOT_HTTP_PORT=9465 \
    BOT_DATA_DIR=/state
USER ${UID}:${UID}
EXPOSE 9465
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=20s --timeout=10s --start-period=60s --retries=3 \
    CMD ["python", "-m", "deploy.health", "http://127.0.0.1:9465/health"]
CMD ["python", "-m", "bot"]
