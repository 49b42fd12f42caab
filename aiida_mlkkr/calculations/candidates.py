"""The best of several trained models."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode, calcfunction


@calcfunction
def best_candidate(candidates: orm.Dict, failures: orm.Dict, **reports: orm.Dict) -> dict[str, orm.Dict] | ExitCode:
    """Compare models by the error of their cross-validations.

    :param candidates: settings of the emulators by label.
    :param failures: why there is no report of a candidate, by label.
    :param reports: of the trainings (``mlkkr.train``), by ``report_`` and the label.
    :return: ``settings`` of the training of the best one on all data, and ``candidates``, a table of all of them, the
        best one first (errors in Ry, of moments in µB); exit code 230 if there is no error to compare.
    """
    rows = {label: _row(settings, reports.get(f'report_{label}')) for label, settings in candidates.get_dict().items()}
    for label, why in failures.get_dict().items():
        rows[label]['failure'] = why
    compared = sorted((row['error_Ry'], label) for label, row in rows.items() if row.get('error_Ry') is not None)
    if not compared:
        return ExitCode(230, 'no candidate has an error of a cross-validation')
    best = compared[0][1]
    order = [label for _, label in compared] + [label for label, row in rows.items() if row.get('error_Ry') is None]
    table = [{'candidate': label, **rows[label]} for label in order]
    final = {'emulator': candidates[best], 'cross_validation': None, 'final': True}
    return {'settings': orm.Dict(final), 'candidates': orm.Dict({'best': best, 'table': table})}


def _row(settings: dict[str, Any], report: orm.Dict | None) -> dict[str, Any]:
    row: dict[str, Any] = {'settings': settings}
    if report is None:
        return row
    validation = report['validation']
    names = ('error_Ry', 'median_error_Ry', 'reference_error_Ry', 'around_rms_Ry', 'moment_rms_muB')
    return {
        **row,
        **{name: validation[name] for name in names},
        'refused': len(validation['refused']),
        'clusters': validation['clusters'],
        'seconds': report['seconds'],
    }
