"""The demo, step by step."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from aiida_mlkkr.demo.archive import (
    archived_workchains,
    choose_impurities,
    current_archive,
    import_workchains,
    packaged_archive,
)
from aiida_mlkkr.demo.chain import ELEMENTS, ChainRun, build_chain
from aiida_mlkkr.demo.codes import embedded_solver, jukkr_code
from aiida_mlkkr.demo.emulators import Shard, TrainedEmulator, make_shards, train_without
from aiida_mlkkr.demo.errors import DemoError, DemoInterrupted
from aiida_mlkkr.demo.interruption import Interruption
from aiida_mlkkr.demo.magnets import print_magnets, write_magnets
from aiida_mlkkr.demo.profile import DemoProfile, load_demo_profile, only_demo, running_daemon
from aiida_mlkkr.demo.progress import RunsProgress, StepsProgress
from aiida_mlkkr.demo.reading import impurity_of
from aiida_mlkkr.demo.recipe import Recipe, host_formula, recipe_of
from aiida_mlkkr.demo.report import RunInfo, print_report, write_report
from aiida_mlkkr.demo.runs import ScfRun, build, four_runs, lost_processes, run_all

if TYPE_CHECKING:
    from aiida.orm import WorkChainNode

DEFAULT_ELEMENTS = ('V', 'Cr', 'Mn', 'Fe', 'Al', 'Zn', 'As')
"""Four magnetic impurities, two sp elements and a full d shell."""


def run_demo(
    console: Console,
    output: Path,
    elements: tuple[str, ...] = DEFAULT_ELEMENTS,
    profile_name: str | None = None,
    kkrimp: str | None = None,
    archive: Path | None = None,
    full: bool = False,
) -> bool:
    """Run the demo and write its report.

    :param output: folder for the report.
    :param elements: symbols of the impurities.
    :param profile_name: an existing AiiDA profile; the demo's own one is made or reused where it is None.
    :param kkrimp: label or number of a JuKKR code that runs instead of the embedded solver.
    :param archive: an archive with finished `kkr_imp_wc`, instead of the packaged one.
    :param full: go on to pairs, exchange and magnets.
    :returns: whether every run has a result.
    :raises DemoError: something is missing or does not fit (nothing was submitted then), the daemon stopped, the
        user interrupted, or the report cannot be written.
    """
    with Interruption() as interruption, only_demo():
        return _run_demo(console, output, elements, profile_name, kkrimp, archive, full, interruption)


def _run_demo(
    console: Console,
    output: Path,
    elements: tuple[str, ...],
    profile_name: str | None,
    kkrimp: str | None,
    own_archive: Path | None,
    full: bool,
    interruption: Interruption,
) -> bool:
    begin = time.monotonic()
    with packaged_archive() as packaged, current_archive(own_archive or packaged) as archive:
        available = archived_workchains(archive)
        chosen = choose_impurities(available, elements)
        profile = load_demo_profile(profile_name)
        _tell(console, 'profile', f'{profile.name} ({"made" if profile.created else "reused"})')
        code = embedded_solver() if kkrimp is None else jukkr_code(kkrimp)
        _tell(console, 'code', f'{code.full_label} (node {code.pk})')
        nodes, imported = import_workchains(archive, available)
        _tell(console, 'archive', f'{archive.name} ({"imported" if imported else "already there"})')
    workchains = dict(zip(available, nodes, strict=True))
    recipes = [recipe_of(entry.symbol, workchains[entry]) for entry in chosen]
    for recipe in recipes:
        build(recipe, code, 'default')  # what does not fit is told before anything is trained
    shards, emulators = _train(console, recipes, nodes, interruption)
    runs = [run for recipe in recipes for run in four_runs(recipe, code, emulators[recipe.symbol].model)]
    _run(console, profile, runs, interruption)
    chain = _run_chain(console, profile, recipes[0], shards, interruption) if full else None

    impurities = [impurity_of(recipe, emulators[recipe.symbol], runs) for recipe in recipes]
    info = RunInfo(
        profile=profile.name,
        code=code.full_label,
        code_is_ours=kkrimp is None,
        host=host_formula(recipes[0]),
        problems=tuple((run.name, run.problem) for run in runs if run.problem is not None),
        seconds=time.monotonic() - begin,
    )
    print_report(console, impurities, info)
    more = {}
    try:
        if chain is not None:
            print_magnets(console, chain)
            more = {write_magnets(output, chain).name: 'From these impurities to magnets: pairs, exchange, transitions'}
        files = write_report(output, impurities, info, more)
    except OSError as error:
        raise DemoError(
            f'the report cannot be written: {error}. Choose another folder with --output; what was computed is kept.'
        ) from error
    _tell(console, 'report', f'{files[-1]} ({info.seconds:.0f} s)')
    return not info.problems and (chain is None or chain.problem is None)


def _train(
    console: Console, recipes: Sequence[Recipe], workchains: Sequence[WorkChainNode], interruption: Interruption
) -> tuple[list[Shard], dict[str, TrainedEmulator]]:
    """The datasets, and an emulator for each impurity, trained on all others of the archive."""
    from plumpy import KilledError

    emulators = {}
    try:
        shards, left_out = make_shards(workchains, interruption.check)
        for reason in left_out:
            _tell(console, '', f'not learnt from: {reason}')
        for recipe in recipes:
            interruption.check()
            emulators[recipe.symbol] = train_without([recipe.symbol], shards)
    except KilledError as error:  # a calculation function that Ctrl-C hits is killed by AiiDA
        raise DemoInterrupted from error
    seconds = sum(shard.seconds for shard in shards) + sum(emulator.training for emulator in emulators.values())
    _tell(
        console, 'emulator', f'trained on {len(shards)} impurities, without each of {len(emulators)} ({seconds:.0f} s)'
    )
    return shards, emulators


def _run(console: Console, profile: DemoProfile, runs: Sequence[ScfRun], interruption: Interruption) -> None:
    from aiida.engine.daemon.client import get_daemon_client
    from aiida.engine.processes.control import revive_processes

    console.print()
    with RunsProgress(console, runs) as progress:
        for run in runs:
            run.resume()
        progress.update()
        if all(run.has_result for run in runs):
            return
        begun = [run.node for run in runs if run.node is not None and run.is_running]
        lost = [] if get_daemon_client(profile.name).is_daemon_running else lost_processes(begun)
        with running_daemon(profile) as daemon:
            if lost:
                revive_processes(lost)
            try:
                run_all(runs, daemon, progress.update, interruption.check)
            except DemoInterrupted:
                console.print('stopping the daemon …')
                raise


def _run_chain(
    console: Console, profile: DemoProfile, recipe: Recipe, shards: Sequence[Shard], interruption: Interruption
) -> ChainRun:
    """The chain from single impurities to magnets, its emulator trained without the elements."""
    from aiida.engine.daemon.client import get_daemon_client
    from aiida.engine.processes.control import revive_processes

    chain = ChainRun(build_chain(recipe.host, train_without(ELEMENTS, shards).model))
    chain.resume()
    if chain.has_result:
        _tell(console, 'chain', f'{", ".join(ELEMENTS)} (reused)')
        return chain
    running = get_daemon_client(profile.name).is_daemon_running
    lost = [] if running or chain.node is None else lost_processes([chain.node])
    with running_daemon(profile) as daemon:
        if lost:
            revive_processes(lost)
        if chain.node is None:
            chain.submit()
        try:
            with StepsProgress(console, 'chain') as progress:
                chain.wait(daemon, progress.update, interruption.check)
        except DemoInterrupted:
            console.print('stopping the daemon …')
            raise
    if not chain.has_result:
        raise DemoError(f'{chain.problem}. Start the demo again to go on; what was computed is kept.')
    return chain


def _tell(console: Console, what: str, message: str) -> None:
    console.print(Text.assemble((f'{what:<9}', 'bold'), message), soft_wrap=True)
