SELECT 1 FROM t -- a; DROP TABLE t; --
