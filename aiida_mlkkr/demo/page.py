"""The report as one HTML page that needs no other file."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from aiida_mlkkr.demo.tables import TextTable

Commands = list[tuple[str, str]]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 1180px; margin: 2.5rem auto; padding: 0 1.5rem }
h1 { font-size: 1.7rem; margin-bottom: .2rem } h2 { font-size: 1.2rem; margin-top: 2.4rem }
p.lead, p.note { color: #52606d; margin-top: 0 } p.note { font-size: .9rem } p.verdict { white-space: pre-line }
.scroll { overflow-x: auto; margin: 1.5rem 0 }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; white-space: nowrap }
caption { text-align: left; font-weight: 600; padding-bottom: .4rem }
th, td { text-align: right; padding: .18rem .9rem } th { font-weight: 600; color: #52606d; white-space: pre-line }
tbody { border-top: 1px solid #cbd2d9 } th:first-child, td:first-child { text-align: left }
td:first-child { font-weight: 700 }
tbody.medians td { font-weight: 700 }
figure { margin: 1.2rem 0 2.2rem } img { max-width: 100% } figcaption { color: #52606d; font-size: .9rem }
pre { background: #f5f7fa; padding: 1rem; overflow-x: auto; font-size: .85rem }
"""


def html_page(
    title: str,
    lead: str,
    texts: tuple[str, str],
    tables: Sequence[TextTable],
    figures: Mapping[Path, str],
    commands: Commands,
    more: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The page.

    :param texts: what came out, and what the columns mean.
    :param figures: files of pictures, and their captions.
    :param commands: to look further, each with what it shows.
    :param more: other pages beside this one, and what is on them.
    """
    verdict, explanation = map(html.escape, texts)
    width = max(len(command) for command, _ in commands)
    shell = '\n'.join(f'{command:<{width}} # {meaning}' for command, meaning in commands)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>
<body>
<h1>{html.escape(title)}</h1>
<p class="lead">{html.escape(lead)}</p>
{''.join(_link(page, words) for page, words in more.items())}<p class="verdict">{verdict}</p>
{''.join(_table(table) for table in tables if table.rows)}<p class="note">{explanation}</p>
<h2>Figures</h2>
{''.join(_figure(path, caption) for path, caption in figures.items())}<h2>Look further</h2>
<pre>{html.escape(shell)}</pre>
</body></html>
"""


def _link(page: str, words: str) -> str:
    return f'<p class="lead"><a href="{html.escape(page)}">{html.escape(words)}</a></p>\n'


def _table(table: TextTable) -> str:
    headings = ''.join(f'<th>{html.escape(heading)}</th>' for heading in table.headings)
    medians = f'<tbody class="medians">\n{_rows(table.medians)}\n</tbody>\n' if table.medians else ''
    return (
        f'<div class="scroll"><table><caption>{html.escape(table.title)}</caption>\n'
        f'<thead><tr>{headings}</tr></thead>\n<tbody>\n{_rows(table.rows)}\n</tbody>\n{medians}</table></div>\n'
    )


def _rows(rows: Sequence[Sequence[str]]) -> str:
    return '\n'.join('<tr>' + ''.join(f'<td>{html.escape(cell)}</td>' for cell in row) + '</tr>' for row in rows)


def _figure(path: Path, caption: str) -> str:
    content = base64.b64encode(path.read_bytes()).decode('ascii')
    text = html.escape(caption)
    return f'<figure><img alt="{text}" src="data:image/png;base64,{content}"><figcaption>{text}</figcaption></figure>\n'
