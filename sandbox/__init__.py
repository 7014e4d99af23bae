"""Stand-ins for outside systems, each its own process with its own truth; imports nothing of ours."""
