"""What JuKKR did for an archived impurity: where it began, and the calculations that led to its solution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiida_mlkkr.demo.errors import DemoError

if TYPE_CHECKING:
    from aiida.orm import CalcJobNode, Dict, RemoteData, SinglefileData, WorkChainNode


@dataclass(frozen=True)
class Recipe:
    """An archived self-consistency, as far as it is done again.

    :param calculations: JuKKR's calculations, in order: one for each stage.
    :param start_potential: the standard start, by the voronoi code.
    """

    symbol: str
    workchain: WorkChainNode
    calculations: tuple[CalcJobNode, ...]
    start_potential: SinglefileData
    impurity_info: Dict
    host: RemoteData

    @property
    def moments(self) -> list[float] | None:
        """The magnetic state that was asked for: none where JuKKR set no initial field, else an open question."""
        strength, iterations = self.calculations[0].inputs.parameters.get('HFIELD', None) or (0.0, 0)
        if strength and iterations:
            return None
        charges = self.impurity_info['Zimp']
        return [0.0] * (len(charges) if isinstance(charges, list) else 1)


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
