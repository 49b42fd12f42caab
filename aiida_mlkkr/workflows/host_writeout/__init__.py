"""The write-out of the Green function of a host, by JuKKR or by ``mlkkr-kkrhost``."""

from aiida_mlkkr.workflows.host_writeout.workchain import HostWriteoutWorkChain

__all__ = ('HostWriteoutWorkChain',)
