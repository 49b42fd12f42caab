"""The tolerant parser on real AiiDA nodes: JuKKR's real runs, good and bad, and files that are damaged in every way."""

from __future__ import annotations

import gzip
import io
import json
import math
import random
import time
from pathlib import Path

import numpy as np
import pytest

from aiida_mlkkr.kkr.outcome import Outcome

RYDBERG_EV = 13.605693122994
"""The Rydberg energy by which aiida-kkr multiplies energies that are in eV already."""

CORRECTED = ('single_particle_energies', 'total_energies_atom')
OWN = ('mlkkr_group', 'parser_version', 'parser_errors')
LOG, STDOUT, POTENTIAL, TIMING = 'out_log.000.txt', 'out_kkrimp', 'out_potential', 'out_timing.000.txt'
BANDS, SINGLE = 'out_energysp_per_atom_eV', 'out_energytotal_per_atom_eV'
STDERR = '_scheduler-stderr.txt'
KKR_DATA = Path(__file__).parents[1] / 'data' / 'kkr'


@pytest.fixture
def calculation(aiida_localhost):
    """A function: a stored node of a KkrimpCalculation with these retrieved files."""
    from aiida import orm
    from aiida.common import LinkType

    def folder(files):
        node = orm.FolderData()
        for name, content in files.items():
            node.base.repository.put_object_from_filelike(io.BytesIO(content), name)
        return node

    def host(cmoms, npol):
        writer = orm.CalcJobNode(computer=aiida_localhost, process_type='aiida.calculations:kkr.kkr')
        writer.base.links.add_incoming(orm.Dict({'NPOL': npol}).store(), LinkType.INPUT_CALC, 'parameters')
        writer.store()
        remote = orm.RemoteData(computer=aiida_localhost, remote_path='/nowhere')
        remote.base.links.add_incoming(writer, LinkType.CREATE, 'remote_folder')
        retrieved = folder({'kkrflex_intercell_cmoms': cmoms})
        retrieved.base.links.add_incoming(writer, LinkType.CREATE, 'retrieved')
        remote.store()
        retrieved.store()
        return remote

    def make(files, cmoms=None, npol=5, exit_status=None, retrieved=True):
        node = orm.CalcJobNode(computer=aiida_localhost, process_type='aiida.calculations:kkr.kkrimp')
        node.set_option('scheduler_stderr', STDERR)
        if cmoms is not None:
            node.base.links.add_incoming(host(cmoms, npol), LinkType.INPUT_CALC, 'host_Greenfunction_folder')
        if exit_status is not None:
            node.set_exit_status(exit_status)
        node.store()
        if retrieved:
            output = folder(files)
            output.base.links.add_incoming(node, LinkType.CREATE, 'retrieved')
            output.store()
        return node

    return make


@pytest.fixture
def parse(calculation):
    """A function: output_parameters and exit status of a calculation with these files."""
    from aiida_mlkkr.parsers.kkrimp import TolerantKkrimpParser

    def run(files, **options):
        results, node = TolerantKkrimpParser.parse_from_node(calculation(files, **options))
        assert not node.is_excepted
        outputs = results['output_parameters'].get_dict() if results and 'output_parameters' in results else None
        return outputs, node

    return run


@pytest.fixture
def judged():
    """A function: output_parameters and verdict for these files, without nodes and without the parser's safety net."""
    from aiida_mlkkr.kkr.outcome import judge
    from aiida_mlkkr.kkr.run import read_run
    from aiida_mlkkr.parsers.results import output_parameters

    def run(files):
        run = read_run({name: data.decode('ascii', 'replace') for name, data in files.items()})
        verdict = judge(run)
        return output_parameters(run, verdict), verdict

    return run


@pytest.fixture(scope='session')
def real(archived_output):
    """A function: files, charge moments of the host and reference of a real run."""

    def read(name):
        files = archived_output(name)
        reference = json.loads(files.pop('reference.json'))
        return files, reference['kkrflex_intercell_cmoms'].encode(), reference

    return read


