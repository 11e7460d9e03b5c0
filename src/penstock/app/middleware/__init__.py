"""Ready-made hooks that guard nobody: limits, deadlines, methods in disguise, entity-tags, what may be asked
for. One file for each concept.

Rule of this folder: as in `app/security`, a response may be another's, too: what is changed is a copy.
"""
