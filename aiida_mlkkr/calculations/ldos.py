"""Local densities of states from the files of KKRimp."""

from __future__ import annotations

from io import StringIO

from aiida import orm
from aiida.engine import ExitCode, calcfunction

from aiida_mlkkr.calculations.impurity_scf import impurity_sites
from aiida_mlkkr.kkr.constants import RYDBERG_EV
from aiida_mlkkr.kkr.elements import symbol
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.ldos import read_ldos
from aiida_mlkkr.kkr.potential import read_potential

SPINS = (('each',), ('down', 'up'))


@calcfunction
def local_densities_of_states(
    retrieved: orm.FolderData,
    output_parameters: orm.Dict,
    impurity_info: orm.Dict,
    potential: orm.SinglefileData,
) -> orm.ArrayData | ExitCode:
    """Local densities of states of all sites of a cluster, from a calculation with ``RUNFLAG= ldos``.

    :param retrieved: files of the calculation.
    :param output_parameters: of the same calculation, for the height of its energies above the real axis.
    :param impurity_info: of the impurities.
    :param potential: the potential that it was given, for elements and Fermi energy.
    :return: ``energies`` (nE,) E − E_F in eV and ``ldos`` (natom, nspin, lmax+1, nE) in states/eV, πkT above the real
        axis; ``energies_on_axis`` and ``ldos_on_axis``, continued to it. Attributes: ``elements``, ``impurity_sites``,
        ``spins`` (``down``, ``up``, or ``each``), ``fermi_energy_Ry``, ``broadening_eV`` (half width at half maximum of
        the Lorentzian). Exit code 310 if files are missing or damaged.
    """
    names = [name for name in retrieved.base.repository.list_object_names() if name.startswith('out_ldos.')]
    files = {name: retrieved.base.repository.get_object_content(name, mode='r') for name in names}
    node = orm.ArrayData()
    sites = read_potential(StringIO(potential.get_content('r'))).sites
    fermi = sites[0][0].efermi
    try:
        for suffix, on_axis in (('', False), ('_on_axis', True)):
            found = read_ldos(files, on_axis)
            node.set_array(f'energies{suffix}', (found.energies - fermi) * RYDBERG_EV)
            node.set_array(f'ldos{suffix}', found.values / RYDBERG_EV)
        if len(found.values) != len(sites):
            raise KkrFileError(f'densities of states of {len(found.values)} sites, but the potential has {len(sites)}')
        at = impurity_sites(impurity_info.get_dict(), retrieved)
    except (KkrFileError, FileNotFoundError) as error:
        return ExitCode(310, f'the densities of states cannot be used: {error}')
    contour = output_parameters.get_dict().get('energy_contour_group', {}).get('epoints_contour')
    node.base.attributes.set_many(
        {
            'elements': [symbol(blocks[0].z) for blocks in sites],
            'impurity_sites': at,
            'spins': list(SPINS[found.values.shape[1] - 1]),
            'fermi_energy_Ry': fermi,
            'broadening_eV': contour[0][1] * RYDBERG_EV if contour else None,
        }
    )
    return node
