# One image for every component of the team profile; the same lock file, code and settings as the embedded one.
FROM python:3.11-slim AS build
WORKDIR /opt/huiyin
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
COPY requirements/ requirements/
# --no-deps: the lock is complete, and leaves out torch, which bertopic would otherwise bring (docs/decisions.md).
RUN python -m venv /opt/venv \
 && /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes \
      -r requirements/bootstrap.txt \
 && /opt/venv/bin/uv pip install --no-cache --python /opt/venv/bin/python --no-deps --require-hashes \
      -r requirements/lock.txt
COPY . .
RUN /opt/venv/bin/uv pip install --no-cache --python /opt/venv/bin/python --no-deps --no-build-isolation -e .

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin huiyin \
 && install -d -o huiyin -g huiyin /opt/huiyin /opt/huiyin/var
COPY --from=build /opt/venv /opt/venv
COPY --from=build --chown=huiyin:huiyin /opt/huiyin /opt/huiyin
WORKDIR /opt/huiyin
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/opt/huiyin \
    PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/opt/huiyin/var/airflow \
    HUIYIN_HOME=/opt/huiyin \
    HUIYIN_VAR=/opt/huiyin/var
USER huiyin
VOLUME /opt/huiyin/var
CMD ["huiyin", "--help"]
