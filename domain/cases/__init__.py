"""Exception cases: opened, looked after, settled by verbs and rules; with their files."""
