# Polyprover with Coq, for a machine that runs containers.
#
#   docker build -t polyprover .
#   docker run --rm -v "$PWD/runs:/data/runs" polyprover \
#       run --env coq --model tactics --data coq-stdlib:Bool --limit 20 --budget 20s --out /data/runs/first
#
# With a GPU: docker build --build-arg EXTRAS=analysis,ray,models . and docker run --gpus all (the NVIDIA container
# toolkit must be on the host; PyTorch's wheels bring CUDA themselves).
# It runs as user 1000, who must be able to write to the folder that is mounted.
# SerAPI of Coq 8.20 (backend serapi) is left out: it is unpacked by debootstrap, which a build may not do.
FROM debian:bookworm-slim

ARG EXTRAS=analysis,ray,tokens
ENV VENV=/opt/venv \
    POLYPROVER_CACHE=/data/cache \
    HF_HOME=/data/huggingface \
    LANG=C.UTF-8

RUN apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        ca-certificates coq git make procps python3 python3-venv bubblewrap \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/polyprover
COPY . .

# Everything of `make setup` but SerAPI, the browser and PyTorch (an extra, see above); Coq and bubblewrap are there already, so that this is Python alone.
RUN EXTRAS="$EXTRAS" OPTIONAL= sh scripts/setup.sh python coq sandbox \
    && rm -rf /root/.cache/pip \
    && /opt/venv/bin/prover run --env coq --model tactics --data coq-stdlib:Bool --limit 1 --budget 60t --out /tmp/check \
    && rm -rf /tmp/check

RUN useradd --create-home --uid 1000 prover && mkdir -p /data/runs /data/cache /data/huggingface && chown -R prover /data
USER prover
WORKDIR /data
VOLUME /data

# SIGTERM reaches prover itself: it ends in time, and the run can be resumed.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/venv/bin/prover"]
CMD ["--help"]
