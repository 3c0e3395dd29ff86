SELECT E'a'
'b\' || '; DROP TABLE t; --'
FROM t