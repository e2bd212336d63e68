"""The page for users of Databricks bundles names codes that exist, and leaves out no difference that has one."""

import re

from bundlectl.model.codes import CODES
from tests.architecture.source import ROOT

PAGE = (ROOT / "docs/coming-from-databricks-bundles.md").read_text(encoding="utf-8")
# Codes of findings that the other tool does not have, or has for less.
DIFFERENT = (
    "BND105 BND111 BND116 BND117 BND120 BND126 BND131 BND134 BND203 BND204 BND207 BND209 BND218 BND228 BND229 "
    "BND230 BND238 BND242 BND245 BND246 BND248 BND249 BND250 BND277 BND278 BND284 BND285 BND287 BND289 BND299 "
    "BND318 BND712"
)


def test_codes_of_the_page_exist() -> None:
    assert set(re.findall(r"BND[0-9]{3}", PAGE)) - set(CODES) == set()


def test_every_difference_with_a_code_is_on_the_page() -> None:
    assert [code for code in DIFFERENT.split() if code not in PAGE] == []