def differences(theirs, ours, place=''):
    """Where ours differs from theirs, beyond the rounding of AiiDA's storage."""
    if isinstance(theirs, dict):
        found = [f'{place}.{key}: missing' for key in theirs if key not in ours]
        for key in theirs:
            if key in ours:
                found += differences(theirs[key], ours[key], f'{place}.{key}')
        return found
    if isinstance(theirs, list):
        if not isinstance(ours, list) or len(theirs) != len(ours):
            return [f'{place}: length']
        return [item for a, b in zip(theirs, ours, strict=True) for item in differences(a, b, place)]
    same = (
        math.isclose(theirs, ours, rel_tol=1e-12)
        if isinstance(theirs, float) and isinstance(ours, float)
        else theirs == ours
    )
    return [] if same else [f'{place}: {theirs!r} != {ours!r}']


def test_entry_point():
    from aiida.plugins import ParserFactory

    from aiida_mlkkr.parsers.kkrimp import TolerantKkrimpParser

    assert ParserFactory('mlkkr.kkrimp') is TolerantKkrimpParser


@pytest.mark.parametrize('name', ['mn_in_cu', 'mn_pair', 'mn_pair_spin_orbit'])
def test_the_results_of_aiida_kkr_with_the_unit_corrected(real, parse, name):
    files, cmoms, reference = real(name)
    ours, node = parse(files, cmoms=cmoms)
    assert node.exit_status == Outcome.DONE
    assert node.is_finished_ok
    theirs = reference['output_parameters']
    for key in CORRECTED:
        assert np.array(theirs.pop(key)) == pytest.approx(np.array(ours[key]) * RYDBERG_EV, rel=1e-12)
    theirs = {key: value for key, value in theirs.items() if key not in OWN}
    assert differences(theirs, ours) == []
    assert ours['parser_errors'] == []
    own = ours['mlkkr_group']
    assert own['problems'] == own['not_finite'] == []
    assert own['sanity_checked']
    assert own['host_charges_known']
    assert any('eV' in correction for correction in own['corrections'])


def test_the_results_of_masci_tools(real, parse):
    """masci-tools as it is on PyPI agrees, on the small run (it takes half a minute for a large one)."""
    from masci_tools.io.parsers.kkrimp_parser_functions import KkrimpParserFunctions

    files, cmoms, _ = real('mn_pair')
    names = {'outfile': STDOUT, 'out_log': LOG, 'out_pot': POTENTIAL, 'out_timing': TIMING}
    names |= {'out_enersp_at': BANDS, 'out_enertot_at': SINGLE}
    handles = {key: io.StringIO(files[name].decode()) for key, name in names.items()}
    success, messages, theirs = KkrimpParserFunctions().parse_kkrimp_outputfile({}, handles)
    assert success, messages
    theirs = json.loads(json.dumps(theirs))
    ours, _ = parse(files, cmoms=cmoms)
    for key in CORRECTED:
        theirs[key] = [energy / RYDBERG_EV for energy in theirs[key]]
    assert differences(theirs, ours) == []


def test_energies_per_atom_are_those_of_the_files(real, parse):
    files, cmoms, _ = real('mn_pair')
    ours, _ = parse(files, cmoms=cmoms)
    last = [float(line.split()[1]) for line in files[BANDS].decode().splitlines()[-2:]]
    assert ours['single_particle_energies'] == pytest.approx(last, rel=1e-12)
    assert ours['single_particle_energies_unit'] == 'eV'
    # the band energy that the log gives in Ry, in JuKKR's eV
    assert last[0] == pytest.approx(-1.2845095716 * 13.6058, abs=1e-6)


def test_own_results(real, parse):
    files, cmoms, _ = real('mn_pair')
    own = parse(files, cmoms=cmoms)[0]['mlkkr_group']
    assert own['parser'] == 'mlkkr.kkrimp'
    assert own['outcome'] == 'FINISHED'
    assert own['spin_moment_per_atom'] == pytest.approx([3.017278] * 2)
    assert own['rms_spin_per_atom'] == pytest.approx([2.3364e-8, 2.3400e-8])
    assert own['nuclear_charge_per_atom'] == [25.0, 25.0]
    assert np.shape(own['valence_charge_by_spin_and_l']) == (2, 2, 3)
    assert own['iterations_complete'] == own['iterations_started'] == 14


