"""The fault table of the reliability bar as tests: what may fail, what must hold, who checks it."""
