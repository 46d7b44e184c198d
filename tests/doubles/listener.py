"""A progress that remembers what it is told."""

from contextlib import contextmanager


class Listener:
    """Keeps the names of tasks, ``(done, note)`` of each update, and the lines that were said."""

    def __init__(self):
        self.tasks, self.updates, self.said = [], [], []

    @contextmanager
    def task(self, description, total=None):
        self.tasks.append(description)
        yield self

    def update(self, done, total=None, note=""):
        self.updates.append((done, note))

    def say(self, text):
        self.said.append(text)