@pytest.mark.parametrize(
    ('name', 'outcome', 'words'),
    [
        ('ni_in_cu_false_convergence', Outcome.FALSE_CONVERGENCE, ['18.26 electrons', 'd shell is lost', 'Restart']),
        ('co_in_cu_stagnating', Outcome.STAGNATING, ['no progress', '0.656', 'Change the mixing']),
        ('in_in_cu_core_state_lost', Outcome.CORE_STATE_LOST, ['iteration 19', 'rhocore', 'core state']),
        ('jij_crash_signal', Outcome.JIJ_CRASHED, ['CALCJIJMAT=1', 'step energyloop', 'SIGSEGV']),
        ('jij_crash_bounds', Outcome.JIJ_CRASHED, ['step energyloop', "Index '0' of dimension 1", 'gfortran']),
    ],
)
def test_real_failures(real, parse, name, outcome, words):
    files, cmoms, _ = real(name)
    ours, node = parse(files, cmoms=cmoms)
    assert node.exit_status == outcome
    assert all(word in node.exit_message for word in words), node.exit_message
    assert ours['mlkkr_group']['outcome'] == outcome.label
    assert ours['nspin'] == 2
    assert len(ours['energy_contour_group']['epoints_contour']) == 30


def test_what_aiida_kkr_reads_of_an_unconverged_run(real, parse):
    """kkr_imp_sub_wc reads these of a calculation that it continues."""
    files, cmoms, reference = real('co_in_cu_stagnating')
    group = parse(files, cmoms=cmoms)[0]['convergence_group']
    assert group['calculation_converged'] is False
    assert group['nsteps_exhausted'] is True
    assert group['rms_all_iterations'] == reference['output_parameters']['convergence_group']['rms_all_iterations']


def cut_iterations(files, count):
    """A run as it would be with SCFSTEPS = count: real iterations, the settings and the end of the real run."""
    log = files[LOG].decode()
    starts = [i for i in range(len(log)) if log.startswith('  Iteration Number', i)]
    end = log.rindex('\n', 0, log.index('received stop signal'))
    text = log[: starts[count]].replace('SCFSTEPS =           100', f'SCFSTEPS =           {count}')
    return {
        **files,
        LOG: (text + log[end + 1 :].split('\n', 1)[1]).encode(),
        STDOUT: b' Deleting file kkrflex_greennew\n',
    }


def test_unconverged_but_on_the_way(real, parse):
    files, cmoms, _ = real('mn_pair')
    ours, node = parse(cut_iterations(files, 8), cmoms=cmoms)
    assert node.exit_status == Outcome.NOT_CONVERGED
    assert 'after 8 iterations' in node.exit_message
    assert 'Continue from out_potential' in node.exit_message
    assert ours['convergence_group']['calculation_converged'] is False
    assert ours['convergence_group']['nsteps_exhausted'] is True
    assert ours['parser_errors'] == []


def test_diverging(real, parse):
    files, cmoms, _ = real('mn_pair')
    files = cut_iterations(files, 12)
    log = files[LOG].decode()
    for iteration in range(1, 13):
        at = log.index(f'ITERATION{iteration:4d} average')
        number = log.index('=', at) + 1
        log = log[:number] + f' {1e-2 * 3.0**iteration:.4E}'.replace('E', 'D') + log[log.index('\n', number) :]
    ours, node = parse({**files, LOG: log.encode()}, cmoms=cmoms)
    assert node.exit_status == Outcome.DIVERGING
    assert 'the error grows' in node.exit_message
    assert ours['mlkkr_group']['diverging'] is True


