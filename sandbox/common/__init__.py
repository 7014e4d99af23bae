"""What every stand-in needs: store, clock, timetable, deliveries, faults, pages and the server; knows no vendor."""
