"""The rules: functions that take a session first. No Flask, no vendor SDK, no HTML."""