def test_nan_in_the_log(real, parse):
    """As defect 2: aiida-core refuses NaN; here it becomes None, its place is told, and the rest is kept."""
    files, cmoms, _ = real('mn_pair')
    log = files[LOG].decode()
    at = log.index('Iteration Number           13')
    broken = log[at:]
    for number in ('3.2635D-07', '2.3382D-08', '5.8878D-05', '5.7669D-07', '24.874123', '-4635.00054773', '3.017278'):
        broken = broken.replace(number, 'NaN'.rjust(len(number)))
    ours, node = parse({**files, LOG: (log[:at] + broken).encode()}, cmoms=cmoms)
    assert node.exit_status == Outcome.NOT_FINITE
    assert 'iteration 14' in node.exit_message
    assert 'last finite error belongs to iteration 12' in node.exit_message
    group = ours['convergence_group']
    assert group['rms'] is None
    assert group['rms_all_iterations'][-3:] == [pytest.approx(3.5837e-5), None, None]
    assert group['calculation_converged'] is False
    assert ours['total_charge_per_atom'] == [None, None]
    assert ours['energy'] is None
    assert {'convergence_group.rms', 'energy', 'total_charge_per_atom'} <= set(ours['mlkkr_group']['not_finite'])
    assert ours['fermi_energy'] == pytest.approx(0.6627670116)


@pytest.mark.parametrize('word', ['NaN', '-Infinity', '*' * 20])
def test_nan_in_the_potential(real, parse, word):
    files, cmoms, _ = real('mn_pair')
    text = files[POTENTIAL].replace(b'  1.741359478840D+02', word.rjust(20).encode(), 1)
    assert text != files[POTENTIAL]
    ours, node = parse({**files, POTENTIAL: text}, cmoms=cmoms)
    assert node.exit_status == Outcome.NOT_FINITE
    assert 'out_potential' in node.exit_message
    assert ours['energy'] == pytest.approx(-63062.41, abs=0.1)


def test_files_missing(real, judged):
    files, _, _ = real('mn_pair')
    expected = {
        POTENTIAL: Outcome.OUTPUT_INCOMPLETE,
        BANDS: Outcome.OUTPUT_INCOMPLETE,
        SINGLE: Outcome.OUTPUT_INCOMPLETE,
        LOG: Outcome.OUTPUT_INCOMPLETE,
        STDOUT: Outcome.DONE,
        TIMING: Outcome.DONE,
        'config.cfg': Outcome.DONE,
        'kkrflex_atominfo': Outcome.DONE,
    }
    for missing, outcome in expected.items():
        for content in (None, b'') if missing in (LOG, POTENTIAL) else (None,):
            rest = {name: data for name, data in files.items() if name != missing}
            if content is not None:
                rest[missing] = content
            ours, verdict = judged(rest)
            assert verdict.outcome == outcome, (missing, verdict.message)
            assert ours['convergence_group']['rms'] == pytest.approx(3.2635e-7)
            if missing != LOG:
                assert ours['total_energy_Ry'] == pytest.approx(-4635.00054773)
            if outcome:
                assert ours['parser_errors'] == [verdict.message]


def test_potential_cut_between_two_sites(real, judged):
    files, _, _ = real('mn_pair')
    half = len(files[POTENTIAL]) // 2
    assert files[POTENTIAL][half : half + 40].find(b'POTENTIAL') > 0  # the two sites are equally long
    _, verdict = judged({**files, POTENTIAL: files[POTENTIAL][:half]})
    assert verdict.outcome == Outcome.OUTPUT_INCOMPLETE
    assert 'out_potential has 1 sites, but out_log.000.txt has 2; it is truncated' in verdict.message
    assert 'energies per atom' not in verdict.message


def test_nothing_retrieved(parse):
    ours, node = parse({})
    assert node.exit_status == Outcome.OUTPUT_MISSING
    assert ours['mlkkr_group']['iterations_complete'] == 0


def test_no_retrieved_folder(calculation):
    from aiida_mlkkr.parsers.kkrimp import TolerantKkrimpParser

    exit_code = TolerantKkrimpParser(calculation({}, retrieved=False)).parse()
    assert exit_code.status == Outcome.NO_RETRIEVED_FOLDER


