"""Events and errors of a run as they really read: ERNIE over gpu-a and gpu-b."""

from __future__ import annotations

from cluster.command import Command, Hint
from cluster.errors import (
    CommandFailed,
    CommandTimedOut,
    FleetError,
    InventoryError,
    LeaseHeld,
    MalformedAnswer,
    NotReady,
    NotReleased,
    PreflightFailed,
    Unreachable,
)
from cluster.values import Announcement, Excused, Finding, Lease, Leftover, NcclTransport
from orchestrator import events

FACTS = Command(("/bin/sh", "-c", "…"), "ask for its facts")
RAY_START = Command(
    ("/opt/vllm/bin/ray", "start", "--address", "10.20.0.1:6379", "--block"),
    "start the Ray worker",
    hints=(
        Hint(
            "Version mismatch",
            "its Ray or Python differs from the head's",
            "install the same Ray and Python on every host\nthen run `orchestrator up` again",
        ),
    ),
)
MISMATCH = """\
2026-07-01 09:14:02,118 INFO scripts.py:1163 -- Local node IP: 10.20.0.2
Traceback (most recent call last):
  File "/opt/vllm/lib/python3.11/site-packages/ray/scripts/scripts.py", line 2694, in main
    return cli()
RuntimeError: Version mismatch: The cluster was started with:
    Ray: 2.60.0
    Python: 3.11.7
This process on node 10.20.0.2 was started with:
    Ray: 2.59.1
    Python: 3.11.7
"""
SHM = Finding(
    "/dev/shm",
    "gpu-b",
    "warning",
    "4.0 GiB",
    "16.0 GiB",
    "vLLM broadcasts through it",
    "mount -o remount,size=16G /dev/shm",
)
NOFILE = Finding("open-files", "gpu-b", "warning", "hard limit 20000", "65535 or more")
FINDINGS = (
    Finding("libcuda", "gpu-a", "unchecked", "no libcuda on this host"),
    SHM,
    Finding(
        "GPU count",
        "gpu-b",
        "blocking",
        "7 × NVIDIA H100 80GB HBM3",
        "8",
        "TP16 needs every GPU of both hosts",
        "nvidia-smi -L on gpu-b shows which one is missing",
    ),
    Finding("port 8000", "gpu-a", "blocking", "taken by pid 4242 (nginx)", "free", "", "stop nginx on gpu-a"),
    Finding("port 8000", "gpu-b", "blocking", "taken by pid 4242 (nginx)", "free", "", "stop nginx on gpu-b"),
)

failed = CommandFailed("gpu-b", RAY_START, 1, "", MISMATCH)
unreachable = Unreachable(
    "gpu-b", "connect", "timed out", cause="nothing answers at 10.0.0.2:22", cure="ssh -p 22 root@10.0.0.2 true"
)
timed_out = CommandTimedOut("gpu-a", FACTS)
unintelligible = MalformedAnswer("gpu-a", "ask for its facts", "Welcome to gpu-a!\n{", cause="its .bashrc prints")
same = FleetError([CommandTimedOut("gpu-a", FACTS), CommandTimedOut("gpu-b", FACTS)])
several = FleetError([CommandTimedOut("gpu-a", FACTS), unreachable, CommandTimedOut("gpu-c", FACTS)])
preflight = PreflightFailed(FINDINGS)
not_ready = NotReady(
    "one token from http://10.0.0.1:8000",
    1800.0,
    "(EngineCore pid=5120) No available shared memory broadcast block found in 60 seconds.",
    host="gpu-a",
    cause="no rank has read a byte for 30 min",
    cure="orchestrator diagnose --to bundle.tar.gz",
)
held = LeaseHeld("ernie", Lease("anna", "laptop-7", "2026-07-01T09:12:44+00:00", "up"))
not_freed = NotReleased(
    [
        Leftover("gpu-a", "pid 5391 (VLLM::Worker_TP3) holds 71,204 MiB on GPU 3", "kill -9 5391 on gpu-a"),
        Leftover("gpu-b", "could not be inspected: unreachable", "run `orchestrator down` again once it is back"),
    ]
)
inventory = InventoryError(
    "inventory.yaml",
    ["line 14: hosts[1].adress: unknown key; did you mean `address`?", "line 21: serve.port: 99999 is not a port"],
)

