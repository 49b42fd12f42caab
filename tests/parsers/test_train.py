"""What a training leaves behind, and what is wrong with it."""

from __future__ import annotations

import json
import re
from functools import partial

import pytest

from .conftest import SAVED, STOPPED

STEP = json.dumps({'time': 1.0, 'stage': 'fold 1 of 2', 'done': 1, 'total': 9, 'losses': {'train': 0.5}}) + '\n'
IN_VAIN = '{"time": 2.0, "stopped": "out of walltime", "further": false}\n'


@pytest.fixture
def parse_training(parse):
    return partial(parse, 'mlkkr.train')


@pytest.mark.parametrize(
    ('files', 'status', 'words'),
    [
        ({'out': 'begun', 'progress': SAVED + STOPPED['mlkkr.train'] + IN_VAIN}, 401, 'not one step .* raise'),
        ({'report': '{"task": {"final": true}}'}, 311, 'model.safetensors is missing'),
        ({'report': '{"task": {"final": true}}', 'model': b'\x80\x04'}, 311, 'a Python pickle'),
        ({'report': '{"task": {"final"'}, 311, 'cannot be read'),
        ({'report': '{}'}, 311, 'KeyError'),
    ],
)
def test_endings(parse_training, files, status, words):
    code, outputs = parse_training(**files)
    assert code.status == status
    assert re.search(words, code.message)
    assert not outputs


@pytest.mark.parametrize(('more', 'status', 'words'), [('', 310, 'it did not say why'), (SAVED, 410, 'without a word')])
def test_losses_are_kept_whatever_the_end(parse_training, more, status, words):
    code, outputs = parse_training(out='begun', progress=STEP + more)
    assert code.status == status
    assert words in code.message
    assert list(outputs) == ['history']
    assert outputs['history'].get_array('train').tolist() == [0.5]


def test_numbers_that_are_not_finite(parse_training):
    """They do not keep the rest of the report from the database."""
    report = '{"task": {"final": false}, "losses": {"model": {"train": NaN}}}'
    code, outputs = parse_training(report=report, progress=STEP)
    assert code is None
    assert outputs['report']['losses'] == {'model': {'train': None}}
    assert outputs['history'].get_array('train').tolist() == [0.5]
