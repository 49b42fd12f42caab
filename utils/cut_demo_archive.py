"""Cut the archive that `aiida-mlkkr demo` ships out of a larger one.

Source: an archive of aiida-kkr impurity workchains (`kkr_imp_wc`), here `cu_fcc_asa.aiida`, computed for this project
with JuKKR (revision 2a47b06b) and aiida-kkr 2.3.1: fcc Cu in the atomic-sphere approximation, 13-site clusters.
Each chosen workchain comes with its whole provenance: the host's self-consistency, the write-out of its Green function
(whose retrieved folder holds the kkrflex files), start potential, settings, results, converged potential, logs.

    python utils/cut_demo_archive.py PATH/TO/cu_fcc_asa.aiida aiida_mlkkr/demo/cu_impurities.aiida
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

DEMO_ELEMENTS = ('Na', 'Mg', 'Al', 'P', 'Sc', 'Ti', 'V', 'Cr', 'Mn', 'Fe', 'Ni', 'Cu', 'Zn', 'Ge', 'As')
"""Two rows of the periodic table, enough to train an emulator. Without Se: its s level lies below the contour, a false
solution."""

LIMIT_MB = 8.0


def cut(source: Path, target: Path, elements: tuple[str, ...]) -> None:
    """Write to `target` the workchains of `source` for `elements` with all that they were made from."""
    from aiida import load_profile, orm
    from aiida.storage.sqlite_temp import SqliteTempBackend
    from aiida.tools.archive import create_archive, import_archive

    from aiida_mlkkr.demo.archive import archived_workchains

    load_profile(SqliteTempBackend.create_profile('cut-demo-archive'), allow_switch=True)
    import_archive(source)
    chosen = [orm.load_node(entry.uuid) for entry in archived_workchains(source) if entry.symbol in elements]
    missing = set(elements) - {entry.symbol for entry in archived_workchains(source)}
    if missing:
        raise SystemExit(f'{source} holds no finished impurity workchain for: {", ".join(sorted(missing))}')
    create_archive(chosen, filename=target, overwrite=True, compression=9)

    size = target.stat().st_size / 1e6
    print(f'{target}: {len(chosen)} impurities, {size:.2f} MB')
    if size > LIMIT_MB:
        raise SystemExit(f'larger than the {LIMIT_MB:g} MB that the wheel may carry: choose fewer elements')


def main() -> None:
    """Read the command line and cut."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('source', type=Path, help='archive with finished kkr_imp_wc workchains')
    parser.add_argument('target', type=Path, help='archive to write')
    parser.add_argument('--elements', nargs='+', default=DEMO_ELEMENTS, help='symbols of the impurities to keep')
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as config_folder:
        os.environ['AIIDA_PATH'] = config_folder
        cut(arguments.source, arguments.target, tuple(arguments.elements))


if __name__ == '__main__':
    main()
