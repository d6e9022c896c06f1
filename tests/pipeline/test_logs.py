"""Log file, crash file and console, each in a process of its own where state is global."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from decaf_gui.pipeline import logs

SCRIPT = """
import logging, sys
from decaf_gui.pipeline.logs import start_logging
path = start_logging(verbose={verbose}, debug={debug})
log = logging.getLogger("decaf_gui.somewhere")
log.debug("a fine detail"); log.info("a thing happened"); log.error("a thing went wrong")
logging.getLogger("somelibrary").info("library chatter")
logging.getLogger("somelibrary").warning("library warning")
{more}
print(path)
"""


def run(state: Path, *, verbose: bool = False, debug: bool = False, more: str = "") -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
    script = SCRIPT.format(verbose=verbose, debug=debug, more=more)
    environment = kept | {"XDG_STATE_HOME": str(state), "HOME": str(state)}
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=False)


def test_the_file_has_everything_from_info_up_and_stderr_nothing(tmp_path):
    done = run(tmp_path)
    text = Path(done.stdout.strip()).read_text()
    assert done.stderr == ""
    assert "a thing happened" in text
    assert "ERROR decaf_gui.somewhere: a thing went wrong" in text
    assert "library warning" in text
    assert "a fine detail" not in text
    assert "library chatter" not in text


def test_verbose_shows_info_on_stderr(tmp_path):
    shown = run(tmp_path, verbose=True).stderr
    assert "a thing happened" in shown
    assert "a fine detail" not in shown


def test_debug_shows_details_on_stderr_and_in_the_file(tmp_path):
    done = run(tmp_path, debug=True)
    assert "a fine detail" in done.stderr
    assert "a fine detail" in Path(done.stdout.strip()).read_text()


def test_a_state_folder_that_cannot_be_written_gives_no_file_and_no_noise(tmp_path):
    blocker = tmp_path / "a file"
    blocker.write_text("in the way")
    done = run(blocker)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "None", "")


def test_a_native_crash_leaves_its_stack(tmp_path):
    done = run(tmp_path, more="import faulthandler; faulthandler._sigsegv()")
    assert done.returncode < 0
    (crash,) = tmp_path.rglob(logs.CRASH_NAME)
    assert "Segmentation fault" in crash.read_text()


def test_libraries_are_quiet_unless_the_user_says_otherwise(tmp_path):
    shown = run(tmp_path, more="import os; print(os.environ['TRANSFORMERS_VERBOSITY'])").stdout
    assert shown.splitlines()[0] == "error"
    more = "os.environ['TRANSFORMERS_VERBOSITY'] = 'info'; start_logging(verbose=False, debug=False)"
    shown = run(tmp_path, more=f"import os; {more}; print(os.environ['TRANSFORMERS_VERBOSITY'])").stdout
    assert shown.splitlines()[0] == "info"


def test_transformers_has_no_progress_bars_after_it(tmp_path):
    more = "from huggingface_hub.utils import are_progress_bars_disabled as off; print(off())"
    assert run(tmp_path, more=more).stdout.splitlines()[0] == "True"


def test_a_second_call_does_not_write_lines_twice(tmp_path):
    done = run(tmp_path, more="start_logging(verbose=False, debug=False); log.info('only once')")
    assert Path(done.stdout.strip()).read_text().count("only once") == 1


def test_nothing_heavy_is_imported(tmp_path):
    heavy = "{'torch', 'numpy', 'transformers', 'huggingface_hub', 'cv2', 'rich'}"
    assert run(tmp_path, more=f"print(sorted({heavy} & set(sys.modules)))").stdout.splitlines()[0] == "[]"
