-- A run can go on with another one that did not come to its end.

ALTER TABLE runs ADD COLUMN resumes text;

COMMENT ON COLUMN runs.resumes IS 'The run that this one goes on with: what ended well there is not done again.';
