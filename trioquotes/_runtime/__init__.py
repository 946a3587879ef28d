"""The trio shell: tasks, sockets, timers and channels around the sans-I/O core."""
