"""A page for people that shows the live figures: `files/` put together as one HTML document.

It asks nobody but the endpoint it came from, changes nothing, and treats every text in the figures as
hostile: they get into the page as text nodes only. Its policy names the one script and the one style by their
hashes.
"""