TRANSPORT = NcclTransport("NET/IB/GDRDMA", "Channel 00/0 : 8[0] -> 0[0] [receive] via NET/IB/0/GDRDMA")
ANNOUNCEMENT = Announcement(
    url="http://10.0.0.1:8000",
    model="baidu/ERNIE-4.5-VL-424B-A47B-PT",
    served_name="ernie-4.5-vl",
    tensor_parallel_size=16,
    pipeline_parallel_size=1,
    hosts=("gpu-a", "gpu-b"),
    gpus=16,
    transport=TRANSPORT,
    kv_cache_tokens=1_203_456,
    proved_from="this machine",
    token=" Paris",
    needs_key=False,
    seconds=(("Observe hosts", 1.21), ("Start Ray head", 4.13), ("Load the model", 552.4)),
)

GOOD: tuple[tuple[float, events.Event], ...] = (
    (0.0, events.RunStarted("up", "ernie", ("gpu-a", "gpu-b"))),
    (0.0, events.PhaseStarted("Observe hosts")),
    (1.2, events.PhaseDone("Observe hosts", 1.21)),
    (1.2, events.PhaseStarted("Check hosts")),
    (1.3, events.FindingReported(SHM)),
    (1.4, events.PhaseDone("Check hosts", 0.2)),
    (1.5, events.PhaseSkipped("Start Ray head", "alive since 2 h 03 min with the same arguments")),
    (1.5, events.PhaseStarted("Join Ray workers")),
    (3.0, events.HostMessage("gpu-b", "Ray runtime started.")),
    (5.6, events.PhaseDone("Join Ray workers", 4.1)),
    (5.6, events.PhaseStarted("Prove every GPU")),
    (6.0, events.Progress("touched through Ray", 12, 16, "GPUs")),
    (8.0, events.PhaseDone("Prove every GPU", 2.4)),
    (8.0, events.PhaseStarted("Load the model")),
    (
        68.0,
        events.HostMessage(
            "gpu-a", "(EngineCore pid=5120) Starting to load model baidu/ERNIE-4.5-VL-424B-A47B-PT..."
        ),
    ),
    (78.0, events.Progress("weights", 0.0, 790.3, "GiB")),
    (108.0, events.Progress("weights", 33.5, 790.3, "GiB")),
    (138.0, events.Progress("weights", 67.2, 790.3, "GiB")),
    (139.0, events.HostActivity("gpu-a", "33.7 GiB read, 0.50 GiB/s")),
    (139.0, events.HostActivity("gpu-b", "33.5 GiB read, 0.50 GiB/s")),
    (139.0, events.LastLogLine("gpu-a", "Loading safetensors checkpoint shards:   8% Completed | 13/163")),
    (140.0, events.Waiting("the model to load", 132.0, "loading weights (13 of 163 shards)", 6.0, 900.0)),
)
BAD: tuple[tuple[float, events.Event], ...] = (
    (0.1, events.FindingExcused(Excused(NOFILE, "this rack has always served with it"))),
    *GOOD,
    (150.0, events.PhaseFailed("Load the model", 142.0, not_ready)),
    (155.0, events.RolledBack("Load the model")),
    (160.0, events.RolledBack("Join Ray workers", unreachable)),
)
ENDED: tuple[tuple[float, events.Event], ...] = (
    *GOOD,
    (150.0, events.TransportDetected(TRANSPORT)),
    (560.4, events.EngineReady(1_203_456)),
    (560.4, events.PhaseDone("Load the model", 552.4)),
    (560.9, events.EndpointVerified("http://10.0.0.1:8000", "this machine", " Paris")),
    (561.0, events.Announced(ANNOUNCEMENT)),
)
