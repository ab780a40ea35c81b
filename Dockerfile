# The image of a GPU host: vLLM's own image of the pinned version, and the Ray that vLLM no longer brings along
# (vllm#36170). The pins are those of `[project.optional-dependencies] node` in pyproject.toml; preflight compares
# the versions of all hosts with each other before anything is started.
#
#   docker buildx imagetools inspect vllm/vllm-openai:v0.32.0     # says its digest, "Digest: sha256:..."
#   docker build --build-arg DIGEST=sha256:... .
#
# A tag can be moved to another image, a digest cannot: there is no default, and no build without it. Look it up where
# you trust the answer, and build all hosts' images with the same.
ARG DIGEST
FROM vllm/vllm-openai:v0.32.0@${DIGEST}

# openssh-server: the orchestrator comes in over SSH. ninja-build and a compiler are in the base image: FlashInfer
# compiles at start. Their versions are those of the base image's Ubuntu, which differs between releases of vLLM.
# Its installation makes host keys, which must not be in a layer.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends openssh-server iproute2 \
    && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_*
COPY image/sshd.conf /etc/ssh/sshd_config.d/00-orchestrator.conf
COPY --chmod=755 image/start-sshd /usr/local/sbin/start-sshd

COPY constraints/node.txt /etc/orchestrator/constraints.txt
RUN uv pip install --system --no-cache --require-hashes -c /etc/orchestrator/constraints.txt "ray[default]==2.60.0"

# `runtime: venv: /opt/vllm` in the inventory: the image's own Python, under the one path that all hosts share.
RUN mkdir -p /opt/vllm/bin \
    && ln -s "$(command -v python3)" /opt/vllm/bin/python \
    && ln -s "$(command -v ray)" "$(command -v vllm)" "$(command -v ninja)" /opt/vllm/bin/

# Keys of operators come from a mounted /root/.ssh/authorized_keys; those of the host stay in a volume with a name:
# -v orchestrator:/var/lib/orchestrator. Run with --gpus all --network host --ipc host --ulimit memlock=-1
# --ulimit nofile=1048576, and --device /dev/infiniband --cap-add IPC_LOCK where there is RDMA.
VOLUME /var/lib/orchestrator
EXPOSE 22
ENTRYPOINT ["/usr/local/sbin/start-sshd"]
