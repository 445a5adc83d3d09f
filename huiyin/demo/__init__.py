"""The demo company 和风家电: a seeded generator of a year of service records with planted, known incidents."""

from huiyin.demo.company import COMPANY_TO_ON
from huiyin.demo.generator import GenerationSummary, ensure_company, generate

__all__ = ["COMPANY_TO_ON", "GenerationSummary", "ensure_company", "generate"]
