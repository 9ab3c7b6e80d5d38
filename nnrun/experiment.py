"""The story of an experiment: train and resume. Read this first; ``inference.py`` goes on with what was trained."""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from nnrun.data.kept import keep
from nnrun.errors import ChangedError, DivergedError, LostWorkerError, NnrunError, Problem, SpecError
from nnrun.evaluation import evaluate_part, judged_part, write_evaluation
from nnrun.failures import explain_divergence, explain_loss, explain_repetition
from nnrun.keras_backend import divert_native_noise, load_in_background
from nnrun.model.summary import check_on_paper, refuse_too_large
from nnrun.report.html import write_report
from nnrun.spec.changes import HARMLESS, Change, changes, fatal
from nnrun.spec.file_sources import FILE_SOURCES
from nnrun.spec.load import Loaded, dump_spec, load_spec
from nnrun.store.run import Run
from nnrun.store.runs import create_run, find_run, probe_directory, runs_directory, scratch
from nnrun.training.callbacks import check_monitor, continue_files, make_callbacks
from nnrun.training.devices import (
    choose_strategy,
    has_small_steps,
    is_helper,
    prepare_devices,
    set_threads,
)
from nnrun.training.display import Display, WarningsOnly
from nnrun.training.loop import Ending, Training
from nnrun.training.prepared import Prepared, plan_of, prepare, resolved_spec
from nnrun.training.record import Recorder, facts_of, read_facts, result_of, versions
from nnrun.training.resumed import Resumed

LEARNING_RATE = "training.learning_rate"
"""What may change as well when a training was lost."""


def train(
    path: Path,
    overrides: Sequence[str] = (),
    *,
    display: Display,
    runs_dir: Path | None = None,
    code: Path | None = None,
    command: Sequence[str] = (),
    interrupted: Callable[[], bool] = lambda: False,
    chunk: int | None = None,
) -> tuple[Run, Ending]:
    """Train what a specification describes and leave a run directory.

    Args:
        path: The specification.
        overrides: ``a.b=VALUE`` and ``~a.b``.
        display: Shows it to the user.
        runs_dir: Where runs are kept; default ``$NNRUN_RUNS_DIR`` or ``runs``.
        code: A Python file whose classes and functions the specification may name.
        command: The command line, for the record.
        interrupted: True as soon as the training should stop.
        chunk: Steps between two looks at Python; None: by their pace.

    Returns:
        The run, and how the training ended. An interrupted run has no result and can be continued.

    Raises:
        NnrunError: See ``errors.py``.
    """
    loaded = load_spec(path, overrides, code)
    runs = runs_directory(runs_dir)
    helps = is_helper(loaded.spec.runtime)
    if helps:
        runs, display = scratch(), WarningsOnly(display)
    probe_directory(runs)
    rehearse(loaded)
    prepared = prepare(loaded, display.notify)
    refuse_unclear_monitors(prepared)
    refuse_strangers(prepared)
    if prepared.data.warning:
        display.warn(prepared.data.warning)
    for note in prepared.data.notes:
        display.notify(f"note: {note}")
    run = create_run(runs, loaded.spec.name, now=datetime.now())
    divert_native_noise(run.native_log)
    with run.lock():
        facts = facts_of(
            loaded.spec,
            prepared.data,
            prepared.model,
            prepared.devices,
            folder=path.parent,
            overrides=overrides,
            command=command,
        )
        run.write_config(dump_spec(resolved_spec(prepared)))
        if prepared.data.reader is not None:
            run.write_preprocessing(keep(loaded.spec.data.source, prepared.data.reader))
        if loaded.code:
            run.write_code(loaded.code.path.name, loaded.code.text)
            facts["code"] = {"file": loaded.code.path.name, "sha256": loaded.code.sha256}
        if not helps:  # a run without facts is nobody's: trackers are not told of it
            run.write_facts(facts)
        display.on_start(run, facts)
        return run, run_training(prepared, run, display, interrupted, chunk=chunk)


