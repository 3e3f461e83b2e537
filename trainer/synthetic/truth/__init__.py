"""The truth of a take, its landmarks on the mesh, and measures of a swap against the true one."""
