"""pgcopydb, which clones a database: the warehouse is one of its own."""

import shutil
import subprocess

from ways.way import Way


class PgCopyDb(Way):
    name = "pgcopydb"
    how = "`pgcopydb clone --drop-if-exists`, four tables at once, from the primary (it asks for a SERIALIZABLE transaction, which a standby refuses), a database of its own as the target"
    source_server = "primary"

    def __init__(self, servers):
        super().__init__(servers)
        self.database = "peers_pgcopydb"

    def schema(self, workload):
        return "public"

    def cannot(self, workload):
        if workload.cursor:
            return "it copies whole databases; changes only by logical decoding from the primary, which a standby before PostgreSQL 16 cannot give"
        return None

    def prepare(self, workload):
        self.servers.ask("warehouse", "postgres", f"DROP DATABASE IF EXISTS {self.database}",
                         f"CREATE DATABASE {self.database} OWNER barncat_warehouse")

    def command(self, workload, is_first):
        shutil.rmtree(self.home(workload))
        # In a session of its own: it signals its process group.
        return ["setsid", "-w", "pgcopydb", "clone", "--source", self.source_url(workload), "--target", self.warehouse_url(), "--dir", self.home(workload),
                "--drop-if-exists", "--no-owner", "--no-acl", "--no-comments", "--skip-large-objects", "--skip-extensions", "--table-jobs", "4", "--index-jobs", "2"], {}

    def version(self):
        return subprocess.run(["pgcopydb", "--version"], capture_output=True, text=True).stdout.split()[2]
