"""Models trained on datasets."""

from __future__ import annotations

from aiida import orm
from aiida.engine import ExitCode, calcfunction
from pydantic import ValidationError

from aiida_mlkkr.common.complaints import first_complaint
from aiida_mlkkr.data.dataset import ImpurityDatasetData
from aiida_mlkkr.data.surrogate import SurrogateData
from aiida_mlkkr.ml.dataset import merge
from aiida_mlkkr.ml.emulator import EmulatorSettings, PotentialEmulator
from aiida_mlkkr.ml.errors import DatasetError, ModelError


@calcfunction
def train_potential_emulator(
    settings: orm.Dict | None = None, spheres: SurrogateData | None = None, **datasets: ImpurityDatasetData
) -> dict[str, orm.Data] | ExitCode:
    """Train an emulator of impurity potentials (see :mod:`aiida_mlkkr.ml.emulator`).

    :param settings: fields of :class:`~aiida_mlkkr.ml.emulator.EmulatorSettings`, their defaults where absent.
    :param spheres: an emulator of atomic spheres, on top of which one of full potentials learns the difference alone
        (:mod:`aiida_mlkkr.ml.spheres`).
    :param datasets: finished impurities, from ``impurity_dataset``; an impurity in several of them counts once.
    :return: ``model`` (``SurrogateData``) and ``report``, how well it predicts what it has not seen; exit code 221 if
        the settings are not valid, 222 if the datasets are empty, of different kinds or no datasets, 223 if the model
        cannot be trained on them.
    """
    try:
        chosen = EmulatorSettings.model_validate({} if settings is None else settings.get_dict())
    except ValidationError as error:
        return ExitCode(221, f'the settings of the training are not valid: {first_complaint(error)}')
    foreign = [label for label, node in datasets.items() if not isinstance(node, ImpurityDatasetData)]
    if foreign:
        return ExitCode(222, f'input {", ".join(foreign)} is no dataset of impurities (ImpurityDatasetData)')
    try:
        shards = [node.dataset for _, node in sorted(datasets.items())]
        dataset = merge(shard for shard in shards if shard is not None)
        below = None if spheres is None else PotentialEmulator.load(spheres.arrays, spheres.spec)
        emulator = PotentialEmulator.fit(dataset, chosen, spheres=below)
    except DatasetError as error:
        return ExitCode(222, f'no model can be trained: {error}')
    except ModelError as error:
        return ExitCode(223, f'no model can be trained: {error}')
    return {'model': SurrogateData(*emulator.export()), 'report': orm.Dict(emulator.report)}
