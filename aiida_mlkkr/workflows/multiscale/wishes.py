"""What is asked of the chain: compositions, shells, boxes; and the single impurities and pairs that follow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from aiida import orm
from pydantic import ValidationError

from aiida_mlkkr.calculations.folders import lattice_of
from aiida_mlkkr.calculations.spin_models import DilutionSettings
from aiida_mlkkr.common.complaints import first_complaint
from aiida_mlkkr.kkr.arrangement import Screening, joint_cluster, shell_sites
from aiida_mlkkr.kkr.elements import SYMBOLS, symbol
from aiida_mlkkr.kkr.patterns import arranged
from aiida_mlkkr.workflows.exchange.dimers import element_pairs
from aiida_mlkkr.workflows.imp_scf.writeout import kkr_calculation

Compositions = Mapping[str, Mapping[str, float]]
Pair = dict[str, Any]

_OWN: Final = ('concentrations', 'moments', 'origin', 'repetitions')
"""Fields of :class:`DilutionSettings` that the chain fills in."""


def elements_of(compositions: Compositions) -> list[str]:
    """All elements, lightest first."""
    return sorted({element for shares in compositions.values() for element in shares}, key=SYMBOLS.index)


def labelled(compositions: Compositions | Sequence[Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Compositions with labels; without a label of its own ``{'Mn': 0.05, 'Fe': 0.025}`` is ``Mn5_Fe2p5``."""
    if isinstance(compositions, Mapping):
        return {label: dict(shares) for label, shares in compositions.items()}
    return {_label(shares): dict(shares) for shares in compositions}


def _label(shares: Mapping[str, float]) -> str:
    return '_'.join(f'{element}{f"{100 * share:g}".replace(".", "p")}' for element, share in shares.items())


def wanted_pairs(
    host: orm.RemoteData, elements_together: Iterable[Iterable[str]], shells: Iterable[int], centre: int
) -> list[Pair]:
    """Every two elements that occur together, on every shell; in both orders where the sites are different atoms."""
    lattice = lattice_of(kkr_calculation(host).outputs.retrieved)
    groups = [sorted(elements, key=SYMBOLS.index) for elements in elements_together]
    pairs = []
    for shell in shells:
        equal = shell_sites(lattice, shell, centre)[0].site == centre
        listed = {pair for own in groups for pair in element_pairs(own, equal)}
        together = sorted(listed, key=lambda pair: tuple(map(SYMBOLS.index, pair)))
        pairs += [{'elements': list(pair), 'shell': shell, 'centre': centre} for pair in together]
    return pairs


def single_info(host: orm.RemoteData, element: str, site: int, screening: Mapping[str, Any]) -> dict[str, Any]:
    """``impurity_info`` of an element on an atom of the host's cell, with the host atoms that screen it."""
    lattice = replace(lattice_of(kkr_calculation(host).outputs.retrieved), alat=None)  # aiida-kkr's, for its sites
    sites, charges = arranged(lattice, [{'element': element, 'site': site}])
    return joint_cluster(lattice, sites, charges, Screening(**screening)).impurity_info()


def host_element(host: orm.RemoteData, site: int) -> str:
    """Symbol of an atom of the host's cell."""
    return symbol(lattice_of(kkr_calculation(host).outputs.retrieved).z[site])


def dilution_settings(
    dilution: Mapping[str, Any], shares: Mapping[str, float], moments: Mapping[str, float], size: Sequence[int]
) -> dict[str, Any]:
    """Settings of ``mlkkr.dilute_spin_models`` for a composition in boxes of a size."""
    settings = {key: value for key, value in dilution.items() if key != 'sizes'}
    own = {element: moments[element] for element in shares if element in moments}
    return {**settings, 'concentrations': dict(shares), 'moments': own, 'repetitions': list(size)}


def dilution_fault(dilution: Mapping[str, Any], compositions: Compositions) -> str | None:
    """What is wrong with boxes and seeds."""
    sizes = dilution.get('sizes')
    if not isinstance(sizes, list) or not sizes:
        return 'dilution.sizes: give one box at least, such as [[12, 12, 12]], counted in cells of the host'
    if own := [name for name in _OWN if name in dilution]:
        return f'dilution: {", ".join(own)} is filled in by the chain; leave it out'
    for shares in compositions.values():
        for size in sizes:
            try:
                DilutionSettings.model_validate(dilution_settings(dilution, shares, {}, size))
            except (ValidationError, TypeError) as error:
                words = first_complaint(error) if isinstance(error, ValidationError) else error
                return f'dilution: {words}'
    return None


def compositions_fault(compositions: Mapping[str, Any]) -> str | None:
    """What is wrong with labels or shares."""
    if not compositions:
        return 'compositions: give one at least, such as {"Mn5": {"Mn": 0.05}}'
    for label, shares in compositions.items():
        if not label.isidentifier() or '__' in label:
            return f'compositions: a label is made of letters, digits and single underscores, not {label}'
        if not isinstance(shares, Mapping) or not shares:
            return f'compositions: {label} has no elements with their shares'
        if unknown := [element for element in shares if element not in SYMBOLS[1:]]:
            return f'compositions: {label}: there is no element {", ".join(unknown)}'
        wrong = [share for share in shares.values() if not isinstance(share, int | float) or not 0 < share <= 1]
        if wrong or sum(shares.values()) > 1:
            return f'compositions: {label}: shares are above 0, their sum is at most 1, not {list(shares.values())}'
    return None
