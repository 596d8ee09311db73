"""What the user reads: tables and sentences computed from result rows."""
