"""What the checks of a warehouse work with, and how each of them is run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from pathlib import Path

from airflow_atscale_aggs.engine.aggregates.instance import InstanceStatus
from airflow_atscale_aggs.engine.errors import AtScaleAggsError
from airflow_atscale_aggs.engine.lazy_dataclass import dataclass
from airflow_atscale_aggs.engine.lifecycle.build.events import BuildEvent
from airflow_atscale_aggs.engine.lifecycle.build.verify import Finding, VerifiedInstance, VerifyReport
from airflow_atscale_aggs.engine.lifecycle.conformance.capability import Capability, Verdict
from airflow_atscale_aggs.engine.lifecycle.conformance.scratch import Scratch
from airflow_atscale_aggs.engine.lifecycle.workspace import Workspace
from airflow_atscale_aggs.engine.registry.records import InstanceRecord

OWNER = "check-warehouse"
_MOST_CHARACTERS = 400
"""Of an error that is shown; those of warehouses repeat their statement."""

Listen = Callable[[str], None]


@dataclass
class CheckContext:
    """What all checks of one warehouse share.

    Attributes:
        folder: for files, such as the SML; it goes when the check is over.
        listen: is told what is going on.
        undecided: what builds could not compare, by aggregate.
        failed: why aggregates were not built, by aggregate.
    """

    workspace: Workspace
    scratch: Scratch
    folder: Path
    listen: Listen
    undecided: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def on_event(self, event: BuildEvent) -> None:
        """Hear what happens in a build."""
        if event.kind == "done":
            self.listen(f"  {event.aggregate} from {event.source}")
        elif event.kind == "undecided":
            self.undecided[event.aggregate] = event.text
        elif event.kind == "failed":
            self.failed[event.aggregate] = shortened(event.text)


def shortened(text: object) -> str:
    """The beginning of a message, on one line."""
    line = " ".join(str(text).split())
    return line if len(line) <= _MOST_CHARACTERS else f"{line[:_MOST_CHARACTERS]} …"


def tried(name: str, check: Callable[[], list[Capability]]) -> list[Capability]:
    """What a check finds; a check that raises has found that its capability does not work."""
    try:
        return check()
    except AtScaleAggsError as error:
        return [Capability(name, Verdict.FAILS, shortened(error))]
    except Exception as error:  # noqa: BLE001 - a driver that nobody has tried raises anything
        told = f"{type(error).__name__}: {error} (not foreseen: tell the authors)"
        return [Capability(name, Verdict.FAILS, shortened(told))]


def describe_failures(context: CheckContext, instances: Sequence[InstanceRecord]) -> list[str]:
    """Why instances do not serve, a sentence for each that does not."""
    return [
        context.failed.get(instance.step.aggregate, f"`{instance.step.aggregate}` is {instance.status}.")
        for instance in instances
        if instance.status is not InstanceStatus.ACTIVE
    ]


def describe_findings(report: VerifyReport) -> tuple[list[str], list[str]]:
    """Sentences about aggregates that do not agree with their facts, and about what could not be decided."""
    wrongs = [
        f"`{result.aggregate}` {result.finding}: {shortened(_reasons(result))}."
        for result in report.instances
        if result.finding not in {Finding.AGREES, Finding.UNDECIDED}
    ]
    undecided = [
        f"`{result.aggregate}` was not compared: {shortened(_reasons(result))}."
        for result in report.instances
        if result.finding is Finding.UNDECIDED or (result.undecided and result.finding is Finding.AGREES)
    ]
    return wrongs, undecided


def _reasons(result: VerifiedInstance) -> str:
    return "; ".join(map(str, (*result.differences, *result.undecided)))
