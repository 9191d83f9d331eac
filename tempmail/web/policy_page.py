"""docs/policy.md: the policy table with the routes that rest on it. `python -m tempmail.web.policy_page` writes it."""

import sys
from pathlib import Path

from tempmail.domain.policy import as_markdown
from tempmail.web.endpoints import ALL


def page() -> str:
    """The document's whole text."""
    routes: dict[str, tuple[str, ...]] = {}
    for endpoint in ALL:
        routes[endpoint.action] = (*routes.get(endpoint.action, ()), *endpoint.routes)
    return as_markdown(routes)


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else "docs/policy.md").write_text(page(), "utf-8")