def test_empty_output_of_a_code_that_did_not_start(parse):
    stderr = b'_aiidasubmit.sh: line 9: /opt/kkrflex.exe: No such file or directory\n'
    _, node = parse({LOG: b'', STDOUT: b'', STDERR: stderr})
    assert node.exit_status == Outcome.OUTPUT_EMPTY
    assert '/opt/kkrflex.exe' in node.exit_message
    _, node = parse({STDOUT: b'', STDERR: b'Killed \x00\x1b[0m\xff'})
    assert node.exit_status == Outcome.OUTPUT_EMPTY
    assert node.exit_message.isprintable()


def test_a_setting_that_the_embedded_solver_refuses(parse):
    message = 'INS= 1 is not supported by mlkkr-kkrimp: it covers the atomic-sphere approximation (INS= 0) only.'
    for stdout in (b'', b' some banner\n'):
        ours, node = parse({STDOUT: stdout, STDERR: f'mlkkr-kkrimp: error: {message}\n'.encode()})
        assert node.exit_status == Outcome.INPUT_REFUSED
        assert node.exit_message == message
        assert ours['parser_errors'] == [message]


def test_a_core_state_that_the_embedded_solver_does_not_find(parse):
    message = 'The core state 3d of site 1, spin down (l=2, Z=31) is not bound in this potential'
    _, node = parse({STDOUT: b' some banner\n', STDERR: f'mlkkr-kkrimp: error: {message}\n'.encode()})
    assert node.exit_status == Outcome.CORE_STATE_LOST
    assert message in node.exit_message
    # no iteration has led astray, and there is no earlier potential to go back to
    assert 'the start potential does not hold the core states' in node.exit_message
    assert 'MIXFAC' not in node.exit_message


def test_nan_in_the_embedded_solver(parse):
    message = 'iteration 3: the potential is not a number any more; reduce MIXFAC'
    _, node = parse({STDOUT: b' some banner\n', STDERR: f'mlkkr-kkrimp: error: {message}\n'.encode()})
    assert node.exit_status == Outcome.NOT_FINITE
    assert node.exit_message == message


def broken_off(files, part):
    """A run killed in the middle: everything ends after the same part of its text."""
    cut = {name: files[name][: int(part * len(files[name]))] for name in (LOG, STDOUT, TIMING)}
    return {**files, **cut}


@pytest.mark.parametrize('part', [0.1, 0.5, 0.9])
def test_interrupted_and_crashed(real, parse, part):
    files, cmoms, _ = real('mn_pair')
    files = broken_off(files, part)
    ours, node = parse(files, cmoms=cmoms)
    assert node.exit_status == Outcome.INTERRUPTED
    assert 'in iteration' in node.exit_message
    complete = ours['mlkkr_group']['iterations_complete']
    assert ours['convergence_group'].get('number_of_iterations') == complete
    _, node = parse({**files, STDERR: b'forrtl: severe (174): SIGSEGV, segmentation fault occurred\n'}, cmoms=cmoms)
    assert node.exit_status == Outcome.CRASHED
    assert 'forrtl: severe (174)' in node.exit_message


