"""What both doors share: access, identity, headers, errors, logs."""
