"""The client as we drive it. What its program does on the host is proved in remote/."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable

import pytest

from cluster.bench import client
from cluster.bench.client import Heard
from cluster.bench.evaluate import Evaluation, evaluate
from cluster.errors import CommandFailed, MalformedAnswer, Unreachable
from cluster.transport.host import Host
from tests.cluster.bench.results import result
from tests.cluster.launch.test_unit import sent
from tests.doubles import ScriptedChannel, ScriptedTransport, failed

COMMAND = client.command(("vllm",), {"A": "b"}, state="/s", metrics="http://m", venv="/opt/vllm")
BEFORE: dict[str, float | None] = {
    "running": 0.0,
    "waiting": 0.0,
    "queries": 100.0,
    "hits": 0.0,
    "prompt_tokens": 100.0,
    "finished": 1.0,
}
BEFORE |= {"generated_tokens": 5.0, "kv_usage": 0.25, "preemptions": None}
AFTER = {**BEFORE, "queries": 16_100.0, "prompt_tokens": 16_100.0, "finished": 3.0, "generated_tokens": 2005.0}


def pieces(text: str, size: int) -> list[str]:
    packed = base64.b64encode(zlib.compress(text.encode())).decode()
    return [json.dumps({"result": packed[at : at + size]}) for at in range(0, len(packed), size)]


def told(text: str = "", status: int = 0, log: str = "a word") -> list[str | None]:
    ended = [{"after": AFTER}, {"status": status, "seconds": 12.5}, {"log": log}]
    begun = [{"before": BEFORE}, {"sampled": {"at": 1.0, **BEFORE, "running": 2.0}}]
    return ["Welcome", *map(json.dumps, begun), None, *map(json.dumps, ended), *pieces(text or result(), 100)]


def run(channel: ScriptedChannel, news: Callable[[], None] = lambda: None) -> Heard:
    heard = Heard()
    client.run(Host("gpu-a", ScriptedTransport(channels={COMMAND.kind: channel})), COMMAND, heard, news)
    return heard


def test_what_the_program_is_told() -> None:
    data = sent(COMMAND)
    assert (data["argv"], data["env"], data["state"], data["url"]) == (["vllm"], {"A": "b"}, "/s", "http://m")
    assert data["families"]["hits"] == "vllm:prefix_cache_hits_total"
    assert data["silence"] >= 5 * client._BEAT


def test_all_that_is_heard_of_a_run() -> None:
    channel = ScriptedChannel(told())
    heard = run(channel)
    assert (heard.status, heard.seconds, heard.log) == (0, 12.5, "a word")
    assert heard.result == result()
    assert [(one.at, one.running) for one in heard.samples] == [(1.0, 2)]
    assert channel.closed
    found = evaluate(heard, 2)
    assert found.verdict.outcome == "valid"
    assert found.counts
    assert found.counts.queries == 16_000
    assert found.figures
    assert found.figures.output_per_second == 200


def test_whoever_has_enough_ends_it_and_waits_until_it_is_gone() -> None:
    channel = ScriptedChannel([*told()[:3], '{"gone": true}', json.dumps({"log": "too late"})])

    def enough() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(channel, enough)
    assert channel.sent == [b"end\n"]
    assert channel.closed


@pytest.mark.parametrize(
    ("channel", "error"),
    [
        (ScriptedChannel([], failed(1, "No space left on device")), CommandFailed),
        (ScriptedChannel([], failed(-1)), Unreachable),
        (ScriptedChannel(['{"before": {"queries": "many"}}']), MalformedAnswer),
    ],
)
def test_a_program_that_ends_otherwise(channel: ScriptedChannel, error: type[Exception]) -> None:
    with pytest.raises(error):
        run(channel)
    assert channel.closed


def conclusion(*lines: str | None) -> Evaluation:
    return evaluate(run(ScriptedChannel(lines)), 2)


def test_a_client_that_failed_says_why() -> None:
    log = "Traceback (most recent call last):\n  x\nOSError: cannot load the tokenizer\nnanobind: leaks\n\n"
    found = conclusion(*told(status=1, log=log)[:7])
    assert found.verdict.reasons == ("vllm bench serve exited with status 1: OSError: cannot load the tokenizer",)
    usage = "usage: vllm bench serve\nvllm bench serve: error: unrecognized arguments: --x"
    assert conclusion(*told(status=2, log=usage)[:7]).verdict.reasons[0].endswith("unrecognized arguments: --x")
    full = "OSError: [Errno 28] No space left on device: 'vllm.json'"
    found = conclusion(*told(status=1, log=f"{full}\nthe end")[:7])
    assert found.verdict.reasons == (f"vllm bench serve exited with status 1: {full}",)
    assert "it printed nothing" in conclusion(*told(status=-9, log="")[:7]).verdict.reasons[0]


def test_a_result_that_nobody_can_use() -> None:
    lines = told()
    assert conclusion(*lines[:-1]).verdict.outcome == "failed"
    assert "not a result" in conclusion(*told("{}")).verdict.reasons[0]
    without = [line for line in lines if not (line and line.startswith('{"after"'))]
    assert conclusion(*without).verdict.reasons == ("the server's /metrics did not answer",)
    anew = [line.replace("16100.0", "50.0") if line else line for line in lines]
    assert "restarted during the run" in conclusion(*anew).verdict.reasons[0]


@pytest.mark.parametrize(
    "said",
    ['{"status": 0, "seconds": "x"}', '{"status": 0, "seconds": [1]}', '{"status": 0, "seconds": NaN}',
     '{"status": null, "seconds": 1}', '{"status": 0, "seconds": 1e999}', '{"sampled": {"at": NaN}}',
     '{"before": {"kv_usage": Infinity}}', '{"after": {"running": [1]}}'],
)  # fmt: skip
def test_nonsense_of_its_host_is_an_error_of_the_host(said: str) -> None:
    with pytest.raises(MalformedAnswer):
        run(ScriptedChannel([said]))


def test_a_host_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = json.dumps({"sampled": {"at": 1.0, **BEFORE}})
    heard = run(ScriptedChannel([sample] * 1000))
    assert len(heard.samples) < 500
    monkeypatch.setattr(client, "_MOST_PACKED", 1000)
    with pytest.raises(MalformedAnswer):
        run(ScriptedChannel([json.dumps({"result": "x" * 600})] * 2))
    monkeypatch.setattr(client, "_MOST_UNPACKED", 1000)
    with pytest.raises(ValueError, match="larger than"):
        _ = Heard(packed=[json.loads(piece)["result"] for piece in pieces("x" * 1001, 100)]).result
