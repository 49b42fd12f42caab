"""A host to put impurities into, and codes that fail on demand: real solver, real recorded output, real signals."""

from __future__ import annotations

import io
import stat
import sysconfig
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.engine import run_get_node
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.schedulers.plugins.direct import DirectScheduler
from aiida.schedulers.plugins.slurm import SlurmScheduler
from aiida.tools.pytest_fixtures import entry_points
from plumpy import ProcessState
from this_machine import CONNECTION, SCHEDULER_POLL_SECONDS

from aiida_mlkkr.calculations.start import standard_start_potential
from aiida_mlkkr.demo.archive import archived_workchains, current_archive, import_workchains, packaged_archive
from aiida_mlkkr.parsers.kkrimp import TolerantKkrimpParser
from aiida_mlkkr.workflows.kkrimp.base import KkrimpBaseWorkChain

if TYPE_CHECKING:
    from aiida.engine import ExitCode, ProcessBuilder
    from aiida.manage.configuration import Profile
    from aiida.orm import CalcJobNode, Computer, Data, Dict, InstalledCode, RemoteData, SinglefileData, WorkChainNode

SCRIPT = """#!/bin/sh
PATH='{bin}':$PATH
# The n-th call does what step n says, calls beyond the last step what the last one says.
calls=$(($(cat '{folder}/calls') + 1))
echo $calls > '{folder}/calls'
[ $calls -lt {last} ] || calls={last}
. '{folder}/'$calls.sh
"""
SOLVE = 'exec mlkkr-kkrimp'
KILL_AFTER_3 = """mlkkr-kkrimp &
while kill -0 $! && [ "$(grep -c 'average rms-error' out_kkrimp)" -lt 3 ]; do sleep 0.02; done
kill -KILL $!
wait
"""
OUT_OF_WALLTIME = (
    "echo 'slurmstepd: error: *** JOB 7 ON node1 CANCELLED AT 2026-01-01T00:00:00 DUE TO TIME LIMIT ***' >&2"
)


class DirectWithSlurmsWords(DirectScheduler):
    """No scheduler, but one that reads the error output of a job as SLURM's plugin does."""

    parse_output = SlurmScheduler.parse_output


@pytest.fixture(scope='module')
def writeout(aiida_profile: Profile) -> CalcJobNode:
    """JuKKR's own write-out of the Green function of copper, for a cluster of 13 sites."""
    with packaged_archive() as packaged, current_archive(packaged) as path:
        (workchain, *_), _ = import_workchains(path, archived_workchains(path)[:1])
    (calculation, *_) = (node for node in workchain.called_descendants if node.process_label == 'KkrimpCalculation')
    return calculation.inputs.host_Greenfunction_folder.creator


@pytest.fixture(scope='module')
def impurity(writeout: CalcJobNode) -> Callable[..., tuple[Dict, SinglefileData]]:
    """A function: impurity_info and standard start potential of an impurity with a spin moment, made once for each."""
    made: dict[tuple[int, float], tuple[Dict, SinglefileData]] = {}

    def make(z: int, moment: float = 0.0) -> tuple[Dict, SinglefileData]:
        if (z, moment) not in made:
            info = orm.Dict({**writeout.inputs.impurity_info.get_dict(), 'Zimp': [z]}).store()
            potential = standard_start_potential(writeout.outputs.retrieved, info, orm.List([moment]))
            made[z, moment] = (info, potential)
        return made[z, moment]

    return make


@pytest.fixture
def computer(entry_points: Any, aiida_computer: Callable[..., Computer]) -> Computer:
    """This machine with that scheduler."""
    entry_points.add(DirectWithSlurmsWords, 'aiida.schedulers:mlkkr.tests')
    return aiida_computer(
        label='mlkkr-tests-slurm',
        scheduler_type='mlkkr.tests',
        minimum_job_poll_interval=SCHEDULER_POLL_SECONDS,
        configuration_kwargs=CONNECTION,
    )


@pytest.fixture
def recorded(archived_output: Callable[[str], dict[str, bytes]], tmp_path: Path) -> Callable[[str], str]:
    """A function: the step that leaves behind what a real run by JuKKR did."""

    def step(name: str) -> str:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for file, content in archived_output(name).items():
            if file.startswith('out_') or file == '_scheduler-stderr.txt':
                (folder / file).write_bytes(content)
        return f"cp '{folder}'/* ."

    return step


@pytest.fixture
def code(computer: Computer, tmp_path: Path) -> Callable[..., InstalledCode]:
    """A function: a code for ``kkr.kkrimp`` whose calls do one step after the other, given as lines of shell."""

    def make(*steps: str) -> InstalledCode:
        (tmp_path / 'calls').write_text('0')
        for number, step in enumerate(steps, 1):
            (tmp_path / f'{number}.sh').write_text(f'{step}\n')
        script = tmp_path / 'kkrimp'
        script.write_text(SCRIPT.format(bin=sysconfig.get_path('scripts'), folder=tmp_path, last=len(steps)))
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return orm.InstalledCode(
            label=tmp_path.name,
            computer=computer,
            filepath_executable=str(script),
            default_calc_job_plugin='kkr.kkrimp',
            with_mpi=False,
        ).store()

    return make


