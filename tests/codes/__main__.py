"""Prints figures and tables of the own labelled mails, or of folders: `python -m tests.codes [FOLDER…]`."""

import sys
from pathlib import Path

from tests.codes.corpus import OWN, PARTS, by_format, by_language, by_layout, figures, table, verdicts

for folder in [Path(name) for name in sys.argv[1:]] or [OWN / part for part in PARTS]:
    results = verdicts(folder)
    found = figures(results)
    print(f"## {folder.name}: {found.mails} mails\n")
    print(f"code: exact {found.code_exact:.1%}, precision {found.code_precision:.1%}, recall {found.code_recall:.1%}")
    print(f"link: exact {found.link_exact:.1%}, precision {found.link_precision:.1%}, recall {found.link_recall:.1%}")
    print(f"found in mails with neither: {found.false_positives}")
    for name, keys in (("language", by_language), ("format", by_format), ("layout", by_layout)):
        print(f"\nby {name}\n\n{table(results, keys)}")
    print()
