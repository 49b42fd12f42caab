"""Where an impurity self-consistency can start: one entry of ``STARTS`` for each way to a start potential."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from aiida import orm
from aiida.engine import ProcessBuilder
from plumpy.utils import AttributesFrozendict

from aiida_mlkkr.calculations.emulation import emulated_start_potential
from aiida_mlkkr.calculations.start import standard_start_potential
from aiida_mlkkr.solver.start import free_moment
from aiida_mlkkr.workflows.imp_scf.settings import charges, physics
from aiida_mlkkr.workflows.imp_scf.voronoi import join_potentials, voronoi_builder
from aiida_mlkkr.workflows.messages import name_of, reason_of


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


def _emulated(inputs: AttributesFrozendict, writeout: orm.CalcJobNode, _process: orm.ProcessNode | None) -> Made:
    """As the emulator predicts it, unless it expects too large an error."""
    arguments = {'moments': inputs.magnetic_moments} if 'magnetic_moments' in inputs else {}
    outputs, node = emulated_start_potential.run_get_node(
        model=inputs.emulator,
        host_writeout=writeout.outputs.retrieved,
        impurity_info=inputs.impurity_info,
        parameters=orm.Dict(physics(inputs)),
        metadata={'call_link_label': 'emulated_start'},
        **arguments,
    )
    if not outputs:
        raise ValueError(node.exit_message)
    errors = outputs['prediction']['rms_error_per_site_Ry']
    if max(errors) > inputs.max_predicted_error.value:
        raise ValueError(
            f'the emulator is uncertain: it expects an error of {max(errors):.3g} Ry on site '
            f'{int(np.argmax(errors)) + 1}, more than max_predicted_error, {inputs.max_predicted_error.value:g} Ry'
        )
    return Made(outputs['potential'], state_known=True, prediction=outputs['prediction'])


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
        raise ValueError(f'{name_of(process)} failed: {reason_of(process)}')
    return Made(join_potentials(writeout, process.outputs.last_voronoi_remote, inputs.impurity_info))


STARTS: Final[dict[str, StartMaker]] = {
    'emulator': StartMaker(_emulated, port='emulator'),
    'startpot': StartMaker(_given, port='startpot'),
    'standard': StartMaker(_standard),
    'voronoi': StartMaker(_voronoi, port='voronoi', prepare=voronoi_builder),
}
