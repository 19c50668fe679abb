"""A replica that need not be ready."""

from support.service import Service


class ListeningService(Service):
    """Started when its log says that it listens, whatever /readyz answers, and wherever that is."""

    def _wait_until_it_answers(self):
        pass

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
