"""The work of one command, from the settings to the exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchestrator.local.settings import Output, Settings


def carry_out(output: Output | None, work: Callable[[Settings], int | None]) -> int:
    """Returns the exit code; a failure is printed. `output` None: what the environment says."""
    from cluster.errors import ClusterError
    from orchestrator.outcome.exit_codes import exit_code
    from orchestrator.outcome.output import print_failure
    from orchestrator.run.interrupts import Interrupted

    try:
        settings = _settings()
        output = output or settings.output
        return work(settings.model_copy(update={"output": output})) or 0
    except ClusterError as error:
        print_failure(error, output)
        return exit_code(error)
    except KeyboardInterrupt as error:
        print_failure(Interrupted("interrupted"), output)
        return exit_code(error)


def _settings() -> Settings:
    from pydantic import ValidationError

    from cluster.errors import UsageError
    from orchestrator.local.settings import Patience, Settings, misspelt

    if misspelt_names := misspelt():
        names, near = ", ".join(misspelt_names), ", ".join(misspelt_names.values())
        raise UsageError(f"the environment: {names} is not a setting", cure=f"{near}? or leave it out")
    try:
        Patience()
        return Settings()
    except ValidationError as error:
        prefix = "ORCHESTRATOR_PATIENCE_" if error.title == Patience.__name__ else "ORCHESTRATOR_"
        wrong = "; ".join(
            f"{prefix}{str(problem['loc'][0]).upper()}: {problem['msg']}" for problem in error.errors()
        )
        raise UsageError(f"the environment: {wrong}", cure="correct it, or leave it out") from None
