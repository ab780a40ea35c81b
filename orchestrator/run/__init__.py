"""One run: its phases in order, its events, and how it is rolled back."""
