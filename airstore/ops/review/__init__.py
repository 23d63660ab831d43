"""What people read about releases: reports, notes, courier sheets, the table of sites."""
