"""config.cfg: every key and flag that JuKKR knows is implemented, known to be without effect, or refused by name."""

from pathlib import Path

import pytest
from masci_tools.io.kkr_params import kkrparams

from aiida_mlkkr.kkr.errors import KkrFileError
from aiida_mlkkr.solver.config import (
    REFUSED_IF_SET,
    RUN_FLAGS,
    TEST_FLAGS,
    WITHOUT_EFFECT,
    KkrimpConfig,
    check_settings,
    read_config,
)
from aiida_mlkkr.solver.errors import UnsupportedSettingError

IMPLEMENTED = {
    'CALCJIJMAT': ('exchange', '1', True),
    'FCM': ('fcm', '1.5', 1.5),
    'HFIELD': ('hfield', '0.02 10', 0.02),
    'IMIX': ('imix', '5', 5),
    'ITDBRY': ('itdbry', '20', 20),
    'KVREL': ('relativistic', '0', False),
    'MIXFAC': ('mixfac', '0.03', 0.03),
    'NSIMPLEMIXFIRST': ('nsimplemixfirst', '3', 3),
    'NSPIN': ('nspin', '1', 1),
    'QBOUND': ('qbound', '1.0d-6', 1e-6),
    'SCFSTEPS': ('scfsteps', '100', 100),
    'TOL_ALAT_CHECK': ('alat_tolerance', '1e-5', 1e-5),
    'XC': ('xc', 'LDA-vBH', 'LDA-vBH'),
}
# the keys and flags that JuKKR's KKRimp reads (v3.6)
JUKKR_KEYS = [
    'NSPIN', 'INS', 'KVREL', 'XC', 'ICST', 'HFIELD', 'HFIELD2', 'SCFSTEPS', 'IMIX', 'MIXFAC', 'FCM', 'ITDBRY',
    'NSIMPLEMIXFIRST', 'QBOUND', 'QBOUND_LDAU', 'IMIXSPIN', 'SPINMIXFAC', 'SPINMIXBOUND', 'SPINORBIT', 'NCOLL',
    'CALCORBITALMOMENT', 'CALCFORCE', 'CALCJIJMAT', 'LATTICE_RELAX', 'NPAN_LOG', 'NPAN_EQ', 'NCHEB',
    'NPAN_LOGPANELFAC', 'RADIUS_LOGPANELS', 'RADIUS_MIN', 'WAVEFUNC_RECALC_THRESHHOLD', 'POT_NS_CUTOFF', 'RUNFLAG',
    'TESTFLAG',
]  # fmt: skip
JUKKR_RUN_FLAGS = [
    'ldos', 'lmdos', 'rmsdisplayall', 'LLYsimple', 'GBULKtomemory', 'oldJMcode', 'SIMULASA', 'force_fullgmat',
    'force_angles', 'LDA+U', 'stepmixldau', 'freezeldau',
]  # fmt: skip
JUKKR_TEST_FLAGS = [
    'tmatnew', 'read_doubleprecision', 'hostintercell', 'vinters=0', 'nopredyson', 'nodyson', 'spinsplit', 'VPOT=0',
    'Z=0', 'VPOT=Vsph', 'Gref=0', 'step_potential', 'change_nrmin', 'noscatteringmoment', 'calc_onsite_only',
    'nosmallcomp', 'nosph', 'use_rllsll', 'conjgtest', 'kappamutest', 'sw', 'calctmatfirstIter', 'nocut_sphpart',
    'eloopstop', 'stopcalctmat', 'calctmatstop', 'nodisplayeloop', 'write_all_ranks', 'tmat_mpicomm', 'write_tmat',
    'write_density', 'write_totden', 'write_gmatonsite', 'write_gdyson', 'gtest', 'gmat_plain', 'writeout_intercell',
    'writercore', 'write_rmesh', 'readpot_write', 'write_vpotin', 'write_vpotout', 'write_vintrascmom',
    'write_vintraspot', 'writeout_shapefun', 'writefilegaunt', 'tmatdebug', 'vlldebug', 'rhotest', 'checknan',
    'checkinterpol', 'write_umat', 'wronskian', 'writesourceterms', 'write_tmat_all', 'write_rho2complex',
    'write_rho2nscompnew', 'rlltodisc', 'rmeshdensity', 'lsqinterpol', 'Jij(E)',
]  # fmt: skip


@pytest.fixture
def parse(tmp_path: Path):
    def parse_text(text: str) -> KkrimpConfig:
        path = tmp_path / 'config.cfg'
        path.write_text(text)
        return read_config(path)

    return parse_text


def test_defaults_are_jukkrs(parse) -> None:
    config = parse('INS= 0\n')
    assert config == KkrimpConfig(
        nspin=2,
        relativistic=True,
        xc='LDA',
        hfield=0.0,
        hfield_iterations=0,
        scfsteps=1,
        imix=2,
        mixfac=0.1,
        fcm=2.0,
        itdbry=40,
        nsimplemixfirst=0,
        qbound=1e-8,
        exchange=False,
        alat_tolerance=1e-11,
        run_flags=frozenset(),
        test_flags=frozenset(),
    )


