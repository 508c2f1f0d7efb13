"""The costs of requests to Graph, in resource units of an app's budget.

Source: SharePoint/sp-dev-docs @9ceb30b5f673, docs/general-development/
how-to-avoid-getting-throttled-or-blocked-in-sharepoint-online.md, 2025-10-02 (CC-BY-4.0).
"""

from __future__ import annotations

DOWNLOAD = 1
"""One item, or the content of a file."""
DELTA_PAGE = 1
"""A page of the change feed, requested with a token."""
LIST = 2
"""A folder's children, and any other response with several items."""
DELTA_WHOLE = 2
"""The change feed without a token: its first page."""
CHANGE = 2
"""Create, update, delete, upload."""
