"""Microsoft Graph: drives, sites, libraries, addresses, the delta feed, and Graph's errors."""
