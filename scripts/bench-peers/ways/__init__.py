"""The ways from source to warehouse: barncat and its peers, each with how it is told what to do."""

from ways.by_barncat import Barncat
from ways.by_dlt import Dlt
from ways.by_duckdb import DuckDb
from ways.by_ingestr import Ingestr
from ways.by_pgcopydb import PgCopyDb
from ways.by_pipe import Pipe
from ways.by_sling import Sling

ALL = {way.name: way for way in (Pipe, Barncat, Sling, Dlt, Ingestr, DuckDb, PgCopyDb)}
