"""Watch the models: do the texts still look as they did, and does what the models say of them?

Every scoring run and every week is compared with a reference, without sentence vectors, without asking a model again.
"""

from nlp.watching.weeks import watch_run, watch_weeks

__all__ = ["watch_run", "watch_weeks"]
