"""`python -m tempmail`."""

from tempmail.cli import main

raise SystemExit(main())
