"""Exchange tensors as nodes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from aiida.common.exceptions import ValidationError
from aiida.orm import ArrayData
from aiida.orm.pydantic import OrmMetadataField

from aiida_mlkkr.data.convention import disagreement, stated
from aiida_mlkkr.exchange.errors import ExchangeError
from aiida_mlkkr.exchange.origins import ARRAYS as ORIGINS
from aiida_mlkkr.exchange.origins import Origins
from aiida_mlkkr.exchange.spirit import write_spirit_pairs
from aiida_mlkkr.exchange.table import ExchangeTable

if TYPE_CHECKING:
    import pandas

FORMAT_VERSION: Final = 1
SOURCES: Final = 'sources'


class ExchangeData(ArrayData):
    """The exchange of the pairs of a cluster: an :class:`~aiida_mlkkr.exchange.table.ExchangeTable` in the database.

    Energies are in meV and lengths in Å, in the convention that the attribute ``hamiltonian`` writes out.
    """

    arrays_of_table: ClassVar[tuple[str, ...]] = ('positions', 'moments', 'pairs', 'tensors', 'spread')

    class AttributesModel(ArrayData.AttributesModel):
        """What the database can be asked for."""

        format_version: int = OrmMetadataField(description='Version of the format')
        package_version: str = OrmMetadataField(description='Version of aiida-mlkkr that made it')
        host: str = OrmMetadataField(description='Name of the host crystal')
        elements: list[str] = OrmMetadataField(description='Symbols of the sites')
        method: str = OrmMetadataField(description='Where the tensors come from')
        convention: str = OrmMetadataField(description='Name of the convention')
        hamiltonian: str = OrmMetadataField(description='The Hamiltonian of the convention, in meV')

    @classmethod
    def from_table(cls, table: ExchangeTable, **kwargs: Any) -> ExchangeData:
        """A node, not yet stored."""
        arrays = {name: getattr(table, name) for name in cls.arrays_of_table}
        if table.biquadratic is not None:
            arrays['biquadratic'] = table.biquadratic
        if table.origins is not None:
            arrays |= {name: getattr(table.origins, name) for name in ORIGINS}
        node = cls(arrays, **kwargs)
        node.base.attributes.set_many(
            {
                **stated(FORMAT_VERSION),
                'host': table.host,
                'elements': list(table.elements),
                'method': table.method,
            }
        )
        if table.origins is not None:
            node.base.attributes.set(SOURCES, list(table.origins.sources))
        return node

    @property
    def table(self) -> ExchangeTable:
        """The table.

        :raises ExchangeError: the node is damaged, or of another version or convention.
        """
        attributes, names = self.base.attributes.all, self.get_arraynames()
        if message := disagreement(attributes, FORMAT_VERSION):
            raise ExchangeError(message)
        needed = self.arrays_of_table + (ORIGINS if SOURCES in attributes else ())
        missing = [name for name in needed if name not in names]
        if missing:
            raise ExchangeError(f'the node has no array {", ".join(missing)}')
        return ExchangeTable(
            host=attributes['host'],
            elements=tuple(attributes['elements']),
            method=attributes['method'],
            biquadratic=self.get_array('biquadratic') if 'biquadratic' in names else None,
            origins=self._origins() if SOURCES in attributes else None,
            **{name: self.get_array(name) for name in self.arrays_of_table},
        )

    def _origins(self) -> Origins:
        return Origins(tuple(self.base.attributes.get(SOURCES)), **{name: self.get_array(name) for name in ORIGINS})

    def to_dataframe(self) -> pandas.DataFrame:
        """One row for each pair."""
        return self.table.to_dataframe()

    def to_csv(self, path: Path | str) -> None:
        """Write one row for each pair, after a comment that states the convention."""
        self.table.write_csv(Path(path))

    def to_spirit(self, path: Path | str, neglected: float = 0.0) -> None:
        """Write an ``interaction_pairs_file`` of Spirit, the cluster as one cell.

        :param neglected: largest element of S, and largest B, that may be left out [meV].
        :raises ExchangeError: S or B is larger.
        """
        write_spirit_pairs(self.table, Path(path), neglected)

    def _validate(self) -> bool:
        super()._validate()
        try:
            _ = self.table
        except (ExchangeError, KeyError) as error:
            raise ValidationError(f'not a table of exchange tensors: {error}') from error
        return True
