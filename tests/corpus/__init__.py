"""Cases of HTTP/1.x on the wire, as text files that say what each must give; README.md has the format."""
