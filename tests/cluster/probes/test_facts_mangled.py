"""Whatever a host says: facts or an error that names it; whatever the facts: findings, and no traceback."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.command import Probe
from cluster.errors import HostError, MalformedAnswer, Unreachable
from cluster.inventory import Inventory
from cluster.plan import Answers, expected, plan
from cluster.plan.query import VllmOptions, vllm_options
from cluster.preflight.check import Evidence
from cluster.preflight.report import report
from cluster.probes.active_checks import venv_check
from cluster.probes.facts import facts
from cluster.state.desired import outdated
from cluster.state.leftovers import leftovers
from cluster.transport.host import Host
from cluster.values import AllReduceResult, Facts, Reach, VenvCheck
from cluster.views import HostView, Observed, TrialResults
from orchestrator.render import check as shown
from orchestrator.render import plan as shown_plan
from orchestrator.render import plan_document
from orchestrator.render.json_text import to_json
from orchestrator.render.text import ASCII
from tests.cluster import builders
from tests.cluster.model.configs import CONFIGS
from tests.doubles import ScriptedTransport

ONE = builders.inventory()
FIELDS: dict[str, Any] = dict(Facts.model_fields)
GOOD: dict[str, Any] = builders.facts(ONE.head).model_dump(mode="json")
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

#: What a fact may be; whatever else a host says is no answer.
st.register_type_strategy(int, st.integers(-(1 << 63), 1 << 63))
st.register_type_strategy(float, st.floats(allow_nan=False, allow_infinity=False))
SCALARS = st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.floats() | st.text(max_size=8)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something else could stand, at every depth."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [above, *(place for key, one in inner for place in places(one, (*above, key)))]


def put(value: Any, place: tuple[Any, ...], odd: Any) -> Any:
    """A copy with `odd` at this place; nothing where another has taken the place away."""
    if not place:
        return odd
    key, *rest = place
    if isinstance(value, dict) and key in value:
        return {**value, key: put(value[key], tuple(rest), odd)}
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return [*value[:key], put(value[key], tuple(rest), odd), *value[key + 1 :]]
    return value


def mangled(good: Any) -> st.SearchStrategy[str]:
    """JSON that is wrong in one to three places, or cut, or something else."""
    edits = st.lists(st.tuples(st.sampled_from(places(good)), JSON), min_size=1, max_size=3)

    def edit(changes: list[tuple[tuple[Any, ...], Any]]) -> str:
        value = good
        for place, odd in changes:
            value = put(value, place, odd)
        return json.dumps(value)

    whole = edits.map(edit)
    cut = st.tuples(whole, st.integers(0, 4000)).map(lambda pair: pair[0][: pair[1]])
    return whole | cut | st.text(max_size=40) | JSON.map(json.dumps)


def answer(probe: Probe[Any], output: str) -> object:
    """What a person would be told, or what the program would go on with."""
    try:
        return Host("gpu-a", ScriptedTransport({probe.command.kind: output})).ask(probe)
    except MalformedAnswer as error:
        assert error.host == "gpu-a"  # noqa: PT017
        return error


@QUICK
@given(mangled(GOOD))
def test_odd_facts_are_facts_or_unintelligible(output: str) -> None:
    result = answer(facts(ONE, ONE.head), output)
    assert isinstance(result, Facts | MalformedAnswer)
    if isinstance(result, Facts):
        check({"gpu-a": HostView("gpu-a", result), "gpu-b": builders.view(ONE.hosts[1])})


@QUICK
@given(mangled({"cuda": "", "model": None}))
def test_odd_trials(output: str) -> None:
    answer(venv_check(ONE, ONE.head, builders.facts(ONE.head)), output)


@QUICK
@given(mangled({"config": CONFIGS["424b"], "problem": "", "options": ["--a", "-b"], "options_problem": ""}))
def test_odd_words_of_the_head_still_make_a_plan(output: str) -> None:
    result = answer(vllm_options(ONE), output)
    assert isinstance(result, VllmOptions | HostError)
    show(ONE, Answers(builders.seen(ONE), result))


#: As the types of the facts allow it, whether or not a host could ever say so.
ODD = st.fixed_dictionaries({}, optional={name: st.from_type(one.annotation) for name, one in FIELDS.items()})


def odd(host: str) -> st.SearchStrategy[HostView]:
    """A host of whose facts some, or all, are anything that their types allow; or one that is lost."""
    good = builders.facts(ONE.host(host))
    lost = st.just(HostView(host, problem=Unreachable(host, "connect", cause="no route")))
    times = st.none() | st.tuples(st.floats(), st.floats())
    return lost | st.builds(
        HostView, st.just(host), ODD.map(lambda some: good.model_copy(update=some)), clock=times
    )


def tried(host: str) -> st.SearchStrategy[TrialResults]:
    no_result = st.sampled_from([None, Unreachable(host, "test the venv", cause="no route")])
    return st.builds(
        TrialResults,
        st.just(host),
        no_result | st.lists(st.from_type(Reach), max_size=3).map(tuple),
        no_result | st.from_type(VenvCheck),
        no_result | st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=3),
    )


def check(
    seen: Observed, tries: dict[str, TrialResults] | None = None, fabric: AllReduceResult | None = None
) -> None:
    """All checks, and all that is shown of them; what `up` would stop, and what `down` would find left."""
    outdated(ONE, seen)
    leftovers(ONE, seen)
    result = report(ONE, Evidence(seen, tries or {}, fabric, expected(ONE, seen)))
    shown.text(result, True, ASCII).encode("ascii", "replace")
    to_json(shown.document(result))


def show(one: Inventory, answers: Answers) -> None:
    result = plan(one, answers)
    shown_plan.text(result, (), ASCII).encode("ascii", "replace")
    to_json(plan_document.document(result, ()))


@QUICK
@given(odd("gpu-a"), odd("gpu-b"))
def test_no_facts_end_in_a_traceback(head: HostView, worker: HostView) -> None:
    check({"gpu-a": head, "gpu-b": worker})


@QUICK
@given(odd("gpu-a"), odd("gpu-b"), tried("gpu-a"), tried("gpu-b"), st.none() | st.from_type(AllReduceResult))
def test_nor_does_anything_that_was_tried(
    head: HostView, worker: HostView, first: TrialResults, second: TrialResults, fabric: AllReduceResult | None
) -> None:
    check({"gpu-a": head, "gpu-b": worker}, {"gpu-a": first, "gpu-b": second}, fabric)


@settings(QUICK, max_examples=50)
@given(odd("gpu-a"), odd("gpu-b"))
def test_nor_does_a_plan(head: HostView, worker: HostView) -> None:
    options = VllmOptions(config=CONFIGS["424b"], problem="", options=None, options_problem="none")
    show(ONE, Answers({"gpu-a": head, "gpu-b": worker}, options))
