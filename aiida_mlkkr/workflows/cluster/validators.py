"""What is refused before anything is submitted: each function returns a message, or None if there is nothing to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_mlkkr.workflows.imp_scf.settings import charges, is_embedded, physics, spins
from aiida_mlkkr.workflows.kkrimp.inputs import mpi_mismatch

Inputs = Mapping[str, Any]


def validate_inputs(inputs: Inputs, _: object) -> str | None:
    """Message on singles without a start that uses them, or on an exchange that cannot be computed."""
    if inputs.get('singles') and 'startpot' not in inputs['scf']['starts'].get_list():
        return 'singles are given, but scf.starts does not name the start from them, startpot'
    return _check_exchange(inputs) if inputs.get('exchange') else None


def _check_exchange(inputs: Inputs) -> str | None:
    scf, kkrimp = inputs['scf'], inputs['exchange']['kkrimp']
    if len(charges(scf['impurity_info'])) < 2:
        return 'exchange: there is no pair of impurities; leave out the namespace exchange, or add impurities'
    if 'code' not in kkrimp:
        return 'exchange.kkrimp.code is missing: KKRimp, by JuKKR or the embedded solver'
    if spins(scf) == 1:
        return (
            'exchange: the host has no spin polarisation (NSPIN= 1), so that there is no exchange. Write out its Green '
            'function from a calculation with NSPIN= 2'
        )
    if not is_embedded(kkrimp['code']) and not physics(scf).get('SPINORBIT'):
        return (
            'exchange: JuKKR computes exchange tensors with its Chebyshev solver alone (host with NEWSOSOL), and this '
            'host is without. Give the embedded solver as exchange.kkrimp.code, or leave out the namespace exchange'
        )
    return mpi_mismatch(kkrimp['code'], kkrimp)
