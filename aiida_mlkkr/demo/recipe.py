"""What JuKKR did for an archived impurity, step by step, so that it can be done again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from aiida_mlkkr.demo.errors import DemoError

if TYPE_CHECKING:
    from aiida.orm import CalcJobNode, Dict, RemoteData, SinglefileData, WorkChainNode


@dataclass(frozen=True)
class Recipe:
    """Start and settings of an impurity's self-consistency.

    :param calculations: JuKKR's own calculations, in order: one for each stage.
    :param parameters: settings of each stage.
    """

    symbol: str
    workchain: WorkChainNode
    calculations: tuple[CalcJobNode, ...]
    parameters: tuple[Dict, ...]
    start_potential: SinglefileData
    impurity_info: Dict
    host: RemoteData


def recipe_of(symbol: str, workchain: WorkChainNode) -> Recipe:
    """The recipe of a finished `kkr_imp_wc`.

    :raises DemoError: its calculations do not form one chain from a start potential to the end.
    """
    from aiida.orm import CalcJobNode

    calculations = [
        node
        for node in workchain.called_descendants
        if isinstance(node, CalcJobNode) and node.process_label == 'KkrimpCalculation'
    ]
    calculations.sort(key=lambda node: node.ctime)
    parents = [
        node.inputs.parent_calc_folder.creator for node in calculations[1:] if 'parent_calc_folder' in node.inputs
    ]
    if not calculations or 'impurity_potential' not in calculations[0].inputs or parents != calculations[:-1]:
        raise DemoError(
            f'the archived workchain {workchain.uuid} for {symbol} is not a chain of KKRimp calculations '
            'from a start potential to the converged one; it cannot be repeated.'
        )
    first = calculations[0].inputs
    return Recipe(
        symbol=symbol,
        workchain=workchain,
        calculations=tuple(calculations),
        parameters=tuple(node.inputs.parameters for node in calculations),
        start_potential=first.impurity_potential,
        impurity_info=first.impurity_info,
        host=first.host_Greenfunction_folder,
    )


def host_formula(recipe: Recipe) -> str:
    """Chemical formula of the crystal that the impurity sits in."""
    from aiida import orm

    query = orm.QueryBuilder()
    query.append(orm.RemoteData, filters={'id': recipe.host.pk}, tag='host')
    query.append(orm.StructureData, with_descendants='host')
    structure = query.first(flat=True)
    return structure.get_formula() if structure is not None else 'the host'


BEYOND_THE_EMBEDDED_SOLVER = {
    'INS': 'the full potential',
    'NCOLL': 'non-collinear moments',
    'SPINORBIT': 'spin-orbit coupling',
}
"""Settings of KKRimp that must be 0 for the embedded solver, and what they stand for."""


def for_embedded_solver(recipe: Recipe) -> Recipe:
    """The recipe with settings by which the embedded solver does what JuKKR did.

    :raises DemoError: JuKKR's calculations are of a kind that the embedded solver does not cover.
    """
    from aiida_mlkkr.demo.settings import as_jukkr_did

    for parameters in recipe.parameters:
        for key, meaning in BEYOND_THE_EMBEDDED_SOLVER.items():
            if parameters.get(key, None):
                raise DemoError(
                    f'the archived calculations of {recipe.symbol} are done with {meaning} ({key}={parameters[key]}), '
                    'which the embedded solver does not cover. Run them with JuKKR: --kkrimp CODE.'
                )
    return replace(recipe, parameters=tuple(as_jukkr_did(parameters) for parameters in recipe.parameters))
