"""``config.cfg``, KKRimp's settings, as lines of keys and words."""

from collections.abc import Iterator


def config_lines(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """Yield line number, key (upper case) and the words of its value, as KKRimp reads them.

    ``=`` acts as a blank, ``#`` and ``!`` begin a comment.
    """
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition('#')[0].partition('!')[0].replace('=', ' ').split()
        if words:
            yield number, words[0].upper(), words[1:]
