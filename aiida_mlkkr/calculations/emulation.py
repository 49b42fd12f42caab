"""Start potentials from trained models."""

from __future__ import annotations

from io import BytesIO, StringIO

from aiida import orm
from aiida.engine import ExitCode, calcfunction

from aiida_mlkkr.calculations.folders import writeout_of
from aiida_mlkkr.calculations.records import predicted_potential
from aiida_mlkkr.data.surrogate import SurrogateData
from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.kkr.potential import write_potential
from aiida_mlkkr.ml.emulator import PotentialEmulator
from aiida_mlkkr.ml.errors import ModelError
from aiida_mlkkr.solver.errors import SolverError


@calcfunction
def emulated_start_potential(
    model: SurrogateData,
    host_writeout: orm.FolderData,
    impurity_info: orm.Dict,
    moments: orm.List | None = None,
    parameters: orm.Dict | None = None,
) -> dict[str, orm.Data] | ExitCode:
    """The start potential of impurities as a trained emulator predicts it.

    :param model: from ``train_potential_emulator`` or ``mlkkr.train``, or from a file.
    :param host_writeout: retrieved folder of the host's write-out; the Green function may have stayed behind.
    :param impurity_info: as for ``KkrimpCalculation``: ``Zimp``, and ``Rimp_rel`` for more than one impurity.
    :param moments: spin moments asked for on the impurities, in the order of ``Zimp``, µB: their signs count, 0 means
        none, also for those beyond the list. What the model expects, all parallel, if absent.
    :param parameters: of the KKRimp calculation to come; KKRimp's defaults if absent. Only its kind is looked at.
    :return: ``potential``, the file to be the ``impurity_potential`` of a ``KkrimpCalculation``, and ``prediction``:
        its expected error on each site, the expected moments, whether the model has seen this host, and whether it
        knows where there is no moment. Exit code 210 if files of the write-out are missing or damaged, 211 if
        impurities and host do not fit, 212 if the model cannot tell.
    """
    settings = {} if parameters is None else parameters.get_dict()
    try:
        emulator = PotentialEmulator.load(model.arrays, model.spec)
        potential, prediction = predicted_potential(
            emulator,
            writeout_of(host_writeout),
            impurity_info.get_dict(),
            None if moments is None else moments.get_list(),
            {key: value for key, value in settings.items() if value is not None},
        )
    except KkrFileError as error:
        return ExitCode(210, f'no prediction in this host: {error}')
    except ModelError as error:
        return ExitCode(212, f'no prediction by this model: {error}')
    except (ValueError, SolverError) as error:
        return ExitCode(211, f'no start potential for these impurities in this host: {error}')
    text = StringIO()
    write_potential(potential, text)
    return {
        'potential': orm.SinglefileData(BytesIO(text.getvalue().encode('ascii')), filename='potential'),
        'prediction': orm.Dict(
            {
                'rms_error_per_site_Ry': prediction.error.tolist(),
                'spin_moment_per_site_muB': prediction.moments.tolist(),
                'host_seen': prediction.host_seen,
                'moments_known': not prediction.possible.any(),
            }
        ),
    }
