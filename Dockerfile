# Affidavit in a container: no root, no downloads at run time, the embedding model prepared.
#
# PyTorch's default build for Linux on x86 carries several gigabytes of GPU libraries. For the
# processor-only build, a tenth of the size, take its index address from PyTorch's «get started»
# page and build with
#
#   docker build --build-arg TORCH_INDEX=ADDRESS .
#
# (or put TORCH_INDEX=ADDRESS into .env). The version comes from constraints.txt either way.

FROM python:3.11.15-slim AS build

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/affidavit
ENV PATH=/opt/affidavit/bin:$PATH

WORKDIR /src
# torch alone first: the largest layer, rebuilt only when its version changes
COPY constraints.txt ./
ARG TORCH_INDEX=""
RUN env ${TORCH_INDEX:+PIP_INDEX_URL="$TORCH_INDEX"} pip install --constraint constraints.txt torch

COPY pyproject.toml README.md LICENSE ./
COPY prompts prompts
COPY rag rag
COPY ingest ingest
COPY eval eval
RUN pip install --constraint constraints.txt .

# the bundled weights, exported once here instead of on everyone's first question
ENV HF_HUB_OFFLINE=1 RAG_CACHE_DIR=/opt/affidavit/cache
RUN python -c "from rag.prepared_model import prepare; from rag.settings import load_settings; prepare(load_settings())"


FROM python:3.11.15-slim

RUN useradd --uid 1000 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin rag \
    && install --directory --owner=1000 --group=1000 /data
COPY --from=build /opt/affidavit /opt/affidavit

# HOME is the one place that stays writable under a read-only root (tmpfs)
ENV PATH=/opt/affidavit/bin:$PATH \
    HOME=/tmp \
    HF_HUB_OFFLINE=1 \
    RAG_CACHE_DIR=/opt/affidavit/cache \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

WORKDIR /data
USER 1000:1000
CMD ["rag", "doctor"]
