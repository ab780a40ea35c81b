"""What hosts are asked, and what only a trial on them can show."""
