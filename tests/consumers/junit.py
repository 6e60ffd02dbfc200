"""Parses JUnit XML with junitparser.

usage: junit.py VERDICTS.xml EXIT-CODE
"""

import sys

from junitparser import Error, Failure, JUnitXml, Skipped

path, code = sys.argv[1:]
cases = [case for suite in JUnitXml.fromfile(path) for case in suite]
assert cases and all(case.name and case.classname for case in cases), path
results = [result for case in cases for result in case.result]
bad = [result for result in results if isinstance(result, (Failure, Error))]
assert bool(bad) == (code == "1"), (code, results)
assert all(result.message for result in results), results
skipped = sum(isinstance(result, Skipped) for result in results)
print(f"junit: {len(cases)} cases, {len(bad)} bad, {skipped} skipped")
