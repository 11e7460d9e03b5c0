"""What the servers under test serve. Each file stands alone and is imported by the server that needs it."""
