"""The editorial timeline: an edit in, its shots found, trained and swapped, and the edit out again with the results in place."""
