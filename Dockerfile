# syntax=docker/dockerfile:1
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc=4:* libc6-dev=2.* \
    && rm -rf /var/lib/apt/lists/* \
    && python -m venv /opt/tempmail
COPY pyproject.toml README.md LICENSE ./
COPY tempmail ./tempmail
# With the reading of mail compiled: half the CPU.
RUN HATCH_BUILD_HOOKS_ENABLE=1 /opt/tempmail/bin/pip install --no-cache-dir .

FROM python:3.11-slim-bookworm
RUN groupadd --system --gid 10001 tempmail \
    && useradd --system --uid 10001 --gid 10001 --home-dir /data --shell /usr/sbin/nologin tempmail \
    && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /opt/tempmail /opt/tempmail
ENV PATH=/opt/tempmail/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    DATA_DIR=/data \
    HTTP_BIND=0.0.0.0:8080 \
    SMTP_BIND=0.0.0.0:2525
USER 10001:10001
VOLUME /data
EXPOSE 8080 2525
# SIGTERM drains: DATA in flight is finished within 10 s.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
ENTRYPOINT ["tempmail"]
CMD ["serve"]
