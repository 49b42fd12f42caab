"""Retrieved folders as texts, damaged ones too."""

from __future__ import annotations

import gzip
import zlib

import pytest
from past_database import folder_of, packed

from aiida_mlkkr.parsers.retrieved import PACKED, retrieved_texts


@pytest.mark.usefixtures('aiida_profile')
def test_what_comes_before_the_damage_of_an_archive_is_read(archived_output) -> None:
    files = packed(archived_output('mn_in_cu'))
    tar = gzip.decompress(files[PACKED])
    compressor = zlib.compressobj(wbits=31)
    no_block = b'\x07' * 100
    damaged = compressor.compress(tar[: len(tar) // 2]) + compressor.flush(zlib.Z_FULL_FLUSH) + no_block
    texts, whole = (retrieved_texts(folder_of({PACKED: content})) for content in (damaged, files[PACKED]))
    assert 'config.cfg' in texts
    assert len(texts) < len(whole)
    assert all(whole[name] == text for name, text in texts.items())