def test_config_of_aiida_kkr(pair_source: Path) -> None:
    config = read_config(pair_source / 'calc1' / 'config.cfg')
    assert (config.nspin, config.scfsteps, config.imix, config.itdbry, config.nsimplemixfirst) == (2, 100, 5, 20, 0)
    assert (config.mixfac, config.fcm, config.qbound) == (0.03, 2.0, 1e-6)
    assert (config.hfield, config.run_flags, config.test_flags) == (0.0, frozenset(), frozenset())


@pytest.mark.parametrize('key', IMPLEMENTED)
def test_implemented_keys(parse, key: str) -> None:
    field, text, value = IMPLEMENTED[key]
    assert getattr(parse(f'INS= 0\n{key}= {text}\n'), field) == value
    # upper and lower case, no blank at all, a blank in front, comments behind
    for line in (f'{key.lower()}={text}', f'  {key} = {text}   # as usual', f'{key}={text}!', f'{key} {text} and more'):
        assert getattr(parse(f'INS= 0\n{line}\n'), field) == value


def test_both_numbers_of_the_field(parse) -> None:
    config = parse('INS=0\nHFIELD=        0.020000000000 10\n')
    assert (config.hfield, config.hfield_iterations) == (0.02, 10)


def test_comments_blank_lines_and_repeated_keys(parse) -> None:
    config = parse(
        '# a comment\n! another\n\n   \nINS= 0\nMIXFAC= 0.5\n#MIXFAC= 0.7\nRUNFLAG= ldos\nMIXFAC= 0.2\nRUNFLAG= lmdos\n'
    )
    assert config.mixfac == 0.2
    # a second line replaces the first, as in JuKKR
    assert config.run_flags == {'lmdos'}


@pytest.mark.parametrize('key', WITHOUT_EFFECT)
def test_keys_without_effect_change_nothing(parse, key: str) -> None:
    assert parse(f'INS= 0\n{key}= 7\n') == parse('INS= 0\n')


@pytest.mark.parametrize('key', REFUSED_IF_SET)
def test_refused_keys(parse, key: str) -> None:
    for off in ('0', 'F', '.FALSE.', 'false'):
        assert parse(f'INS= 0\n{key}= {off}\n') == parse('INS= 0\n')
    for on in ('1', 'T', '.true.'):
        with pytest.raises(UnsupportedSettingError, match=rf'^{key}= {on} is not supported by mlkkr-kkrimp.*JuKKR'):
            parse(f'INS= 0\n{key}= {on}\n')


@pytest.mark.parametrize(
    ('line', 'named'),
    [
        ('INS= 1', 'INS= 1'),
        ('KVREL= 2', 'KVREL= 2'),
        ('KVREL= 3', 'KVREL= 3'),
        ('XC= GGA', 'XC= GGA'),
        ('XC= lda', 'XC= lda'),
        ('XC= File', 'XC= File'),
        ('IMIX= 6', 'IMIX= 6'),
        ('HFIELD2= 0.02 -0.02 10', 'HFIELD2'),
        ('NSPIN= 1\nHFIELD= 0.02 10', 'HFIELD with NSPIN= 1'),
        ('NSPIN= 1\nCALCJIJMAT= 1', 'CALCJIJMAT= 1 with NSPIN= 1'),
        ('MIXFACTOR= 0.1', 'MIXFACTOR'),
        ('this is no setting', 'THIS'),
    ],
)
def test_refused_values_and_unknown_keys(parse, line: str, named: str) -> None:
    with pytest.raises(UnsupportedSettingError) as refused:
        parse(f'INS= 0\n{line}\n')
    assert named in str(refused.value)
    assert 'JuKKR' in str(refused.value)


def test_empty_file(parse) -> None:
    with pytest.raises(KkrFileError, match=r'config\.cfg is empty'):
        parse(' \n')


def test_absent_ins_means_full_potential(parse) -> None:
    with pytest.raises(UnsupportedSettingError, match=r'INS absent.*atomic-sphere.*JuKKR'):
        parse('NSPIN= 2\n')


