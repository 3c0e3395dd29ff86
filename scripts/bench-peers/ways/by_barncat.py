"""barncat itself, with a local folder as its stage."""

import os
import shutil
import subprocess

from ways.way import Way


class Barncat(Way):
    name = "barncat"
    how = "`barncat run`, a local folder as the stage, its own defaults"

    def prepare(self, workload):
        super().prepare(workload)
        project = self.home(workload)
        shutil.rmtree(project)
        (project / "loaders").mkdir(parents=True)
        schema = self.schema(workload)
        (project / "barncat.toml").write_text(f"""[project]
name = "{workload.database}"
[sources.shop]
kind = "postgres"
url = "${{SHOP_REPLICA_URL}}"
connections = 6
[stage]
url = "file:./stage"
[warehouse]
kind = "postgres"
url = "${{WAREHOUSE_URL}}"
schema = "{schema}"
""")
        row = '"full"'
        if workload.cursor:
            row = f'{{ strategy = "merge", cursor = "{workload.cursor}", overlap = "1s", compare_every = "off" }}'
        tables = "\n".join(f"{table} = {row}" for table in workload.tables)
        (project / "loaders/shop.toml").write_text(f'source = "shop"\nschema = "public"\n[tables]\n{tables}\n')

    def command(self, workload, is_first):
        env = {"SHOP_REPLICA_URL": self.source_url(workload), "WAREHOUSE_URL": self.warehouse_url()}
        return [os.environ["BARNCAT"], "run", "--quiet", "--output", "json", "--project", self.home(workload)], env

    def version(self):
        return subprocess.run([os.environ["BARNCAT"], "--version"], capture_output=True, text=True).stdout.split()[-1]

    def staged_bytes(self, workload):
        """Of the newest load of each table."""
        staged = 0
        for table in (self.home(workload) / "stage").glob("*/*/*"):
            newest = max((load for load in table.iterdir() if (load / "manifest.json").exists()), key=lambda load: load.name, default=None)
            staged += sum(file.stat().st_size for file in newest.iterdir()) if newest else 0
        return staged
