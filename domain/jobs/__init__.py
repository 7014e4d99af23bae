"""Background work: loops that claim due rows of the domain and run its functions on them."""