@pytest.mark.parametrize('part', [0.5, 0.6, 0.9])
def test_what_a_killed_run_leaves_is_sane(real, judged, part):
    """The energy of the last iteration is missing; its charges and the potential are not."""
    files, _, _ = real('mn_in_cu')
    ours, _ = judged(broken_off(files, part))
    own = ours['mlkkr_group']
    assert own['problems'] == []
    assert own['sanity_checked']
    assert own['potential_usable']
    files[POTENTIAL] = files[POTENTIAL][: len(files[POTENTIAL]) // 2]
    ours, _ = judged(broken_off(files, part))
    assert not ours['mlkkr_group']['potential_usable']


def test_a_harmless_note_of_gfortran_is_no_crash(real, parse):
    files, cmoms, _ = real('mn_pair')
    note = b'Note: The following floating-point exceptions are signalling: IEEE_INVALID_FLAG IEEE_UNDERFLOW_FLAG\n'
    assert parse({**files, STDERR: note}, cmoms=cmoms)[1].exit_status == Outcome.DONE


@pytest.mark.parametrize('status', [110, 120])
def test_the_code_of_the_scheduler_is_kept(real, calculation, status):
    """The parser then returns nothing, and AiiDA keeps the scheduler's code; what could be read is attached."""
    from aiida_mlkkr.parsers.kkrimp import TolerantKkrimpParser

    files, cmoms, _ = real('mn_pair')
    parser = TolerantKkrimpParser(calculation(broken_off(files, 0.6), cmoms=cmoms, exit_status=status))
    assert parser.parse() is None
    assert parser.outputs.output_parameters.get_dict()['mlkkr_group']['outcome'] == 'ERROR_INTERRUPTED'


def test_a_code_of_another_parser_is_not_kept(real, parse):
    files, cmoms, _ = real('mn_pair')
    assert parse(files, cmoms=cmoms, exit_status=302)[1].exit_status == Outcome.DONE


def test_density_of_states_is_not_judged(real, parse):
    files, cmoms, _ = real('mn_pair')
    ours, node = parse(cut_iterations(files, 1), cmoms=cmoms, npol=0)
    assert node.exit_status == Outcome.DONE
    assert ours['convergence_group']['doscalc'] is True


def test_exchange_tensors_are_not_judged(real, parse):
    files, cmoms, _ = real('mn_pair')
    files = cut_iterations(files, 3)
    files['config.cfg'] = files['config.cfg'].replace(b'CALCJIJMAT= 0', b'CALCJIJMAT= 1')
    files['out_Jijmatrix'] = gzip.decompress((KKR_DATA / 'mn_pair_out_Jijmatrix.gz').read_bytes())
    assert parse(files, cmoms=cmoms)[1].exit_status == Outcome.DONE
    files['out_Jijmatrix'] = files['out_Jijmatrix'][:4000]
    _, node = parse(files, cmoms=cmoms)
    assert node.exit_status == Outcome.OUTPUT_INCOMPLETE
    assert 'out_Jijmatrix holds no complete set of exchange matrices' in node.exit_message


def test_without_the_host(real, parse):
    """A write-out left on the remote: the check works without the charges of the host."""
    files, _, _ = real('ni_in_cu_false_convergence')
    ours, node = parse(files)
    assert node.exit_status == Outcome.FALSE_CONVERGENCE
    assert ours['mlkkr_group']['host_charges_known'] is False
    files, _, _ = real('mn_in_cu')
    for cmoms in (b'', b'rubbish', b'# a host of one site\n 29.0 8.18 0. 0. 0. 0. 0. 0. 0. 0.\n'):
        ours, node = parse(files, cmoms=cmoms)
        assert node.exit_status == Outcome.DONE
        assert ours['mlkkr_group']['host_charges_known'] is False


def test_one_site(real, parse):
    """masci-tools returns the whole table of energies for a cluster of one site."""
    files, _, _ = real('mn_pair')
    text = b'# serial: x\n 1 -10.5\n 1 -11.5\n'
    rows = [
        '# serial: mlkkr-kkrimp_v0.1.0_embedded_20260101000000',
        ' NSPIN    =            2',
        'QBOUND   =              0.100E-03',
        ' NATOM is               1',
        '  Iteration Number            1',
        '    nuclear charge   25.000000         core charge =    18.000000',
        '  Atom    1 charge in wigner seitz sphere =   24.800000',
        '                              spin magnetic moment =     3.000000',
        '      rms-error for atom  1 :v+ + v- =  3.0000D-05  ,  v+ - v- =  2.0000D-05',
        '      ITERATION   1 average rms-error : v+ + v- =  3.0000D-05',
        '                                        v+ - v- =  2.0000D-05',
        '               TOTAL ENERGY in ryd. :    -2317.50000000',
        '',
    ]
    blocks = files[POTENTIAL].split(b'Mn25 POTENTIAL SPIN DOWN')
    outputs = {
        LOG: '\n'.join(rows).encode(),
        POTENTIAL: b'Mn25 POTENTIAL SPIN DOWN' + blocks[1],
        BANDS: text,
        SINGLE: text,
        TIMING: b' Total running time       0.5\n',
    }
    ours, node = parse(outputs)
    assert node.exit_status == Outcome.DONE, node.exit_message
    assert ours['single_particle_energies'] == [-11.5]
    assert ours['code_info_group']['code_version'] == 'v0.1.0'


def test_a_large_log_is_parsed_in_a_second(real, judged):
    files, _, _ = real('mn_in_cu')
    log = files[LOG]
    # the iterations three times over: 6 MB
    start, end = log.index(b'  Iteration Number'), log.rindex(b'received stop signal')
    files = {**files, LOG: log[:start] + 3 * log[start:end] + log[end:]}
    assert len(files[LOG]) > 5.5e6
    begin = time.process_time()
    judged(files)
    assert time.process_time() - begin < 1.0


FILES = (LOG, STDOUT, POTENTIAL, TIMING, BANDS, SINGLE, 'config.cfg', 'kkrflex_atominfo', STDERR)
CHARACTERS = b'*#=:>< \n\tNaND-+.0\x00\xff\xc3'


def damaged(files, seed):
    """Files cut, emptied, repeated, sprinkled with other characters, swapped, turned into binary data or removed."""
    dice = random.Random(seed)
    files = {name: data for name, data in files.items() if name in FILES}
    for name in dice.sample(FILES, dice.choice([1, 2, 4, 8])):
        data = bytearray(files.get(name, b''))
        kind = dice.choice(['cut', 'head', 'sprinkle', 'line', 'binary', 'repeat', 'swap', 'remove'])
        position = dice.randrange(len(data) + 1)
        if kind == 'cut':
            data = data[:position]
        elif kind == 'head':
            data = data[position:]
        elif kind == 'sprinkle':
            for _ in range(min(len(data), dice.choice([1, 30, 3000]))):
                data[dice.randrange(len(data))] = dice.choice(CHARACTERS)
        elif kind == 'line':
            lines = bytes(data).split(b'\n')
            del lines[dice.randrange(len(lines))]
            data = bytearray(b'\n'.join(lines))
        elif kind == 'binary':
            data = bytearray(dice.randbytes(5000))
        elif kind == 'repeat':
            data = data + data[position:]
        elif kind == 'swap':
            data = bytearray(files.get(dice.choice(FILES), b''))
        files[name] = bytes(data)
        if kind == 'remove':
            del files[name]
    return files


@pytest.mark.parametrize('name', ['mn_pair', 'jij_crash_bounds'])
def test_no_damage_makes_it_fail(aiida_profile, real, judged, name):
    """No exception, an outcome, and a dictionary that AiiDA stores."""
    from aiida import orm

    files, _, _ = real(name)
    outcomes = set()
    for seed in range(200):
        results, verdict = judged(damaged(files, seed))
        assert results['mlkkr_group']['outcome'] == verdict.outcome.label
        assert verdict.outcome == Outcome.DONE or verdict.message
        json.dumps(results, allow_nan=False)
        orm.Dict(results)
        outcomes.add(verdict.outcome)
    assert len(outcomes) >= 3


def test_damaged_files_on_nodes(real, parse):
    files, cmoms, _ = real('mn_pair')
    for seed in range(1000, 1005):
        ours, node = parse(damaged(files, seed), cmoms=cmoms)
        assert node.is_finished
        assert node.exit_status in list(Outcome)
        assert node.exit_status != Outcome.PARSER_FAILED
        assert ours is not None


def test_exit_codes_clash_with_nobody():
    from aiida.engine import BaseRestartWorkChain
    from aiida_kkr.calculations.kkrimp import KkrimpCalculation

    taken = {code.status for code in KkrimpCalculation.exit_codes.values()}
    taken |= {code.status for code in BaseRestartWorkChain.exit_codes.values()}
    ours = {int(outcome) for outcome in Outcome if outcome}
    assert not ours & taken
    assert min(ours) >= 200
