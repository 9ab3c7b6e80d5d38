"""The commands: options, help, what appears on the screen, exit codes."""
