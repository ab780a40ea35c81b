"""Programs that try on a host what only a trial can show."""
