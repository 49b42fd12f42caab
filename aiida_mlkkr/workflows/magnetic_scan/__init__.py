"""Scans of the magnetic solutions of a cluster of impurities."""

from aiida_mlkkr.workflows.magnetic_scan.workchain import MagneticScanWorkChain

__all__ = ['MagneticScanWorkChain']
