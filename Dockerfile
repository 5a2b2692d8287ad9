# Two images from one wheel; each runs as another user than root and needs no place to write to but what is mounted.
#
# SzCORE's, the last: $INPUT, a path below /data, is read; $OUTPUT, a path below /output, is written.
#   docker build --build-arg DETECTOR=runs/first/pruned.onnx --tag secateur .
# It needs no network and no home.
#
# `ward`, for the review page and live detection (docs/how-to/container.md):
#   docker build --target ward --tag secateur-ward .
FROM --platform=linux/amd64 python:3.11-slim AS wheel
WORKDIR /build
COPY constraints.txt hatch_build.py pyproject.toml README.md LICENSE ./
COPY src src
RUN PIP_CONSTRAINT=constraints.txt pip wheel --no-cache-dir --no-deps --wheel-dir /wheel .

FROM --platform=linux/amd64 python:3.11-slim AS ward
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1
COPY constraints.txt /app/
COPY --from=wheel /wheel /app/wheel
RUN pip install --no-cache-dir --constraint /app/constraints.txt "$(echo /app/wheel/*.whl)[review,live]" && rm -r /app/wheel
USER 10001
WORKDIR /data
EXPOSE 8571
ENTRYPOINT ["secateur"]
CMD ["review", "/data", "--host", "0.0.0.0"]

FROM --platform=linux/amd64 python:3.11-slim
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1
COPY constraints.txt /app/
COPY --from=wheel /wheel /app/wheel
RUN pip install --no-cache-dir --constraint /app/constraints.txt /app/wheel/*.whl && rm -r /app/wheel
ARG DETECTOR=detector.onnx
COPY --chmod=444 ${DETECTOR} /app/detector.onnx
USER 10001
VOLUME ["/data"]
VOLUME ["/output"]
ENV INPUT="" OUTPUT=""
CMD ["secateur", "detect", "--detector", "/app/detector.onnx", "--data-root", "/data", "--output-root", "/output"]
