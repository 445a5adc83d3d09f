"""What moves satisfaction, recommendation, repeat contact and churn, what would be gained, and where patience ends."""

from nlp.drivers.analysis import analyse
from nlp.drivers.roles import DriverDataError, Roles, guess_roles

__all__ = ["DriverDataError", "Roles", "analyse", "guess_roles"]
