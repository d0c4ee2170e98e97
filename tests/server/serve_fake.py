# SPDX-License-Identifier: GPL-3.0-or-later
"""`smplit serve` with the job kinds of `fake_kinds.py` and a short queue: serve_fake.py FILE JOBS_DIR [option=value ...]."""

import sys

from smplit.errors import SmplitError
from smplit.server.main import serve
from smplit.server.scheduler import Settings

if __name__ == "__main__":
    file, jobs, *more = sys.argv[1:]
    options = dict(word.split("=", 1) for word in more)
    if "parent_pid" in options:
        options["parent_pid"] = int(options["parent_pid"])
    if "root" in options:
        options["roots"] = [options.pop("root")]
    try:
        sys.exit(serve(file, jobs_dir=jobs, settings=Settings(queue=3, registry="fake_kinds"), **options))
    except SmplitError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
