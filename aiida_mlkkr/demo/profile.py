"""The AiiDA profile of the demo and its daemon; the user's default profile is never touched."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiida_mlkkr.demo.errors import DemoError

if TYPE_CHECKING:
    from aiida.engine.daemon.client import DaemonClient
    from aiida.manage.configuration.config import Config

OWN_PROFILE = 'mlkkr-demo'
_DAEMON_SECONDS = 60


@dataclass(frozen=True)
class DemoProfile:
    """The loaded profile; `own` is the demo's own one, `created` says that this run made it."""

    name: str
    own: bool
    created: bool


def load_demo_profile(name: str | None) -> DemoProfile:
    """Load the named profile, or the demo's own one, which is made where it does not exist.

    The own profile keeps its data in SQLite and its messages in the ZeroMQ broker that AiiDA's daemon starts, so that
    no service needs to be installed.

    :raises DemoError: the profile does not exist, its storage cannot be used or written, or it has no broker.
    """
    from aiida.common.exceptions import AiidaException
    from aiida.manage import get_manager
    from aiida.manage.configuration import get_config, load_profile

    own, chosen = name is None, name or OWN_PROFILE
    try:
        config = get_config(create=True)
    except AiidaException as error:
        raise DemoError(f'the AiiDA configuration cannot be read: {error}') from error
    created = own and chosen not in config.profile_names
    if created:
        _create_own_profile(config)
    if chosen not in config.profile_names:
        known = ', '.join(config.profile_names) or 'none'
        raise DemoError(f'there is no AiiDA profile {chosen!r} (there is: {known}). Without --profile I make my own.')

    advice = (
        f'Delete it with `verdi profile delete {chosen}` and start the demo again.'
        if own
        else 'Choose another one, or leave --profile out: then I make my own.'
    )
    try:
        profile = load_profile(chosen, allow_switch=True)
        storage = get_manager().get_profile_storage()
    except Exception as error:  # storage backends let errors of their database libraries through
        raise DemoError(f'the storage of profile {chosen!r} cannot be used: {error}\n{advice}') from error
    if storage.read_only:
        raise DemoError(f'the storage of profile {chosen!r} ({profile.storage_backend}) is read-only. {advice}')
    if profile.process_control_backend is None:
        raise DemoError(
            f'profile {chosen!r} has no broker, so AiiDA cannot run calculations in the background. Give it one with '
            f'`verdi profile configure-broker core.zeromq -p {chosen}`. {advice}'
        )
    return DemoProfile(chosen, own, created)


def _create_own_profile(config: Config) -> None:
    from aiida.common.exceptions import AiidaException
    from aiida.manage.configuration import create_profile
    from aiida.plugins import BrokerFactory

    try:
        create_profile(
            config,
            name=OWN_PROFILE,
            email=config.get_option('autofill.user.email') or 'aiida@localhost',
            storage_backend='core.sqlite_dos',
            storage_config={},
            broker_backend='core.zeromq',
            broker_config=BrokerFactory('core.zeromq').get_default_config(),
        )
    except (AiidaException, ValueError, TypeError) as error:
        raise DemoError(f'the profile {OWN_PROFILE!r} could not be made: {error}') from error
    config.set_option('runner.poll.interval', 1, scope=OWN_PROFILE)
    config.store()


@contextmanager
def only_demo() -> Iterator[None]:
    """Keep other demos of this user out: each would stop the daemon that the other one waits for.

    :raises DemoError: another demo is running.
    """
    from aiida.manage.configuration.settings import AiiDAConfigDir

    folder = AiiDAConfigDir.get()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / 'mlkkr-demo.lock').open('w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DemoError('another demo is running; wait for its end.') from error
        yield


@contextmanager
def running_daemon(profile: DemoProfile) -> Iterator[DaemonClient]:
    """The profile's daemon, started where it does not run; what was started here is stopped afterwards.

    The daemon of the demo's own profile is stopped in any case: an earlier demo that was killed may have left it.

    :raises DemoError: the daemon does not start.
    """
    from aiida.common.exceptions import ConfigurationError
    from aiida.engine.daemon.client import DaemonException, DaemonNotRunningException, get_daemon_client

    client = get_daemon_client(profile.name)
    started = not client.is_daemon_running
    if started:
        try:
            client.start_daemon(number_workers=1, timeout=_DAEMON_SECONDS)
        except (DaemonException, ConfigurationError) as error:
            raise DemoError(f'the daemon of profile {profile.name!r} does not start: {error}') from error
    try:
        yield client
    finally:
        if (started or profile.own) and client.is_daemon_running:
            with suppress(DaemonNotRunningException):  # it may be ending already
                client.stop_daemon(wait=True, timeout=_DAEMON_SECONDS)
