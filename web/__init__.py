"""What both doors share: extensions, identity, access, headers, errors, logging. No routes, no rules."""
