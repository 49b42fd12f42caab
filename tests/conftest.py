"""Fixtures of all tests: temporary AiiDA profiles (SQLite, with ``--psql`` PostgreSQL), the embedded solver as a code.

Nothing of AiiDA starts unless a test asks for it: aiida-core's own fixtures make a profile for every session, so its
factories are taken one by one here.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
import tarfile
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from this_machine import CONNECTION, SCHEDULER_POLL_SECONDS

# aiida looks at both when it is imported: it makes its configuration folder (not in the user's home), and it
# remembers where verdi is (this environment's, activated or not).
_AIIDA_PATH = tempfile.TemporaryDirectory(prefix='aiida-mlkkr-tests-')
os.environ['AIIDA_PATH'] = _AIIDA_PATH.name
os.environ['PATH'] = os.pathsep.join([sysconfig.get_path('scripts'), os.environ['PATH']])

from aiida.tools.pytest_fixtures import (  # noqa: E402
    aiida_code,
    aiida_code_installed,
    aiida_computer,
    aiida_config_factory,
    aiida_profile_clean,
    aiida_profile_factory,
)

if TYPE_CHECKING:
    from aiida.engine import ProcessBuilder
    from aiida.manage.configuration import Config, Profile
    from aiida.orm import Computer, InstalledCode, ProcessNode

# aiida-core allows 2 s, too little on a busy machine.
DAEMON_SECONDS = 60

# In a profile for tests aiida-core looks at the children of a workchain without a pause, which keeps a core busy.
RUNNER_POLL_SECONDS = 0.05


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        '--psql',
        action='store_true',
        help='keep the AiiDA profiles of the tests in a temporary PostgreSQL cluster (not as root) instead of SQLite',
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if 'aiida_config' in getattr(item, 'fixturenames', ()):
            item.add_marker(pytest.mark.aiida)


@pytest.fixture(scope='session')
def aiida_config(
    tmp_path_factory: pytest.TempPathFactory, aiida_config_factory: Callable[..., Any]
) -> Iterator[Config]:
    """A temporary AiiDA configuration."""
    with aiida_config_factory(tmp_path_factory.mktemp('aiida')) as config:
        yield config


@pytest.fixture(scope='session')
def aiida_storage(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], dict[str, Any]]]:
    """A factory of the storage of one more profile, as arguments of ``aiida_profile_factory``."""
    if not request.config.getoption('--psql'):
        yield lambda: {'storage_backend': 'core.sqlite_dos'}
        return

    import psycopg
    from pgtest.pgtest import PGTest

    def new_database() -> dict[str, Any]:
        name = f'aiida_{uuid.uuid4().hex}'
        # aiida-core's own fixture asks for the locale en_US.UTF-8, which a fresh machine does not have.
        with psycopg.connect(cluster.url, autocommit=True) as connection:
            connection.execute(
                f"CREATE DATABASE {name} ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0".encode()
            )
        return {
            'storage_backend': 'core.psql_dos',
            'storage_config': {
                'database_engine': 'postgresql_psycopg',
                'database_hostname': 'localhost',
                'database_port': cluster.port,
                'database_username': cluster.username,
                'database_password': '',
                'database_name': name,
                'repository_uri': tmp_path_factory.mktemp('repository').as_uri(),
            },
        }

    with PGTest() as cluster:
        yield new_database


@pytest.fixture(scope='session')
def aiida_profile_of_session(
    aiida_config: Config, aiida_profile_factory: Callable[..., Any], aiida_storage: Callable[[], dict[str, Any]]
) -> Iterator[Profile]:
    """A temporary profile without a broker: enough for ``run_get_node``."""
    from aiida.manage import get_manager

    manager = get_manager()
    create_runner = partial(manager.create_runner, poll_interval=RUNNER_POLL_SECONDS)
    with aiida_profile_factory(aiida_config, **aiida_storage()) as profile, pytest.MonkeyPatch.context() as patch:
        patch.setattr(manager, 'create_runner', create_runner)
        yield profile


@pytest.fixture(scope='module')
def aiida_profile(aiida_profile_of_session: Profile) -> Profile:
    """The profile, empty when the tests of a file begin.

    What is found in a database (codes, write-outs, pairs, impurities) must not depend on the files that ran before.
    """
    aiida_profile_of_session.reset_storage()
    return aiida_profile_of_session


@pytest.fixture
def aiida_localhost(aiida_profile: Profile, aiida_computer: Callable[..., Computer]) -> Computer:
    """This machine as a computer: no scheduler.

    Not by the label ``localhost``: the archives bring a computer of that name, with a work folder of another machine.
    """
    return aiida_computer(
        label='mlkkr-tests', minimum_job_poll_interval=SCHEDULER_POLL_SECONDS, configuration_kwargs=CONNECTION
    )


@pytest.fixture
def program(
    aiida_localhost: Computer, aiida_code_installed: Callable[..., InstalledCode]
) -> Callable[[str, str], InstalledCode]:
    """A function: a program of this very environment as a code for a plugin, the same one each time."""

    def installed(name: str, plugin: str) -> InstalledCode:
        executable = shutil.which(name)
        assert executable, "the package is not installed here: python -m pip install '.[tests]'"
        return aiida_code_installed(
            label=name,
            default_calc_job_plugin=plugin,
            computer=aiida_localhost,
            filepath_executable=executable,
            with_mpi=False,
        )

    return installed


@pytest.fixture
def kkrimp_code(program: Callable[[str, str], InstalledCode]) -> InstalledCode:
    """The embedded solver."""
    return program('mlkkr-kkrimp', 'kkr.kkrimp')


@pytest.fixture
def train_code(program: Callable[[str, str], InstalledCode]) -> InstalledCode:
    """The training program."""
    return program('aiida-mlkkr-train', 'mlkkr.train')


@pytest.fixture(scope='session')
def archived_output() -> Callable[[str], dict[str, bytes]]:
    """A function: the files of a real run by JuKKR (see ``data/collect_archived_runs.py``)."""

    def read(name: str) -> dict[str, bytes]:
        with tarfile.open(Path(__file__).parent / 'data' / 'kkrimp_outputs' / f'{name}.tar.xz') as tar:
            return {member.name: tar.extractfile(member).read() for member in tar}

    return read


@pytest.fixture
def submit_to_daemon(
    aiida_config: Config, aiida_profile_factory: Callable[..., Any], aiida_storage: Callable[[], dict[str, Any]]
) -> Iterator[Callable[..., ProcessNode]]:
    """Load a profile with the ZeroMQ broker and a running daemon; return a function that submits a builder and waits.

    The profile is of this test alone: ask for this fixture before those that store nodes, such as ``kkrimp_code``.
    """
    from aiida.engine import submit
    from aiida.engine.daemon import get_daemon_client

    def submit_and_wait(builder: ProcessBuilder, timeout: float = 120.0) -> ProcessNode:
        node = submit(builder)
        end = time.monotonic() + timeout
        while not node.is_terminated:
            if time.monotonic() > end:
                log = Path(client.daemon_log_file).read_text(encoding='utf-8')
                pytest.fail(f'{node} is still {node.process_state} after {timeout} s; the log of the daemon:\n{log}')
            time.sleep(0.2)
        return node

    with aiida_profile_factory(aiida_config, broker_backend='core.zeromq', **aiida_storage()) as profile:
        # otherwise the daemon looks at the children of a workchain without a pause
        profile.is_test_profile = False
        profile.set_option('runner.poll.interval', 1)
        aiida_config.update_profile(profile)
        aiida_config.store()
        client = get_daemon_client(profile.name)
        client.start_daemon(timeout=DAEMON_SECONDS)
        try:
            yield submit_and_wait
        finally:
            client.stop_daemon(wait=True, timeout=DAEMON_SECONDS)
