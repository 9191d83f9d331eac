"""What `tempmail extract` prints for the mails in tests/unit/data/extract. `python -m tests.extract_golden` writes the
texts anew, which is to be done, and looked at, after a change of the extraction."""

import sys
from pathlib import Path

from tempmail.domain.explain import explain

FOLDER = Path(__file__).parent / "unit" / "data" / "extract"
MAILS = sorted(FOLDER.glob("*.eml"))


def golden(mail: Path) -> str:
    """The text that is kept beside a mail."""
    return mail.with_suffix(".txt").read_text("utf-8")


if __name__ == "__main__":
    for mail in MAILS:
        lines = explain(mail.read_bytes()).lines()
        mail.with_suffix(".txt").write_text("\n".join([*lines, ""]), "utf-8")
        sys.stdout.write(f"{mail.stem}\n")
