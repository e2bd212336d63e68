"""doctor: check what bundlectl stands on, and say how to mend it."""

from bundlectl.cli.options import Common, Output, OutputOption, application, command
from bundlectl.cli.wiring import open_session
from bundlectl.operations.doctor import FAIL, examine
from bundlectl.render.doctor_text import doctor_document, doctor_text


def doctor(common: Common, output: OutputOption = Output.TEXT) -> int:
    """Check this machine, the repository, the recorded state and the backend's jobs. Changes nothing."""
    session = open_session(common, output)
    with session.progress():
        checks = examine(session.context, session.places)
    failed = any(check.status == FAIL for check in checks)
    if session.output == "json":
        session.console.document(doctor_document(checks))
    else:
        session.console.result(doctor_text(checks, style=session.console.style))
    return 1 if failed else 0


doctor_app = application(main=command(doctor))
