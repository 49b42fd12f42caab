"""The profile of the demo; what a user sees of it is in ``tests/cli/test_demo.py``."""

from __future__ import annotations

import pytest

from aiida_mlkkr.demo.errors import DemoError
from aiida_mlkkr.demo.profile import only_demo


def test_one_demo_at_a_time():
    with only_demo(), pytest.raises(DemoError, match='another demo is running'), only_demo():
        pass
    with only_demo():
        pass
