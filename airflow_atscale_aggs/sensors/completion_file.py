"""The sensor that waits for files or lines, without a worker slot."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, BaseSensorOperator, PokeReturnValue
from airflow.sdk.exceptions import AirflowRuntimeError, AirflowSensorTimeout

from airflow_atscale_aggs.hooks.object_storage import open_filesystem
from airflow_atscale_aggs.hooks.sentences import where_to_read_more
from airflow_atscale_aggs.signals.errors import SignalError, WatchError
from airflow_atscale_aggs.signals.state import WatchState
from airflow_atscale_aggs.signals.watch import Watch, Watcher
from airflow_atscale_aggs.triggers.completion_file import CompletionFileTrigger, WaitingLines, explain_waiting

if TYPE_CHECKING:
    from airflow.sdk import Context

_KEY = "completion_file"
_MOST_WATCHES = 20
"""The number of watches whose states are kept. A path with a date in it makes a new watch in each run."""

_SLACK = timedelta(minutes=2)
"""The trigger gives up first and says why. Airflow's own timeout comes this much later, if the trigger cannot."""


class CompletionFileSensor(BaseSensorOperator):
    """Waits until files appear or are overwritten, or lines with a pattern are appended.

    A signal ends the waiting of one run: the next run waits for the next signal. What was seen is remembered across
    runs in the state of an asset named after the task. A run that is retried or cleared after its signal came has the
    same signal.

    Args:
        paths: one or many local paths or fsspec URLs, exact or globs; ``s3://conn_id@bucket/key`` names a connection.
        match: ``any`` or ``all`` of the paths.
        pattern: an RE2 expression: lines with it are the signals; None: the files are.
        settle_seconds: how long a file must stay the same before it counts.
        existing: whether what is there at the very first look counts; None: files do, lines do not.
        deferrable: wait in the triggerer (default), or poke in a worker.
        poke_interval: seconds between two looks.

    Returns:
        ``{"signals": [{"id": …, "kind": …, "url": …, "text": …}, …]}``

    Raises:
        WatchError: the arguments make no sense.
        UnsafePatternError: the pattern is no RE2 expression.
        PathDeniedError: a path may not be read.
        AirflowSensorTimeout: no signal came within ``timeout``.
    """

    template_fields: Sequence[str] = ("paths", "pattern")

    def __init__(
        self,
        *,
        paths: str | Sequence[str],
        match: str = "any",
        pattern: str | None = None,
        settle_seconds: float = 5.0,
        existing: bool | None = None,
        deferrable: bool = True,
        poke_interval: float | timedelta = 10,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        if self.mode != "poke":
            raise WatchError("mode", self.mode, "is not offered; the deferrable sensor takes no worker slot either")
        self.paths, self.match, self.pattern = paths, match, pattern
        self.settle_seconds, self.existing, self.deferrable = settle_seconds, existing, deferrable
        self.inlets: list[Any] = [*(kwargs.get("inlets") or ()), Asset(f"files_of_{self.dag_id}_{self.task_id}")]
        self._lines = WaitingLines(self)
        self._watcher: Watcher | None = None

    def execute(self, context: Context) -> Any:
        """Look once; then wait."""
        taken = context["task_state_store"].get(_KEY)
        if isinstance(taken, Mapping):
            self.log.info("This run has its signals already.")
            self._remember(context, WatchState.from_json(taken["state"]))
            return {"signals": taken["signals"]}
        if not self.deferrable:
            return self._poke_until_timeout(context)
        result = self.poke(context)
        if result:
            return result.xcom_value
        watch, state = self._watch(), self._watcher_of(context).state
        self.defer(
            trigger=CompletionFileTrigger(
                watch.paths,
                match=watch.match,
                pattern=watch.pattern,
                poll_seconds=self.poke_interval,
                settle_seconds=watch.settle_seconds,
                existing=watch.existing,
                state=state.to_json(),
                deadline=time.time() + self.timeout,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout) + _SLACK,
        )
        return None

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Take the signals of the trigger's event, or fail with its reason."""
        match event["status"]:
            case "signals":
                return self._take(context, event["signals"], WatchState.from_json(event["state"]))
            case "timeout":
                raise AirflowSensorTimeout(self._timeout_text(event["message"]))
            case _:
                # A trigger of an older version does not say it.
                self.log.info("%s", event.get("more", ""))
                raise SignalError(event["message"])

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once; the signals are taken when there are any."""
        watcher = self._watcher_of(context)
        look = watcher.look(time.monotonic())
        if look.hopeless:
            self.log.info("%s", where_to_read_more(look.hopeless[0]))
            raise look.hopeless[0]
        if look.signals:
            watcher.confirm(look.signals)
            signals = [signal.as_dict() for signal in look.signals]
            return PokeReturnValue(is_done=True, xcom_value=self._take(context, signals, watcher.state))
        if look.is_changed:
            self._remember(context, watcher.state)
        self._lines.write(watcher, look)
        return PokeReturnValue(is_done=False)

    def _poke_until_timeout(self, context: Context) -> Any:
        try:
            return super().execute(context)
        except AirflowSensorTimeout as error:
            watcher = self._watcher_of(context)
            why = explain_waiting(watcher, watcher.look(time.monotonic()))
            raise AirflowSensorTimeout(self._timeout_text(why)) from error

    def _timeout_text(self, why: str) -> str:
        return f"No signal within {timedelta(seconds=self.timeout)}: {why}"

    def _watch(self) -> Watch:
        paths = (self.paths,) if isinstance(self.paths, str) else tuple(self.paths)
        return Watch(paths, self.match, self.pattern, self.settle_seconds, self.existing)

    def _watcher_of(self, context: Context) -> Watcher:
        if self._watcher is None:
            watch = self._watch()
            state = self._states(context).get(watch.key)
            self._watcher = Watcher(watch, open_filesystem, WatchState.from_json(state))
        return self._watcher

    def _take(self, context: Context, signals: Sequence[Mapping[str, str]], state: WatchState) -> dict[str, Any]:
        """Record these signals as this run's, so that a retry has them, and then the state for the next runs."""
        result: dict[str, Any] = {"signals": [dict(signal) for signal in signals]}
        context["task_state_store"].set(_KEY, {**result, "state": state.to_json()})
        self._remember(context, state)
        for signal in result["signals"]:
            self.log.info("Signal %s: %s %s %s", signal["id"], signal["url"], signal["kind"], signal["text"])
        return result

    def _store(self, context: Context) -> Any:
        return context["asset_state_store"][self.inlets[-1]]

    def _states(self, context: Context) -> dict[str, Any]:
        """The states of earlier runs, by watch."""
        return dict(self._store(context).get(_KEY) or {})

    def _remember(self, context: Context, state: WatchState) -> None:
        """Record the state for the next runs, unless another run has recorded a newer one."""
        states, key = self._states(context), self._watch().key
        if WatchState.from_json(states.pop(key, None)).sequence >= state.sequence:
            return
        newest = dict([*states.items(), (key, state.to_json())][-_MOST_WATCHES:])
        try:
            self._store(context).set(_KEY, newest)
        except AirflowRuntimeError as error:
            # A mapped sensor's asset is unknown to Airflow.
            self.log.warning("What was seen cannot be remembered for the next run: %s", error)