@pytest.mark.parametrize(
    ('line', 'reason'),
    [
        ('NSPIN= 3', 'NSPIN'),
        ('NSPIN= two', 'NSPIN: two is not an integer'),
        ('NSPIN=', 'NSPIN: it has no value'),
        ('INS=', 'INS: it has no value'),
        ('SCFSTEPS= 0', 'SCFSTEPS: must be at least 1'),
        ('MIXFAC= -0.1', 'MIXFAC: must not be negative'),
        ('MIXFAC= nan', 'MIXFAC: must be a finite number'),
        ('FCM= inf', 'FCM: must be a finite number'),
        ('ITDBRY= 0', 'ITDBRY: must be at least 1'),
        ('NSIMPLEMIXFIRST= -1', 'NSIMPLEMIXFIRST: must be at least 0'),
        ('QBOUND= small', 'QBOUND: small is not a number'),
        ('QBOUND= nan', 'QBOUND: must be a finite number'),
        ('HFIELD= 0.02', 'HFIELD: it has no value'),
        ('HFIELD= nan 10', 'HFIELD: must be a finite number'),
        ('KVREL= T', 'KVREL: T is not an integer'),
        ('IMIX= 5.0', 'IMIX: 5.0 is not an integer'),
    ],
)
def test_bad_values_are_named_with_their_line(parse, line: str, reason: str) -> None:
    with pytest.raises(KkrFileError) as error:
        parse(f'INS= 0\n{line}\n')
    assert str(error.value).startswith('config.cfg, line 2: value of ')
    assert reason in str(error.value)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(KkrFileError, match=r'^config\.cfg is missing'):
        read_config(tmp_path / 'config.cfg')


@pytest.mark.parametrize('flag', RUN_FLAGS)
def test_run_flags(parse, flag: str) -> None:
    assert parse(f'INS= 0\nRUNFLAG= {flag.upper()}\n').run_flags == {flag}


@pytest.mark.parametrize('flag', TEST_FLAGS)
def test_test_flags(parse, flag: str) -> None:
    assert parse(f'INS= 0\nTESTFLAG= {flag.capitalize()}\n').test_flags == {flag}


def test_several_flags_and_none(parse) -> None:
    config = parse('INS= 0\nRUNFLAG= ldos LLYsimple\nTESTFLAG=\n')
    assert (config.run_flags, config.test_flags) == ({'ldos', 'llysimple'}, frozenset())


@pytest.mark.parametrize('key', sorted({*JUKKR_KEYS, *kkrparams(params_type='kkrimp').get_dict()}))
def test_every_key_of_jukkr_and_aiida_kkr_is_known(parse, key: str) -> None:
    if key in ('INS', 'HFIELD2', 'RUNFLAG', 'TESTFLAG'):
        values = {'INS': '0', 'HFIELD2': '0.0 0.0 0', 'RUNFLAG': '', 'TESTFLAG': ''}
        assert parse(f'INS= 0\n{key}= {values[key]}\n') == parse('INS= 0\n')
    else:
        assert sum([key in IMPLEMENTED, key in WITHOUT_EFFECT, key in REFUSED_IF_SET]) == 1


@pytest.mark.parametrize(
    ('kind', 'flag'),
    [('RUNFLAG', flag) for flag in JUKKR_RUN_FLAGS] + [('TESTFLAG', flag) for flag in JUKKR_TEST_FLAGS],
)
def test_every_flag_of_jukkr_is_supported_or_refused(parse, kind: str, flag: str) -> None:
    supported = RUN_FLAGS if kind == 'RUNFLAG' else TEST_FLAGS
    text = f'INS= 0\n{kind}= {flag}\n'
    if flag.lower() in supported:
        parse(text)
        return
    with pytest.raises(UnsupportedSettingError) as refused:
        parse(text)
    # JuKKR takes '=' for a blank: VPOT=0 are two words
    assert str(refused.value).startswith(f'{kind} {flag.split("=")[0]} is not supported')
    assert 'JuKKR' in str(refused.value)


def test_no_mixing_at_all(parse) -> None:
    # one shot: KKRimp's MIXFAC= 0 with simple mixing leaves the potential as it is
    assert parse('INS= 0\nIMIX= 0\nMIXFAC= 0\n').mixfac == 0
    with pytest.raises(KkrFileError, match='IMIX= 5 needs a MIXFAC above 0'):
        parse('INS= 0\nIMIX= 5\nMIXFAC= 0\n')


def test_history_is_limited_where_there_is_one(parse) -> None:
    assert parse('INS= 0\nIMIX= 0\nITDBRY= 41\n').itdbry == 41
    with pytest.raises(UnsupportedSettingError, match='ITDBRY= 41'):
        parse('INS= 0\nIMIX= 5\nITDBRY= 41\n')


def test_settings_before_there_is_a_file():
    check_settings({'INS': 0, 'HFIELD': [0.02, 10], 'TESTFLAG': ['accumulate_hfield'], 'RUNFLAG': [], 'XC': 'LDA'})
    with pytest.raises(UnsupportedSettingError, match='NCOLL= 1'):
        check_settings({'NCOLL': 1})
    with pytest.raises(UnsupportedSettingError, match='RUNFLAG LDA'):
        check_settings({'RUNFLAG': ['ldos', 'LDA+U']})
    with pytest.raises(KkrFileError, match='settings: value of HFIELD: it has no value'):
        check_settings({'HFIELD': [0.02]})
