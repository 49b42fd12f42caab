"""The builder, its protocols, and what is refused when it is filled."""

from __future__ import annotations

import pytest
from aiida import orm
from aiida.plugins import WorkflowFactory

from aiida_mlkkr.workflows.kkrimp.base import KkrimpBaseWorkChain

SETTINGS = {'IMIX': 0, 'MIXFAC': 0.03}


def test_entry_point():
    assert WorkflowFactory('mlkkr.kkrimp.base') is KkrimpBaseWorkChain


@pytest.fixture
def protocol_builder(writeout, impurity, kkrimp_code):
    def make(*arguments, **named):
        return KkrimpBaseWorkChain.get_builder_from_protocol(
            kkrimp_code, writeout.outputs.remote_folder, *impurity(13), *arguments, **named
        )

    return make


def test_protocols(protocol_builder):
    bounds = {
        name: protocol_builder(name).kkrimp.parameters['QBOUND'] for name in (None, 'fast', 'balanced', 'precise')
    }
    assert bounds == {None: 1e-6, 'fast': 1e-4, 'balanced': 1e-6, 'precise': 1e-8}


def test_overrides_and_options(protocol_builder, writeout):
    overrides = {'max_iterations': 3, 'cures': {'repeats': 0}, 'kkrimp': {'parameters': {'MIXFAC': 0.01}}}
    builder = protocol_builder(overrides=overrides, options={'queue_name': 'long'})
    assert builder.max_iterations == 3
    assert builder.cures['repeats'] == 0
    assert builder.cures['diverging'] == 3
    assert builder.kkrimp.parameters['MIXFAC'] == 0.01
    assert builder.kkrimp.parameters['IMIX'] == 5
    assert builder.kkrimp.metadata.options.queue_name == 'long'
    assert builder.kkrimp.metadata.options.resources['num_machines'] == 1
    assert builder.kkrimp.host_Greenfunction_folder.uuid == writeout.outputs.remote_folder.uuid


def test_unknown_protocol(protocol_builder):
    with pytest.raises(ValueError, match='there is no protocol rapid; there are balanced, precise, fast'):
        protocol_builder('rapid')


def test_always_our_parser(by_hand, builder, kkrimp_code):
    inputs = builder(kkrimp_code, SETTINGS)
    assert inputs.kkrimp.metadata.options.parser_name == 'mlkkr.kkrimp'
    inputs.kkrimp.metadata.options.parser_name = 'kkr.kkrimpparser'
    assert type(by_hand(SETTINGS))(inputs).chain.ctx.inputs.metadata.options.parser_name == 'mlkkr.kkrimp'


def test_refused(builder, kkrimp_code, writeout):
    inputs = builder(kkrimp_code, SETTINGS)
    with pytest.raises(ValueError, match='unknown: patience'):
        inputs.cures = {'patience': 3}
    with pytest.raises(ValueError, match='between 0 and 1'):
        inputs.cures = {'mixing_factor': 2}

    def refusal(**changes):
        changed = builder(kkrimp_code, SETTINGS)
        for port, value in changes.items():
            if value is None:
                delattr(changed.kkrimp, port)
            else:
                setattr(changed.kkrimp, port, value)
        return KkrimpBaseWorkChain.spec().inputs.validate(changed._inputs(prune=True))

    assert refusal() is None
    assert 'both' in refusal(parent_calc_folder=writeout.outputs.remote_folder).message
    assert 'none' in refusal(impurity_potential=None).message
    assert 'kkrimp.parameters is missing' in refusal(parameters=None).message


def test_exposed_by_a_chain_that_fills_the_start_later(aiida_profile):
    """Its ports may be missing there: nothing is asked for that cannot be given."""
    from aiida.engine import WorkChain

    class Outer(WorkChain):
        @classmethod
        def define(cls, spec):
            super().define(spec)
            spec.expose_inputs(
                KkrimpBaseWorkChain,
                namespace='scf',
                exclude=(
                    'kkrimp.code',
                    'kkrimp.impurity_potential',
                    'kkrimp.parent_calc_folder',
                    'kkrimp.host_Greenfunction_folder',
                ),
            )

    values = {'scf': {'kkrimp': {'parameters': orm.Dict(SETTINGS)}}}
    assert Outer.spec().inputs['scf'].validate(values['scf']) is None
