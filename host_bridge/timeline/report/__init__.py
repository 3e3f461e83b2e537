"""The report for the legal department: what was made of an edit, from its run or from an exported edit, with the project's records."""
