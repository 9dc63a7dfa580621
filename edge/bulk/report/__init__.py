"""The report of a bulk run: one HTML file that needs nothing else, for people."""

from edge.bulk.report.facts import Facts
from edge.bulk.report.report import write_report

__all__ = ["Facts", "write_report"]
