# The studio in a container:
#   docker build -t semantic-guidance .
#   docker run --rm -p 7860:7860 semantic-guidance
# and http://localhost:7860 in a browser. For other names see docs/serve.md, "Docker".

FROM python:3.12-slim AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY semantic_guidance ./semantic_guidance
COPY requirements.lock ./
COPY requirements/torch.lock ./requirements/
# Torch first and from its own index, where builds for processors are: elsewhere it brings gigabytes for cards.
# The rest in the versions that are locked.
RUN python -m venv /opt/studio \
    && /opt/studio/bin/pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu -r requirements/torch.lock \
    && sed -E '/^ *--hash|^#/d; s/ *\\$//' requirements.lock > versions.txt \
    && /opt/studio/bin/pip install --no-cache-dir --constraint versions.txt '.[web]'

FROM python:3.12-slim
RUN useradd --create-home --uid 1000 painter
COPY --from=build /opt/studio /opt/studio
USER 1000
WORKDIR /home/painter
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["/opt/studio/bin/python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/api/health', timeout=4)"]
ENTRYPOINT ["/opt/studio/bin/semantic-guidance", "serve", "--host", "0.0.0.0"]
CMD []
