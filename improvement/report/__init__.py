"""The service improvement committee's report (服务改进委员会报告): one HTML page and one workbook from the mart."""

from improvement.report.write import write_report

__all__ = ["write_report"]
