-- What is asked again and again, by the dashboard, by `status` and `plan` and by each run, looks at a few rows a task,
-- however long the history is.

CREATE INDEX tasks_by_good_end ON tasks (task, started_at) WHERE status IN ('succeeded', 'unchanged');
CREATE INDEX tasks_by_publish ON tasks (task, started_at) WHERE status = 'succeeded';
CREATE INDEX tasks_under_way ON tasks (started_at) WHERE ended_at IS NULL;
CREATE INDEX tasks_by_end ON tasks (ended_at);
-- How the tasks of a run ended, and what they brought, without their rows.
CREATE INDEX tasks_of_run ON tasks (run, status) INCLUDE (rows, bytes);
CREATE INDEX tasks_of_run_by_time ON tasks (run, started_at, task);
CREATE INDEX runs_by_selection ON runs (mode, selection, started_at);
CREATE INDEX runs_by_end ON runs (ended_at);
CREATE INDEX attempts_by_end ON attempts (ended_at);
CREATE INDEX attempts_begun ON attempts (started_at) WHERE ended_at IS NULL;
CREATE INDEX incidents_seen ON incidents (project, seen_at);
