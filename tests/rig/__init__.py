"""What starts databases, processes and a browser for the tests, and surely stops them again."""
