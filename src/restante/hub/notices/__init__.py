"""Notices: what people are told about their parcel, in their language, and what became of the telling.

A notice is a value (``kinds``); a letter is its sentences (``letter``); a mail is the letter under a letterhead
(``mail``). ``smtp`` hands it over and says what happened; ``choose`` says what to do next. ``sink`` is the local mail
server of a demo, which keeps what it is given.
"""
