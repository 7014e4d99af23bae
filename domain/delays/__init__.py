"""What a late rail brings with it: notices in public words, when money comes, longer tries, moved deadlines."""
