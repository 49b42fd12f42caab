"""How each kind of ending of this package's programs is told."""

from __future__ import annotations

import re

import pytest

from .conftest import PROGRAMS, SAVED, STOPPED

pytestmark = pytest.mark.parametrize('entry_point', PROGRAMS)


@pytest.mark.parametrize(
    ('files', 'status', 'words'),
    [
        ({}, 310, 'it did not say why'),
        ({'err': 'line 1\nSegmentation fault\n'}, 310, 'Segmentation fault'),
        ({'err': '{program}: error: a.npz cannot be read\n'}, 220, 'a.npz cannot be read'),
        ({'err': '{program}: aborted: model: No space left on device\n'}, 411, 'No space left'),
        ({'out': 'begun', 'progress': '{{"time": 1.0}}\n'}, 310, 'it did not say why'),
        ({'out': 'begun', 'progress': '{saved}'}, 410, r'interrupted \(without a word\)'),
        ({'out': 'begun', 'progress': '{saved}{stopped}'}, 400, 'parent_folder'),
        ({'out': 'begun', 'progress': '{saved}{stopped}{{"time": 3.'}, 400, 'parent_folder'),
        ({'out': 'begun', 'progress': '{saved}{{"stopped": "stopped by SIGTERM"}}'}, 410, 'stopped by SIGTERM'),
        # the record is that of the calculation before, this one did not begin
        ({'err': 'python: not found', 'progress': '{saved}{stopped}'}, 310, 'python: not found'),
        ({'scheduler_status': 120, 'out': 'begun', 'progress': '{saved}'}, 410, 'interrupted'),
    ],
)
def test_endings(parse, entry_point, files, status, words):
    values = {'program': PROGRAMS[entry_point], 'saved': SAVED, 'stopped': STOPPED[entry_point]}
    filled = {name: value.format(**values) if isinstance(value, str) else value for name, value in files.items()}
    code, outputs = parse(entry_point, **filled)
    assert code.status == status
    assert re.search(words, code.message)
    assert not outputs


@pytest.mark.parametrize(('status', 'progress'), [(110, SAVED), (120, '{"time": 1.0}\n'), (140, '')])
def test_the_word_of_the_scheduler_is_kept(parse, entry_point, status, progress):
    code, outputs = parse(entry_point, scheduler_status=status, out='begun', progress=progress)
    assert code is None
    assert not outputs
