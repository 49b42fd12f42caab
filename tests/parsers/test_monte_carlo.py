"""Results of a simulation that are none."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize('content', [b'PK', b'\x80\x04'])
def test_results_that_cannot_be_read(parse, content):
    code, outputs = parse('mlkkr.monte_carlo', temporary={'results.npz': content})
    assert code.status == 311
    assert 'results.npz cannot be read' in code.message
    assert not outputs
