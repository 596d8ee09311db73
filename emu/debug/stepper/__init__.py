"""``cfemu step``: a guest, or a recorded trace, moved through by commands, on a screen or from a script.

``commands.py`` is the table of what can be asked, ``actions.py`` does it; ``live.py`` is what it is asked of;
``events.py`` knows what happened between two moments; ``why.py`` explains a miss; ``tables.py`` makes the panes as
plain data. ``script.py`` prints and ``app.py`` draws; nothing else writes anything, and only ``app.py`` needs Textual.
"""
