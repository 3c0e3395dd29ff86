SELECT 1 |-- ' 
 ; DROP TABLE t; --'
 FROM t