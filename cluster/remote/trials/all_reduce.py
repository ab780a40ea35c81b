"""An all-reduce over all GPUs of a cluster: this host's ranks of it. Where torch has no CUDA, it uses CPUs under
gloo.

Data:
- environment
- address and port: where rank 0 listens
- first: the first rank of this host
- ranks: their number on this host
- world: their number on all hosts
- `patience`, in seconds

Prints one line of JSON: the measurement of each rank, and NCCL's lines about the network.
"""

import json
import os
import selectors
import signal
import time
import traceback
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.exit_on_disconnect import end_with_the_operator
    from cluster.remote.common.processes import payload

#: Backend -> bytes of one all-reduce, rounds to warm up, rounds that count. On GPUs it is large enough to measure
#: bandwidth and not latency. On CPUs it only tests the connection.
ROUNDS = {"nccl": (256 << 20, 5, 20), "gloo": (1 << 20, 1, 3)}
#: Seconds for the other ranks to report a failed rank; otherwise they would wait for it until the timeout.
GRACE = 5.0
#: Lines that are kept about the network, and of the last output of a rank.
KEPT = 40


def reduce_all(data: dict[str, Any], torch: Any, local: int) -> dict[str, Any]:
    """Runs one rank: returns seconds for a round, those of the slowest rank, and bytes of a round."""
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    device = torch.device("cuda", local) if backend == "nccl" else torch.device("cpu")
    if backend == "nccl":
        torch.cuda.set_device(device)
    torch.distributed.init_process_group(
        backend,
        init_method=f"tcp://{bracketed(data['address'])}:{data['port']}",
        rank=data["first"] + local,
        world_size=data["world"],
        timeout=timedelta(seconds=data["patience"]),
    )
    size, warm, count = ROUNDS[backend]
    block = torch.zeros(size // 4, dtype=torch.float32, device=device)
    rounds(torch, block, warm)
    spent = torch.tensor([rounds(torch, block, count) / count], device=device)
    torch.distributed.all_reduce(spent, op=torch.distributed.ReduceOp.MAX)
    seconds = spent.item()
    torch.distributed.destroy_process_group()
    return {"backend": backend, "bytes": size, "seconds": seconds}


def bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def rounds(torch: Any, block: Any, count: int) -> float:
    """Returns the seconds for `count` rounds, to the end of the last one on the device."""
    begun = time.monotonic()
    for _ in range(count):
        torch.distributed.all_reduce(block)
    if block.is_cuda:
        torch.cuda.synchronize()
    return time.monotonic() - begun


def rank(data: dict[str, Any], torch: Any, local: int, out: int) -> None:
    """Runs the rank in its own process. NCCL writes to stdout, which is the pipe to our parent."""
    os.dup2(out, 1)
    os.dup2(out, 2)
    try:
        measured = reduce_all(data, torch, local)
    except Exception as error:
        traceback.print_exc()
        measured = {"problem": (str(error).strip() or type(error).__name__).splitlines()[0][:300]}
    print("\n" + json.dumps({"rank": data["first"] + local, **measured}), flush=True)
    os._exit(0)


def launch(data: dict[str, Any], torch: Any) -> dict[int, tuple[int, int]]:
    """Returns pid and rank of each child by the end of its pipe. They are forked before CUDA is used: one import
    serves all."""
    children = {}
    for local in range(data["ranks"]):
        come, go = os.pipe()
        pid = os.fork()
        if pid == 0:
            rank(data, torch, local, go)
        os.close(go)
        children[come] = (pid, data["first"] + local)
    return children


def listen(children: dict[int, tuple[int, int]], end: float) -> dict[int, str]:
    """Returns the output of each rank, until all have exited or the time is over. A failed rank shortens the
    time."""
    outputs = {number: "" for _, number in children.values()}
    with selectors.DefaultSelector() as wanted:
        for come in children:
            wanted.register(come, selectors.EVENT_READ)
        while wanted.get_map() and time.monotonic() < end:
            for key, _ in wanted.select(timeout=0.5):
                more = os.read(key.fd, 65536)
                number = children[key.fd][1]
                outputs[number] += more.decode(errors="replace")
                if not more:
                    wanted.unregister(key.fd)
                    if "problem" in outcome(number, outputs[number]):
                        end = min(end, time.monotonic() + GRACE)
    return outputs


def outcome(number: int, output: str) -> dict[str, Any]:
    """Returns the last JSON of a rank, or its last line where it did not end."""
    lines = output.splitlines()
    for line in reversed(lines):
        if line.startswith('{"rank"'):
            result: dict[str, Any] = json.loads(line)
            return result
    last = next((line for line in reversed(lines) if line.strip() and "NCCL INFO" not in line), "")
    return {"rank": number, "problem": last[:300] or "this rank did not answer in time"}


def network(outputs: dict[int, str]) -> list[str]:
    lines = [line for text in outputs.values() for line in text.splitlines() if "NCCL INFO" in line]
    return [line for line in lines if "NET/" in line or "Using network" in line][:KEPT]


def kill(children: dict[int, tuple[int, int]]) -> None:
    for pid, _ in children.values():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def main() -> None:
    data = payload()
    end = time.monotonic() + data["patience"]
    os.environ.update(data["environment"])
    try:
        import torch
        import torch.distributed
    except (ImportError, OSError) as error:
        print(json.dumps({"ranks": [{"rank": data["first"], "problem": f"torch: {error}"[:300]}], "network": []}))
        return
    children = launch(data, torch)
    # GPUs must not be held for an operator who has left.
    end_with_the_operator(lambda: kill(children))
    outputs = listen(children, end)
    kill(children)
    ranks = [outcome(number, text) for number, text in sorted(outputs.items())]
    print(json.dumps({"ranks": ranks, "network": network(outputs)}), flush=True)
    os._exit(0)


main()