def resume(
    reference: str,
    overrides: Sequence[str] = (),
    *,
    display: Display,
    config: Path | None = None,
    runs_dir: Path | None = None,
    code: Path | None = None,
    interrupted: Callable[[], bool] = lambda: False,
) -> tuple[Run, Ending]:
    """Let a training go on from its newest checkpoint, to exactly the weights that it would have had.

    Args:
        reference: A run: path, id, unique prefix or ``latest``.
        overrides: Changes such as ``training.epochs=20``; only what decides no numbers may change.
        display: Shows it to the user.
        config: A specification that should be the run's; None: the run's own.
        runs_dir: Where runs are kept.
        code: The Python file that the run was trained with, if any.
        interrupted: True as soon as the training should stop.

    Returns:
        The run, and how the training ended; a run that was finished already ends as it did.

    Raises:
        ChangedError: The specification, the data or the Python file is not what it was.
        NnrunError: See ``errors.py``.
    """
    run = find_run(reference, runs_directory(runs_dir))
    before = reload_spec(run, code)
    loaded = keep_choices(before, reload_spec(run, code, overrides, config))
    helps = is_helper(loaded.spec.runtime)
    if helps:
        display = WarningsOnly(display)
    with contextlib.nullcontext() if helps else run.lock():
        facts = read_facts(run)
        changed = changes(before.spec, loaded.spec)
        refuse_changes(run, changed)
        resumed = Resumed.find(run)
        if run.divergence() and not any(one.path == LEARNING_RATE for one in changed):
            raise DivergedError(explain_repetition(run))
        rate = loaded.spec.training.learning_rate
        if any(one.path == LEARNING_RATE for one in changed) and isinstance(rate, float | int):
            resumed.learning_rate = float(rate)
        if resumed.is_finished(loaded.spec.training.epochs):
            display.notify(f"{run.id} is finished: {resumed.why_finished()}")
            return run, Ending("finished", resumed.position)
        divert_native_noise(run.native_log)
        rehearse(loaded)
        prepared = prepare(loaded, display.notify, pretrained=not resumed.checkpoint)
        refuse_other_data(run, prepared)
        refuse_strangers(prepared)
        here = (facts, versions(), prepared.devices.facts())
        for message in [] if helps else resumed.notes(*here):
            display.warn(message)
        if helps:
            run = create_run(scratch(), loaded.spec.name, now=datetime.now())
        else:
            resumed.begin(run, changed, *here)
            if changed:
                run.write_config(dump_spec(resolved_spec(prepared)))
        facts["training"]["epochs"] = loaded.spec.training.epochs
        display.on_start(run, facts)
        display.notify(resumed.opening())
        return run, run_training(prepared, run, display, interrupted, resumed)


def keep_choices(before: Loaded, now: Loaded) -> Loaded:
    """A specification in which what was chosen for ``auto`` stays chosen: another choice gives other numbers."""
    runtime, data = now.spec.runtime, now.spec.data
    if data.cache == "auto":
        data = data.model_copy(update={"cache": before.spec.data.cache})
    if runtime.strategy == before.spec.runtime.strategy:  # nobody asked for another: what is here now decides
        runtime = runtime.model_copy(update={"strategy": "auto"})
    chosen = {
        name: getattr(before.spec.runtime, name)
        for name in type(runtime).model_fields
        if getattr(runtime, name) == "auto" and name != "strategy"
    }
    training = now.spec.training
    if training.precision == "auto":
        training = training.model_copy(update={"precision": before.spec.training.precision})
    runtime = runtime.model_copy(update=chosen)
    spec = now.spec.model_copy(update={"runtime": runtime, "data": data, "training": training})
    return replace(now, spec=spec)


def refuse_changes(run: Run, changed: Sequence[Change]) -> None:
    """Refuse to go on with a specification that would give other numbers.

    Raises:
        ChangedError: The table of what differs.
    """
    diverged = run.divergence()
    refused = [one for one in fatal(list(changed)) if not (diverged and one.path == LEARNING_RATE)]
    if not refused:
        return
    table = "\n".join(f"  {change}" for change in refused)
    raise ChangedError(
        f"{run.id} was trained with another specification:\n{table}\n"
        f"only {', '.join(HARMLESS[:-1])} and {HARMLESS[-1]} may change when a training goes on; "
        "train a new run for anything else"
    )


def rehearse(loaded: Loaded) -> None:
    """Build on paper what the training needs, before the data is loaded: that may take long.

    Raises:
        SpecError: A layer's shape does not fit, Keras refuses a value, or a callback would write outside the run.
        ResourceError: The machine's memory cannot hold the model.
    """
    training = loaded.spec.training
    if choose_strategy(loaded.spec.runtime) == "multi_worker":
        prepare_devices(loaded.spec.runtime)  # the workers must meet before anything runs on a device
    if loaded.spec.data.source.name in FILE_SOURCES:  # their shapes show when they are read
        load_in_background(functools.partial(set_threads, loaded.spec.runtime))
        return
    set_threads(loaded.spec.runtime, is_small=has_small_steps(loaded))
    refuse_too_large(check_on_paper(loaded), training)
    make_callbacks(training.callbacks, Path(), loaded.place)


def refuse_strangers(prepared: Prepared) -> None:
    """Refuse to train together with workers that train something else.

    Raises:
        ResourceError: They differ in specification, data or versions.
    """
    told = (dump_spec(resolved_spec(prepared)), prepared.data.fingerprint, sorted(versions().items()))
    prepared.engine.replicas.refuse_strangers(hashlib.sha256(repr(told).encode()).hexdigest())


def refuse_unclear_monitors(prepared: Prepared) -> None:
    """Refuse to watch a value of which nobody knows whether more or less is better.

    Raises:
        SpecError: The monitor of the best epoch or of a callback is such a value.
    """
    training, place = prepared.spec.training, prepared.loaded.place
    check_monitor(prepared.model, training.monitor, place)
    make_callbacks(training.callbacks, Path(), place, prepared.model)


