"""Orders of a day, collected and added up."""
