"""Report for the legal department: results in an edit, from its run or an exported edit, with the project's consent records."""
