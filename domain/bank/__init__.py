"""What our banks say: statements read, lines matched with what they show, payments searched for."""
