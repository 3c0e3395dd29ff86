-- A long history for scripts/bench.sh --dashboard: `tables` tables, `runs` runs of all of them, an attempt each, as
-- barncat itself would have written it. In the control schema, which `barncat serve` has made.
--   psql -v schema=barncat_control -v tables=2000 -v runs=500 -f sql/demo/bench-dashboard.sql
\set ON_ERROR_STOP on
SET search_path = :"schema";
SET synchronous_commit = off;

-- Half an hour between two runs; the last one ended a minute ago.
CREATE TEMP TABLE numbers AS
    SELECT n, '01J' || lpad(n::text, 8, '0') || 'RUN' AS run,
        clock_timestamp() - interval '10 minutes' - (:runs - n) * interval '30 minutes' AS started_at
    FROM generate_series(1, :runs) n;

INSERT INTO runs (run, session, mode, selection, version, host, pid, started_at, ended_at, status, outcome)
    SELECT run, 'bench', 'production', '*', '0.1.0', 'loader-' || n % 3, 4711, started_at, started_at + interval '9 minutes',
        CASE WHEN n % 17 = 0 THEN 'degraded' ELSE 'succeeded' END,
        jsonb_build_object('run', run, 'mode', 'production', 'tasks', '[]'::jsonb, 'warnings', '[]'::jsonb)
    FROM numbers;

INSERT INTO tasks (run, task, kind, tier, started_at, ended_at, status, seconds, rows, bytes, load, outcome)
    SELECT r.run, t.task, 'load', t.tier, r.started_at + t.after, r.started_at + t.after + t.takes, s.status,
        extract(epoch FROM t.takes), t.rows + r.n, t.rows * 40, '01J' || lpad(r.n::text, 8, '0') || 'L' || t.n,
        jsonb_build_object('task', t.task, 'kind', 'load', 'tier', t.tier, 'status', s.status, 'attempts', 1,
            'strategy', 'full', 'reason', 'the strategy is full', 'publish', 'swap', 'rows', t.rows + r.n, 'late_rows', NULL,
            'bytes', t.rows * 40, 'seconds', extract(epoch FROM t.takes),
            'load', '01J' || lpad(r.n::text, 8, '0') || 'L' || t.n,
            'as_of', to_char((r.started_at + t.after) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
            'snapshot', 'snapshot-of-' || r.run, 'lag_seconds', 0.4, 'watermark', NULL,
            'schema_hash', 'v1:3fa9c1d2e4b5a6978812233445566778899aabbccddeeff00112233445566778', 'schema_changes', '[]'::jsonb,
            'warnings', '[]'::jsonb,
            'error', CASE WHEN s.status = 'failed' THEN jsonb_build_object('class', 'passing',
                'message', 'the source shop.internal closed the connection', 'hint', NULL) END)
    FROM numbers r
    CROSS JOIN (
        SELECT n, 'raw.table_' || lpad(n::text, 4, '0') AS task, CASE WHEN n % 10 = 0 THEN 'critical' ELSE 'optional' END AS tier,
            n * interval '0.25 seconds' AS after, (0.4 + (n * 7919 % 100) / 20.0) * interval '1 second' AS takes, (n * 7919 % 100000)::bigint AS rows
        FROM generate_series(1, :tables) n) t
    CROSS JOIN LATERAL (SELECT CASE WHEN r.n % 17 = 0 AND t.n % 101 = 0 THEN 'failed' WHEN (r.n + t.n) % 5 = 0 THEN 'unchanged'
        ELSE 'succeeded' END AS status) s;

INSERT INTO attempts (run, task, attempt, load, started_at, ended_at, status, failure)
    SELECT run, task, 1, load, started_at + interval '0.1 seconds', ended_at, status, outcome->'error' FROM tasks WHERE run LIKE '01J%RUN';

INSERT INTO check_results (run, task, check_name, before_publish, at, status, rows, of_rows, message)
    SELECT run, task, 'row_count', true, ended_at, CASE WHEN status = 'failed' THEN 'failed' ELSE 'passed' END, 0, rows, 'it has rows'
    FROM tasks WHERE run >= '01J' || lpad((:runs - 40)::text, 8, '0') AND run LIKE '01J%RUN';

INSERT INTO schemas (task, load, hash, schema, seen_at)
    SELECT DISTINCT ON (task) task, load, 'v1:3fa9c1d2', '{"columns": []}'::jsonb, started_at FROM tasks WHERE run LIKE '01J%RUN'
    ORDER BY task, started_at;

VACUUM (ANALYZE) runs, tasks, attempts, check_results, schemas;
