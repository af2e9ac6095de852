"""Counts the calls of functions written in Python, in a process that has this folder on its path.

Python imports a module of this name at its start.  Whoever connects to the abstract socket
`multisendcon-calls-PID` gets what has been counted as JSON: `calls`, a list of room, module, name
and number of calls; `crossings`, a list of numbers of calls from one room into another, with both
rooms and whether the trip was in that room before.

A room is a package or module at the top of multisendcon_plugin, as in docs/INTERNALS.rst; beside
these there are "twisted" and "library", and "reactor" is where trips begin.
"""

from __future__ import annotations

import collections
import json
import os
import re
import signal
import socket
import sys
import threading

REACTOR = "reactor"
#: Functions of ours, and those that attrs has made for a class of ours.
_OURS = re.compile(
    r"/multisendcon_plugin/(.+)\.py$|^<attrs .* multisendcon_plugin\.([a-z_.0-9]+)\."
)
#: What the threads have counted: the numbers of the calls, and those of the crossings.  Each thread
#: has its own, since another one may come between reading a number and writing it.
_counted = []
#: Room, module and code object of each function, by the identity of the last: attrs generates equal
#: ones for several classes, and the hash of one takes that of all that are defined in it.
_places = {}


def _place(code):
    """Return the room, the module and the code of a function; the room is None if not ours."""
    place = _places.get(id(code))
    if place is None:
        if ours := _OURS.search(code.co_filename):
            module = (ours[1] or ours[2]).replace(".", "/").removesuffix("/__init__")
            place = (module.partition("/")[0], module, code)
        else:
            place = (None, code.co_filename.rpartition("site-packages/")[2], code)
        _places[id(code)] = place
    return place


def _begin(frame, event, argument):
    """Count what this thread calls from now on."""
    calls, crossings = collections.Counter(), collections.Counter()
    _counted.append((calls, crossings))

    def count(frame, event, _):
        if event == "call":
            room, _, code = _place(frame.f_code)
            calls[id(code)] += 1
            if room is not None and (crossing := _crossing(frame, room)):
                crossings[crossing] += 1

    sys.setprofile(count)
    count(frame, event, argument)


def _crossing(frame, room):
    """Return from where to where a call goes, and whether the trip was there; None: it stays."""
    trip = _trip(frame)
    caller = next(trip, REACTOR)
    return None if caller == room else (caller, room, room in trip)


def _trip(frame):
    """Yield the rooms that have called a function, the nearest first, as far as the reactor."""
    while (caller := frame.f_back) is not None and caller.f_code.co_name != "mainLoop":
        # What the reactor's loop calls is its own hand, also when it is ours.
        above = caller.f_back
        if above is not None and above.f_code.co_name == "mainLoop":
            return
        room = _place(caller.f_code)[0]
        if room is not None:
            yield room
        frame = caller


def _result():
    calls, crossings = collections.Counter(), collections.Counter()
    for of_calls, of_crossings in _counted:
        # Copied at once: its thread goes on counting.
        calls.update(of_calls.copy())
        crossings.update(of_crossings.copy())
    return {
        "calls": [
            [_shown_room(room, code), module, code.co_qualname, number]
            for (room, module, code), number in ((_places[key], n) for key, n in calls.items())
        ],
        "crossings": [[*crossing, number] for crossing, number in crossings.items()],
    }


def _shown_room(room, code):
    return room or ("twisted" if "/twisted/" in code.co_filename else "library")


def _serve(listening):
    while True:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(json.dumps(_result()).encode())


def _start():
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(f"\0multisendcon-calls-{os.getpid()}")
    listening.listen()
    # Signals are for the thread that they would be for without this one.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    threading.Thread(target=_serve, args=[listening], daemon=True).start()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    threading.setprofile(_begin)
    sys.setprofile(_begin)


_start()