@pytest.fixture
def builder(
    writeout: CalcJobNode, impurity: Callable[..., tuple[Dict, SinglefileData]]
) -> Callable[..., ProcessBuilder]:
    """A function: a builder of the chain for an impurity in copper with these settings."""

    def make(
        code: InstalledCode,
        settings: dict[str, Any],
        z: int = 13,
        moment: float = 0.0,
        parent: RemoteData | None = None,
        **inputs: Any,
    ) -> ProcessBuilder:
        info, potential = impurity(z, moment)
        start = {'parent_calc_folder': parent} if parent is not None else {'impurity_potential': potential}
        builder = KkrimpBaseWorkChain.get_builder()
        builder.kkrimp = {
            'code': code,
            'host_Greenfunction_folder': writeout.outputs.remote_folder,
            'impurity_info': info,
            **start,
            'parameters': orm.Dict(settings),
            'metadata': {
                'options': {
                    'resources': {'num_machines': 1, 'num_mpiprocs_per_machine': 1},
                    'environment_variables': {'OMP_NUM_THREADS': '1'},
                }
            },
        }
        for port, value in inputs.items():
            setattr(builder, port, orm.to_aiida_type(value))
        return builder

    return make


@pytest.fixture
def run(builder: Callable[..., ProcessBuilder]) -> Callable[..., tuple[WorkChainNode, list[CalcJobNode]]]:
    """A function: run the chain; return it and its calculations in order."""

    def start(*arguments: Any, **inputs: Any) -> tuple[WorkChainNode, list[CalcJobNode]]:
        _, chain = run_get_node(builder(*arguments, **inputs))
        return chain, sorted(chain.called, key=lambda node: node.pk)

    return start


class ChainByHand:
    """The chain step by step: how each calculation ended is given, what the next one would do is seen."""

    def __init__(self, builder: ProcessBuilder) -> None:
        self.chain = instantiate_process(get_manager().get_runner(), builder)
        self.chain.setup()
        self.chain.ctx.children = []

    def settings(self, *keys: str) -> tuple[Any, ...]:
        """Of the next calculation."""
        parameters = dict(self.chain.ctx.inputs.parameters)
        return tuple(parameters.get(key) for key in keys)

    @property
    def start(self) -> Any:
        """What the next calculation starts from: another one, or a potential."""
        inputs = self.chain.ctx.inputs
        return inputs.parent_calc_folder.creator if 'parent_calc_folder' in inputs else inputs.impurity_potential

    def end(
        self,
        files: dict[str, bytes],
        status: int | None = None,
        state: ProcessState = ProcessState.FINISHED,
        parsed: bool = True,
    ) -> tuple[CalcJobNode, ExitCode | None]:
        """Let the calculation end: with these files, an exit status of the scheduler, in this state.

        :return: the calculation, and what the chain makes of it.
        """
        inputs = self.chain.ctx.inputs
        node = orm.CalcJobNode(computer=inputs.code.computer, process_type='aiida.calculations:kkr.kkrimp')
        node.set_process_label('KkrimpCalculation')
        node.set_process_state(state)
        for port in ('parameters', 'impurity_potential', 'parent_calc_folder'):
            if port in inputs:
                data = orm.Dict(inputs[port]) if isinstance(inputs[port], dict) else inputs[port]
                node.base.links.add_incoming(data.store(), LinkType.INPUT_CALC, port)
        node.set_exit_status(status)
        node.store()
        retrieved = orm.FolderData()
        for name, content in files.items():
            retrieved.base.repository.put_object_from_filelike(io.BytesIO(content), name)
        outputs = {'retrieved': retrieved, 'remote_folder': orm.RemoteData(remote_path='/gone', computer=node.computer)}
        self._link(node, outputs)
        if parsed:
            parser = TolerantKkrimpParser(node)
            exit_code = parser.parse()
            self._link(node, parser.outputs)
            if exit_code is not None:
                node.set_exit_status(exit_code.status)
                node.set_exit_message(exit_code.message)
        self.chain.ctx.children.append(node)
        self.chain.ctx.iteration += 1
        return node, self.chain.inspect_process()

    @staticmethod
    def _link(node: CalcJobNode, outputs: Mapping[str, Data]) -> None:
        for label, output in outputs.items():
            output.base.links.add_incoming(node, LinkType.CREATE, label)
            output.store()


@pytest.fixture
def by_hand(kkrimp_code: InstalledCode, builder: Callable[..., ProcessBuilder]) -> Callable[..., ChainByHand]:
    """A function: the chain with these settings, to be taken through its steps by hand."""

    def make(settings: dict[str, Any], **inputs: Any) -> ChainByHand:
        return ChainByHand(builder(kkrimp_code, settings, **inputs))

    return make