def run_training(
    prepared: Prepared,
    run: Run,
    display: Display,
    interrupted: Callable[[], bool],
    resumed: Resumed | None = None,
    chunk: int | None = None,
) -> Ending:
    """Train, keep the best model, score it on the test part, write the result."""
    spec, training = prepared.spec, prepared.spec.training
    resumed, replicas = resumed or Resumed(), prepared.engine.replicas
    callbacks = make_callbacks(training.callbacks, run.path, prepared.loaded.place, prepared.model)
    continue_files(callbacks, len(resumed.rows))
    recorder = Recorder(
        run,
        prepared.model,
        callbacks,
        display,
        spec.runtime.checkpoint_seconds,
        keeps_best=prepared.data.validation is not None,
        position=resumed.position,
        rows=resumed.rows,
        best=resumed.best,
        earlier=resumed.seconds,
        is_finite=lambda: prepared.engine.broken_weight() is None,
        agree=lambda due: bool(replicas.chief(int(due))),
    )
    validation = prepared.feed("validation") if prepared.data.validation is not None else None
    task = Training(
        prepared.model,
        prepared.engine,
        prepared.training_feed(),
        validation,
        plan_of(prepared),
        callbacks,
        recorder,
        interrupted,
        position=recorder.position,
        restore=lambda: resumed.restore(prepared.model, callbacks),
        chunk=chunk,
    )
    try:
        with replicas.losses():
            try:
                ending = task.run()
            finally:
                display.on_stop(task.position)
            conclude(prepared, run, recorder, ending, display)
    except DivergedError as error:
        raise explain_divergence(prepared.loaded, run, str(error)) from None
    except LostWorkerError as error:
        raise explain_loss(run, str(error)) if replicas.is_chief else error from None
    return ending


def conclude(prepared: Prepared, run: Run, recorder: Recorder, ending: Ending, display: Display) -> None:
    """Keep the model that counts, judge it, and write what came out; of an interrupted training only the model."""
    training, replicas = prepared.spec.training, prepared.engine.replicas
    kept = recorder.keep()
    result = result_of(ending, recorder.rows, monitor=training.monitor, kept=kept, seconds=recorder.seconds)
    interrupted = ending.reason == "interrupted"
    part = judged_part(prepared)
    if interrupted and part != "test":
        part = None  # who interrupts does not wait for more than the scores that are shown
    scores = prepared.engine.evaluate(prepared.feed(part), training.batch_size) if part else {}
    if part == "test":
        result["test"] = scores
    if not interrupted and replicas.is_chief:
        if part:
            write_evaluation(run, part, evaluate_part(prepared, part, kept, scores))
        run.write_result(result)
        write_page(run, display)
    display.on_result(run, result)
    replicas.any(False)  # who leaves before the others are done looks lost to them


def write_page(run: Run, display: Display) -> None:
    """Write ``report.html``. It can be written again at any time: a run does not fail for want of it."""
    try:
        write_report(run, run.path / "report.html")
    except NnrunError as error:
        display.warn(f"report.html was not written: {error}")


def refuse_other_data(run: Run, prepared: Prepared) -> None:
    """Refuse data that is not what a run was trained on.

    Raises:
        ChangedError: Its fingerprint is another.
    """
    recorded = read_facts(run)["data"]
    if prepared.data.fingerprint != recorded["fingerprint"]:
        raise ChangedError(
            f"the data is not what {run.id} was trained on: "
            f"then {recorded['name']} ({recorded['fingerprint'][:19]}...), "
            f"now {prepared.data.name} ({prepared.data.fingerprint[:19]}...); "
            "put the same file back, or point NNRUN_DATA_DIR to where it is"
        )


def reload_spec(
    run: Run, code: Path | None, overrides: Sequence[str] = (), config: Path | None = None
) -> Loaded:
    """A run's specification, or another in its place, with the Python file that it was trained with.

    A copy of the file lies in the run. It is not run from there by itself: the run may be a stranger's.
    """
    recorded = run.facts().get("code")
    if recorded and code is None:
        message = (
            f"{run.id} was trained with --code {recorded['file']}; give the file again, or look at the copy "
            f"and give that: --code {run.path / 'code' / recorded['file']}"
        )
        raise SpecError([Problem(message)])
    loaded = load_spec(config or run.config_path, overrides, code, files=False)
    if recorded and loaded.code and loaded.code.sha256 != recorded["sha256"]:
        raise ChangedError(
            f"{code} is not the file that {run.id} was trained with (SHA-256 {loaded.code.sha256[:12]}..., then "
            f"{recorded['sha256'][:12]}...); a copy of that one is {run.path / 'code' / recorded['file']}"
        )
    return loaded
