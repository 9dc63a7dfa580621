# tanker-edge for any x86-64 or ARM machine without a GPU. NOT YET BUILT: the machine that this was written on has no
# Docker; the steps are those of `.ci/run`, which builds the same wheel and tries it alone.
#
#   docker build -t tanker-edge .
#   docker run --rm -p 127.0.0.1:8080:8080 -e TANKER_EDGE_TOKEN="$(openssl rand -hex 32)" tanker-edge
#   docker run --rm -v "$PWD:/work:ro" -w /work tanker-edge count scene.tif --json
#
# deploy/compose.yaml runs it locked down. For a Jetson see Dockerfile.jetson.
ARG BASE=python:3.12-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
RUN pip install --no-cache-dir build
COPY pyproject.toml README.md LICENSE ./
COPY edge edge
COPY models models
COPY samples samples
RUN python -m build --wheel --outdir /dist

FROM ${BASE}
# What else of the package, such as [openvino] or [openvino,otel].
ARG EXTRAS=
# libgl1, libglib2.0-0: for OpenCV's wheel. libexpat1: for rasterio's.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 libexpat1 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /dist /dist
RUN wheel=$(echo /dist/*.whl) \
    && pip install --no-cache-dir "${wheel}${EXTRAS}" \
    && rm -r /dist \
    && python -m edge.preflight

# Named volumes take over the owner of the folders that they are mounted on.
RUN useradd --uid 10001 --create-home tanker-edge \
    && install -d -o 10001 -g 10001 -m 700 /var/lib/tanker-edge /scratch
USER 10001:10001
VOLUME /var/lib/tanker-edge
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=10s --start-period=2m --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/v2/health/ready', timeout=5)"]
ENTRYPOINT ["tanker-edge"]
# A token must come from TANKER_EDGE_TOKEN, or by --token-file: it does not start without.
CMD ["serve", "--host", "0.0.0.0", "--state", "/var/lib/tanker-edge"]
