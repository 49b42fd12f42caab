"""The Python of the how-to on own data does what it says."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / 'docs' / 'source' / 'howto' / 'own_data.md'


def test_three_lines_from_existing_nodes_to_a_builder(copper, kkrimp_code):
    from aiida import orm

    group = orm.Group('my-impurities').store()
    group.add_nodes([copper['Mn'], copper['Mn'].outputs.remote_data_gf.creator])
    blocks = re.findall(r'^```python\n(.*?)^```', PAGE.read_text(encoding='utf-8'), re.MULTILINE | re.DOTALL)
    names: dict = {}
    for block in blocks:
        exec(block.replace('mlkkr-kkrimp@localhost', kkrimp_code.full_label), names)
    model, builder = names['model'], names['builder']
    assert {'V', 'Mn', 'Zn'} <= set(model.spec.elements)
    assert builder.emulator.uuid == model.uuid
    assert builder.code.uuid == kkrimp_code.uuid
    assert builder.impurity_info['Zimp'] == [27.0]
    written = names['impurities'][0].impurity_info.get_dict()
    assert {**builder.impurity_info.get_dict(), 'Zimp': None} == {**written, 'Zimp': None}
    assert builder.host_greenfunction.uuid == copper['Mn'].outputs.remote_data_gf.uuid
