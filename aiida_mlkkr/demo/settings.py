"""Settings of the embedded solver that repeat what JuKKR did."""

from __future__ import annotations

from aiida import orm
from aiida.engine import calcfunction

_FLAG = 'accumulate_hfield'


@calcfunction
def keep_initial_field(parameters: orm.Dict) -> orm.Dict:
    """The same settings, and the initial magnetic field stays in the potential.

    JuKKR's release build never takes the field HFIELD out of the potential that it mixes. Its archived runs owe their
    magnetic start to that; the embedded solver removes the field unless this test flag is set.
    """
    values = parameters.get_dict()
    return orm.Dict({**values, 'TESTFLAG': [*(values.get('TESTFLAG') or []), _FLAG]})


def as_jukkr_did(parameters: orm.Dict) -> orm.Dict:
    """Settings with which the embedded solver repeats JuKKR's run; made once, then found again."""
    field, iterations = parameters.get('HFIELD', None) or (0.0, 0)
    if not field or not iterations:
        return parameters
    query = orm.QueryBuilder()
    query.append(orm.Dict, filters={'id': parameters.pk}, tag='jukkr')
    query.append(
        orm.CalcFunctionNode,
        with_incoming='jukkr',
        filters={'attributes.process_label': 'keep_initial_field', 'attributes.exit_status': 0},
        tag='change',
    )
    query.append(orm.Dict, with_incoming='change')
    return query.first(flat=True) or keep_initial_field(parameters)
