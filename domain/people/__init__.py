"""Who people are and how they prove it: accounts, rights, sign-in, second factors, sessions, keys."""
