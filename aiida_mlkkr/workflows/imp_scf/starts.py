"""Where an impurity self-consistency can start: one entry of ``STARTS`` for each way to a start potential."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from aiida import orm
from aiida.engine import ProcessBuilder
from plumpy.utils import AttributesFrozendict

from aiida_mlkkr.calculations.start import standard_start_potential
from aiida_mlkkr.solver.start import free_moment
from aiida_mlkkr.workflows.imp_scf.voronoi import join_potentials, voronoi_builder


@dataclass(frozen=True)
class Made:
    """A start potential.

    :param state_known: whether its maker knows the magnetic state, so that one that is not magnetic is meant so.
    :param prediction: what an emulator says of its own potential.
    """

    potential: orm.SinglefileData
    state_known: bool = False
    prediction: orm.Dict | None = None


@dataclass(frozen=True)
class StartMaker:
    """A way to a start potential.

    Both functions raise a ``ValueError`` where there is no such start; its message says why.

    :param make: the potential, from the inputs of the workchain, the calculation that wrote out the host's Green
        function, and the process that had to run before.
    :param port: the input that it needs; '' if it needs none.
    :param prepare: that process, if there is one.
    """

    make: Callable[[AttributesFrozendict, orm.CalcJobNode, orm.ProcessNode | None], Made]
    port: str = ''
    prepare: Callable[[AttributesFrozendict, orm.CalcJobNode], ProcessBuilder] | None = None


def charges(impurity_info: orm.Dict) -> list[float]:
    """Nuclear charges of the impurities."""
    return np.atleast_1d(np.array(impurity_info['Zimp'], dtype=np.float64)).tolist()


def _given(inputs: AttributesFrozendict, _writeout: orm.CalcJobNode, _process: orm.ProcessNode | None) -> Made:
    return Made(inputs.startpot)


def _standard(inputs: AttributesFrozendict, writeout: orm.CalcJobNode, _process: orm.ProcessNode | None) -> Made:
    """From free atoms, with the moments asked for or, if wanted, those of the free atoms."""
    arguments = {}
    if 'magnetic_moments' in inputs:
        arguments['moments'] = inputs.magnetic_moments
    elif inputs.guess_moments:
        arguments['moments'] = orm.List([free_moment(int(z)) for z in charges(inputs.impurity_info)])
    potential, node = standard_start_potential.run_get_node(
        writeout.outputs.retrieved,
        inputs.impurity_info,
        **arguments,
        metadata={'call_link_label': 'standard_start'},
    )
    if not node.is_finished_ok:
        raise ValueError(node.exit_message)
    return Made(potential)


def _voronoi(inputs: AttributesFrozendict, writeout: orm.CalcJobNode, process: orm.ProcessNode | None) -> Made:
    """From aiida-kkr's voronoi workchain."""
    assert process is not None
    if not process.is_finished_ok:
        raise ValueError(f'{process.process_label}<{process.pk}> failed: {process.exit_message or process.exception}')
    return Made(join_potentials(writeout, process.outputs.last_voronoi_remote, inputs.impurity_info))


STARTS: Final[dict[str, StartMaker]] = {
    'startpot': StartMaker(_given, port='startpot'),
    'standard': StartMaker(_standard),
    'voronoi': StartMaker(_voronoi, port='voronoi', prepare=voronoi_builder),
}
