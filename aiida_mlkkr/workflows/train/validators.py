"""What is refused before anything is submitted: each function returns a message, or None if there is nothing to say."""

from __future__ import annotations

import re

from aiida import orm

from aiida_mlkkr.common.complaints import complaint_on
from aiida_mlkkr.ml.emulator import EmulatorSettings
from aiida_mlkkr.ml.validation import CrossValidation


def validate_candidates(value: orm.Dict, _: object) -> str | None:
    """Message on candidates without a proper label or proper settings."""
    candidates = value.get_dict()
    if not candidates:
        return 'there are no candidates'
    for label, settings in candidates.items():
        if not re.fullmatch(r'[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*', label):
            return f'{label!r} is no label: letters, digits and single underscores'
        if message := complaint_on(settings, EmulatorSettings):
            return f'candidate {label}: {message}'
    return None


def validate_cross_validation(value: orm.Dict, _: object) -> str | None:
    """Message on a cross-validation that is not valid."""
    return complaint_on(value.get_dict(), CrossValidation)
